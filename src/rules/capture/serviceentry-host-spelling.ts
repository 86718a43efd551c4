import { celCanonicalHost } from "../../core/cel.ts";
import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { celIsHostName, findHostFault } from "../../istio/entry/hosts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** A host must be written as DNS queries name it: in lower case and without a final dot. */
export const serviceentryHostSpelling: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-spelling",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: [],
	fixable: true,
	docs: {
		summary: "A host must be written as DNS queries name it: in lower case and without a final dot",
		why: "istiod passes hosts on as they are written, and ztunnel compares them with names in lower case without a final dot. A host in another spelling never matches, so its traffic leaves past the waypoint. Nor does istiod see that two spellings are one host.",
		fix: "Write the host as it is asked for; `waymark lint --fix` does. Admission only warns, since an object that it rewrote would differ from its source for ever.",
		sources: ["ztunnel src/dns/server.rs", "RFC 4343 (DNS names are compared without case)"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["API.payments.example.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualHost,
	*check(entry) {
		for (const [index, host] of specOf(entry).hosts.entries()) {
			const name = canonicalHost(host);
			if (name !== host && findHostFault(host) === undefined) {
				const path = ["spec", "hosts", index];
				yield {
					path,
					message: `No DNS query is ever spelt ${quote(host)}, so ztunnel never recognises its traffic`,
					hint: `Write ${quote(name)}`,
					fix: [{ op: "set", path, value: name }],
				};
			}
		}
	},
	cel: {
		problems: [
			{
				each: ["h", "e.hosts"],
				when: `h != ${celCanonicalHost("h")} && ${celIsHostName("h")}`,
				path: "spec.hosts",
				message: 'No DNS query is ever spelt "{h}", so ztunnel never recognises its traffic',
				hint: `Write "{${celCanonicalHost("h")}}"`,
			},
		],
	},
};
