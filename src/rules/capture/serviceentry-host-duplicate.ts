import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { hostOwnership } from "../../istio/capture/capture.ts";
import { formatOwner, sharesHosts } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** No two entries of a namespace may have the same host. */
export const serviceentryHostDuplicate: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-duplicate",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["ServiceEntry", "Service", "Namespace"],
	fixable: false,
	docs: {
		summary: "No two entries of a namespace may have the same host",
		why: "Ambient keeps one entry for each host of a namespace: the oldest. The younger one's ports, addresses and waypoint are dropped without a condition, and where both were created in the same second either may win, differently after each restart. One entry for port 80 and another for port 443 of a host, a common habit with sidecars, loses one of them.",
		fix: "Write all ports of a host into one ServiceEntry.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/services.go: selectWorkloadServices"],
		since: "0.1.0",
		good: withSpec(boundEntry, { hosts: ["www.payments.example.com"] }),
		bad: withSpec(boundEntry, { ports: [{ number: 80, name: "http", protocol: "HTTP" }] }),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...boundEntry,
				metadata: { ...boundEntry.metadata, name: "first", creationTimestamp: "2026-01-01T00:00:00Z" },
			},
		],
	},
	when: sharesHosts,
	*check(entry, context) {
		const { hosts } = specOf(entry);
		for (const [index, host] of hosts.entries()) {
			const { rivals, lostTo, isTied } = hostOwnership(host, entry, context, context.inventory);
			const [rival] = rivals;
			if (rival === undefined || hosts.indexOf(host) !== index) {
				continue;
			}
			const other = formatOwner(lostTo?.kind === "ServiceEntry" ? lostTo : rival);
			const rest = hosts.length > 1 ? ", while its other hosts are bound and nothing says so" : "";
			yield {
				path: ["spec", "hosts", index],
				message: isTied
					? `${quote(host)} is in ${other} too, created in the same second: either may win, and the other is dropped`
					: lostTo === undefined
						? `${quote(host)} is in ${other} too, which is younger: this one takes the host, and that one's ports and waypoint for it are dropped`
						: `${other} is older and has ${quote(host)} already, so the ports and the waypoint of this one are dropped for it${rest}`,
				hint: "Write all ports of the host into one ServiceEntry",
			};
		}
	},
};
