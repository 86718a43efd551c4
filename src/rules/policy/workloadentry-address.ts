import { quote } from "../../core/finding.ts";
import type { WorkloadEntry } from "../../core/kinds.ts";
import { allows } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { isOutsideName } from "../../istio/entry/cluster-hosts.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";
import { forbiddenAddress, forbiddenHost, isUnixSocket, limitOnAddress } from "./limits.ts";

function workload(address: string): WorkloadEntry {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: "machine", namespace: "team" },
		spec: { address, labels: { app: "ledger" } },
	};
}

/** A WorkloadEntry leads where an endpoint of a ServiceEntry could. */
export const workloadentryAddress: Rule<"WorkloadEntry"> = {
	id: "workloadentry-address",
	kind: "WorkloadEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "The address of a WorkloadEntry must be one that an endpoint of a ServiceEntry could have",
		why: "A ServiceEntry with a workloadSelector sends its traffic to every WorkloadEntry with these labels. What an endpoint may not be, the machine behind a selector may not be either: an address that the cluster denies, a name that the namespace may not reach, a Unix socket where ambient is enforced. An address on the internet that no list of hosts allows is a warning, as it is for endpoints.",
		fix: "Use the address of a machine of your own network, or ask the security team to allow the host.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: workloadEntryWorkloadBuilder",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: workload("10.20.0.7"),
		bad: workload("files.example.org"),
		given: [withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-hosts": "*.example.com" })],
	},
	*check(entry, { policy, inventory }) {
		const address = entry.spec?.address ?? "";
		const path = ["spec", "address"];
		if (isUnixSocket(address)) {
			if (policy.ambient === "enforced") {
				yield {
					path,
					message: `No proxy of ambient should open ${quote(address)}: a waypoint would open it in its own pod`,
					hint: "Run what listens on the socket as a Service",
				};
			}
			return;
		}
		yield* forbiddenAddress(address, path, inventory.settings);
		if (isOutsideName(address, inventory)) {
			yield* forbiddenHost("Address", address, path, policy);
		}
		const strict = limitOnAddress(address, policy);
		if (strict !== undefined) {
			yield {
				path,
				severity: "warning",
				message: `Traffic for what selects it goes to ${quote(address)}, which is not among the hosts that ${allows(strict.by)}`,
				hint: "Ask the security team to allow the address: it may stand in allowed-hosts",
			};
		}
	},
};
