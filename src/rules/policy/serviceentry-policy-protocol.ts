import { quote } from "../../core/finding.ts";
import { allows } from "../../core/policy.ts";
import { parseProtocol } from "../../core/port-range.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned } from "../../istio/entry/border.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../examples.ts";
import { limitsProtocols } from "./limits.ts";

/** The protocols of an external ServiceEntry are ones that its namespace and the cluster allow. */
export const serviceentryPolicyProtocol: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-protocol",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary:
			"Every protocol of an external ServiceEntry must be allowed by the cluster's limits and by the namespace",
		why: "The protocol decides what a waypoint can see: HTTP is governed by path and method, TLS by its server name, TCP by address only. A port without a protocol counts as none of them where protocols are limited.",
		fix: "Use an allowed protocol, or ask the security team to add it to egress.waymark.dev/allowed-protocols.",
		sources: ["istio/istio pkg/config/protocol/instance.go: Parse"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { ports: [{ number: 443, name: "tcp", protocol: "tcp" }] }),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-protocols": "TLS, HTTPS, http",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: limitsProtocols,
	*check(entry, context) {
		const { allowedProtocols } = context.policy;
		if (allowedProtocols.length === 0 || !isGoverned(entry, context)) {
			return;
		}
		for (const [index, port] of (entry.spec?.ports ?? []).entries()) {
			const protocol = parseProtocol(port.protocol ?? "");
			const strict = allowedProtocols.find((list) => protocol === undefined || !list.protocols.has(protocol));
			if (strict !== undefined) {
				const names = [...strict.protocols].join(", ");
				yield {
					path: ["spec", "ports", index, "protocol"],
					message: port.protocol
						? `Protocol ${quote(port.protocol)} is not among the protocols that ${allows(strict.by)} (${names})`
						: `Names no protocol, and ${allows(strict.by)} only ${names}`,
					hint: "Use an allowed protocol, or ask the security team",
				};
			}
		}
	},
	cel: {
		problems: [
			{
				each: ["p", "(e.governed ? e.ports : [])"],
				when: "variables.allowedProtocols.exists(l, !(p.?protocol.orValue('').lowerAscii() in l.of))",
				path: "spec.ports",
				message:
					"Protocol \"{p.?protocol.orValue('')}\" is not among the protocols that {variables.allowedProtocols.filter(l, !(p.?protocol.orValue('').lowerAscii() in l.of))[0].by} ({variables.allowedProtocols.filter(l, !(p.?protocol.orValue('').lowerAscii() in l.of))[0].of.join(', ')})",
				hint: "Use an allowed protocol, or ask the security team",
			},
		],
	},
};
