import type { Path, Problem } from "../core/finding.ts";
import { quote } from "../core/finding.ts";
import { covers, overlaps } from "../core/host-pattern.ts";
import type { HostAllowance, Policy } from "../core/policy.ts";
import { allows } from "../core/policy.ts";
import type { Rule } from "../core/rule.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../istio/examples.ts";
import { isGoverned, isOutsideName } from "../istio/external.ts";

/** The hosts of an external ServiceEntry are ones that its namespace and the cluster allow. */
export const serviceentryPolicyHost: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-host",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary:
			"Every host and named endpoint of an external ServiceEntry must be allowed by the cluster's limits and by the namespace",
		why: "The security team says with egress.waymark.dev/allowed-hosts and denied-hosts what a namespace may reach; the cluster's limits say what any namespace may. A denial wins over an allowance, and a wildcard counts as every name under it. An endpoint that is a name counts too, since traffic for the hosts goes there. Spelling makes no difference: case, a trailing dot and punycode are compared in one form.",
		fix: "Remove the host, or ask the security team to add it to the namespace's annotation egress.waymark.dev/allowed-hosts.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["API.Payments.example.com.", "files.example.org"] }),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-hosts": "*.example.com",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	*check(entry, context) {
		if (!isGoverned(entry, context)) {
			return;
		}
		for (const [index, host] of (entry.spec?.hosts ?? []).entries()) {
			yield* judgeHost("Host", host, ["spec", "hosts", index], context.policy);
		}
		for (const [index, endpoint] of (entry.spec?.endpoints ?? []).entries()) {
			const address = endpoint.address ?? "";
			if (isOutsideName(address, context.inventory)) {
				yield* judgeHost("Endpoint", address, ["spec", "endpoints", index, "address"], context.policy);
			}
		}
	},
};

function* judgeHost(what: "Host" | "Endpoint", host: string, path: Path, policy: Policy): Iterable<Problem> {
	const thing = what.toLowerCase();
	const denied = policy.deniedHosts.find((list) => list.patterns.some((each) => overlaps(each, host)));
	if (denied !== undefined) {
		const pattern = denied.patterns.find((each) => overlaps(each, host))?.text ?? "";
		yield {
			path,
			message: `${what} ${quote(host)} is denied by ${place(denied)} (${quote(pattern)})`,
			hint: `Remove the ${thing}, or ask the security team`,
		};
		return;
	}
	const strict = policy.allowedHosts.find((list) => !list.patterns.some((each) => covers(each, host)));
	if (strict !== undefined) {
		yield {
			path,
			message: `${what} ${quote(host)} is not among the hosts that ${allows(strict.by)} (${listed(strict)})`,
			hint: `Remove the ${thing}, or ask the security team to allow it`,
		};
	}
}

function place(list: HostAllowance): string {
	return list.by === "cluster" ? "the cluster's limits" : "this namespace's policy";
}

function listed(list: HostAllowance): string {
	const shown = list.patterns.slice(0, 3).map((each) => each.text);
	const more = list.patterns.length - shown.length;
	return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}
