import type { Problem } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { Namespace, ServiceEntry } from "../../core/kinds.ts";
import type { Policy } from "../../core/policy.ts";
import { parsePolicy } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned, outsideName } from "../../istio/entry/border.ts";
import { isSameWaypoint } from "../../istio/waypoint/binding.ts";
import { formatEntries } from "../../istio/waypoint/losses.ts";
import { requestedWaypoint } from "../../istio/waypoint/waypoint.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withAnnotations } from "../examples.ts";
import { forbiddenHost, forbiddenPort, forbiddenServicePort } from "./limits.ts";

/** What a policy says against an entry that is there. */
function* against(entry: ServiceEntry, policy: Policy, inventory: Inventory): Iterable<Problem> {
	const { hosts, endpoints, ports } = entry.spec ?? {};
	for (const host of hosts ?? []) {
		yield* forbiddenHost("Host", host, [], policy);
	}
	for (const endpoint of endpoints ?? []) {
		const target = outsideName(endpoint.address ?? "", inventory);
		yield* target === undefined ? [] : forbiddenHost("Endpoint", target, [], policy);
	}
	for (const port of ports ?? []) {
		yield* forbiddenServicePort(port, [], policy);
		yield* forbiddenPort(port.targetPort, [], policy);
	}
}

/** Whether an entry asks for another waypoint than a policy names. */
function isElsewhere(entry: ServiceEntry, { namespace, waypoint }: Policy, labels: Labels): boolean {
	if (waypoint === undefined || waypoint === "none") {
		return false;
	}
	const request = requestedWaypoint(entry.metadata?.labels, namespace, labels);
	return !(request.asked && isSameWaypoint(request.waypoint, waypoint));
}

type Labels = Readonly<Record<string, string>> | null | undefined;

/** A policy that becomes tighter names the entries that it leaves behind. */
export const namespacePolicyEntries: Rule<"Namespace"> = {
	id: "namespace-policy-entries",
	kind: "Namespace",
	family: "policy",
	severity: "warning",
	reads: ["ServiceEntry", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "A tighter policy should not leave entries behind that it no longer allows",
		why: "A policy is held against what is written. An entry that was allowed stays in force when the policy becomes tighter, until somebody writes or deletes it: the new policy looks as if it held, and it does not.",
		fix: "Change or delete the entries that the message counts. waymark lint --cluster lists them all.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: teamNamespace,
		bad: withAnnotations(teamNamespace, {
			"egress.waymark.dev/waypoint": "istio-egress/egress",
			"egress.waymark.dev/allowed-hosts": "*.example.org",
		}),
		old: teamNamespace,
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
	},
	*check(object, { old, namespace, policy, inventory }) {
		if (old === undefined) {
			return;
		}
		const before = parsePolicy(namespace, old as Namespace, inventory.settings);
		const left = [...inventory.inNamespace("ServiceEntry", namespace)].filter((entry) => {
			if (!isGoverned(entry, { namespace, inventory })) {
				return false;
			}
			const isNew = (holds: (each: Policy, labels: Labels) => boolean): boolean =>
				holds(policy, object.metadata?.labels) && !holds(before, old.metadata?.labels);
			return (
				isNew((each) => isAny(against(entry, each, inventory))) ||
				isNew((each, labels) => isElsewhere(entry, each, labels))
			);
		});
		if (left.length > 0) {
			yield {
				path: ["metadata", "annotations"],
				message: `Leaves ${formatEntries(left)} in force, which this policy no longer allows`,
				hint: "Change or delete them: a policy is held against what is written from now on",
			};
		}
	},
};
