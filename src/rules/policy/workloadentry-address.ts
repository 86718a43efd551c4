import { parseAddressRange } from "../../core/address-range.ts";
import type { Path, Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Service, ServiceEntry, WorkloadEntry } from "../../core/kinds.ts";
import { allows } from "../../core/policy.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { serviceOfHost } from "../../core/service-names.ts";
import { localNetwork } from "../../istio/capture/workload-address.ts";
import {
	isDeclaredInside,
	isOutsideHost,
	isOutsideMachine,
	isSelected,
	opensEntry,
	outsideName,
} from "../../istio/entry/border.ts";
import { isClusterHost } from "../../istio/entry/cluster-hosts.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isExternal, isInternal } from "../../istio/entry/facts.ts";
import { formatWaypoint, isSameWaypoint } from "../../istio/waypoint/binding.ts";
import { requestedWaypoint } from "../../istio/waypoint/waypoint.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";
import {
	forbiddenAddress,
	forbiddenHost,
	forbiddenPort,
	forbiddenServicePort,
	isUnixSocket,
	limitOnAddress,
} from "./limits.ts";

function workload(address: string): WorkloadEntry {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: "machine", namespace: "team" },
		spec: { address, labels: { app: "ledger" } },
	};
}

/** Entries that a selector kept inside the cluster, and that this machine would lead out of it. */
function* openedEntries(machine: WorkloadEntry, context: RuleContext): Iterable<Problem> {
	const { namespace, inventory } = context;
	const address = machine.spec?.address ?? "";
	for (const entry of inventory.inNamespace("ServiceEntry", namespace)) {
		const { selector, hosts } = specOf(entry);
		if (
			selector === undefined ||
			!isInternal(entry) ||
			!isSelected(machine, selector) ||
			!opensEntry(address, hosts, inventory)
		) {
			continue;
		}
		const path = ["spec", "address"];
		const [problem] = openedProblems(entry, path, context);
		if (problem !== undefined) {
			yield {
				path,
				// A private address under an outside name may be a machine of the mesh that nobody calls internal.
				...(isOutsideMachine(address, inventory) ? {} : { severity: "warning" as const }),
				message: `ServiceEntry ${mention(entry.metadata?.name ?? "")} selects this machine, so its traffic would leave the cluster: ${problem.message}`,
				hint: isOutsideMachine(address, inventory)
					? "Use the address of a machine of your own network, or ask the security team"
					: "Write the ServiceEntry again, so that it is bound, or let the configuration call the address internal",
			};
		}
	}
}

/** What the policy says against an entry that leads outside; only the first is asked for. */
function* openedProblems(
	entry: ServiceEntry,
	path: Path,
	context: RuleContext,
): Iterable<{ readonly message: string }> {
	for (const host of specOf(entry).hosts) {
		yield* forbiddenHost("Host", host, path, context.policy);
	}
	for (const port of entry.spec?.ports ?? []) {
		yield* forbiddenServicePort(port, path, context.policy);
	}
	yield* passedWaypoint(entry, context);
}

function* passedWaypoint(
	{ metadata }: ServiceEntry | Service,
	{ namespace, policy, inventory }: RuleContext,
): Iterable<{ readonly message: string }> {
	const { waypoint } = policy;
	if (waypoint === undefined || waypoint === "none") {
		return;
	}
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(metadata?.labels, namespace, labels);
	if (!(request.asked && isSameWaypoint(request.waypoint, waypoint))) {
		yield { message: `it is not bound to the waypoint ${formatWaypoint(waypoint)} of the policy` };
	}
}

/** The Service of another namespace that a machine really is, as people write it; undefined where it is none. */
function foreignService(address: string, { namespace, inventory }: RuleContext): string | undefined {
	const [service] = address === "None" ? [] : inventory.lookup("serviceByAddress", address);
	const home = service?.metadata?.namespace ?? namespace;
	if (home !== namespace) {
		return `${home}/${service?.metadata?.name ?? ""}`;
	}
	const isName = address !== "" && parseAddressRange(address) === undefined;
	const named =
		isName && isClusterHost(address, inventory)
			? serviceOfHost(canonicalHost(address), namespace)
			: undefined;
	return named === undefined || named.namespace === namespace
		? undefined
		: `${named.namespace}/${named.name}`;
}

/** A machine that is a Service of another namespace: what selects it arrives there with the waypoint's identity. */
function* lentIdentity(machine: WorkloadEntry, context: RuleContext): Iterable<Problem> {
	const { namespace, policy, inventory } = context;
	const address = machine.spec?.address ?? "";
	const service = policy.ambient === "enforced" ? foreignService(address, context) : undefined;
	if (service === undefined) {
		return;
	}
	const selecting = [...inventory.inNamespace("ServiceEntry", namespace)].find((entry) => {
		const { selector, hosts } = specOf(entry);
		return (
			selector !== undefined &&
			isSelected(machine, selector) &&
			(isExternal(entry) || hosts.some((host) => isOutsideHost(host, inventory)))
		);
	});
	const because =
		selecting === undefined
			? "an entry that selects this machine leads back into the cluster"
			: `traffic of ServiceEntry ${mention(selecting.metadata?.name ?? "")} goes back into the cluster, with the identity of a waypoint`;
	yield {
		path: ["spec", "address"],
		...(selecting === undefined ? { severity: "warning" as const } : {}),
		message: `${quote(address)} is the Service ${mention(service)}, so ${because}`,
		hint: "Let pods call the Service by its own name",
	};
}

/** A machine of another network is reached by way of its gateway, whose address a Gateway or a Service says. */
function* otherNetwork({ spec }: WorkloadEntry, { policy, inventory }: RuleContext): Iterable<Problem> {
	const network = spec?.network;
	if (policy.ambient === "enforced" && network && network !== localNetwork(inventory)) {
		yield {
			path: ["spec", "network"],
			severity: "warning",
			message: `Traffic for this machine goes to the gateway of network ${quote(network)}, wherever its Gateway or Service says that it is, and nobody holds that to the policy`,
			hint: "Leave network out for a machine that is reached directly",
		};
	}
}

/** The waypoint that a Service leads past when it selects a machine outside; undefined where that matters to nobody. */
function passableWaypoint(machine: WorkloadEntry, { policy, inventory }: RuleContext): string | undefined {
	const { waypoint } = policy;
	return policy.ambient === "enforced" &&
		waypoint !== undefined &&
		waypoint !== "none" &&
		policy.waypointSource !== "namespace label" &&
		isOutsideMachine(machine.spec?.address ?? "", inventory)
		? formatWaypoint(waypoint)
		: undefined;
}

const endpointHint = "Delete it, and list the address among the endpoints of the ServiceEntry";

/** A Service that selects a machine outside leads there by a name of the cluster. */
function* servedOutside(machine: WorkloadEntry, context: RuleContext): Iterable<Problem> {
	if (passableWaypoint(machine, context) === undefined) {
		return;
	}
	const path = ["spec", "address"];
	for (const service of context.inventory.inNamespace("Service", context.namespace)) {
		const selector = service.spec?.selector ?? {};
		if (Object.keys(selector).length > 0 && isSelected(machine, selector)) {
			const [passed] = passedWaypoint(service, context);
			yield {
				path,
				...(passed === undefined ? { severity: "warning" as const } : {}),
				message: `Service ${mention(service.metadata?.name ?? "")} selects this machine, so its traffic would leave the cluster for ${quote(machine.spec?.address ?? "")}: ${passed?.message ?? "nobody holds the ports of a Service to the policy"}`,
				hint: endpointHint,
			};
			return;
		}
	}
}

/** A Service that selects and is written later is judged by nobody, so what it could do is said of the machine. */
function* possibleServices(machine: WorkloadEntry, context: RuleContext): Iterable<Problem> {
	const waypoint = passableWaypoint(machine, context);
	if (waypoint !== undefined) {
		yield {
			path: ["spec", "address"],
			severity: "warning",
			message: `A Service that selects this machine would lead to ${quote(machine.spec?.address ?? "")} past ${waypoint}, and Services are not judged for that`,
			hint: endpointHint,
		};
	}
}

/** A WorkloadEntry leads where an endpoint of a ServiceEntry could. */
export const workloadentryAddress: Rule<"WorkloadEntry"> = {
	id: "workloadentry-address",
	kind: "WorkloadEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace", "Service", "ServiceEntry"],
	confirms: ["Namespace", "Service"],
	fixable: false,
	docs: {
		summary: "The address of a WorkloadEntry must be one that an endpoint of a ServiceEntry could have",
		why: "A ServiceEntry with a workloadSelector sends its traffic to every WorkloadEntry with these labels. What an endpoint may not be, the machine behind a selector may not be either, nor its ports: an address that the cluster denies, a name that the namespace may not reach, a Unix socket where ambient is enforced. An address on the internet that no list of hosts allows is a warning, as it is for endpoints. A Service that selects a machine outside leads there past the waypoint, and Services are not sent to Waymark, so the machine is refused where one stands and warned of where one could. A machine that is a Service of another namespace is reached with the identity of the waypoint.",
		fix: "Use the address of a machine of your own network, list a host outside among the endpoints of its ServiceEntry, or ask the security team to allow the host.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: workloadEntryWorkloadBuilder",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: workload("10.20.0.7"),
		bad: workload("files.example.org"),
		given: [withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-hosts": "*.example.com" })],
	},
	*check(entry, context) {
		let isSaid = false;
		for (const problem of addressProblems(entry, context)) {
			isSaid = true;
			yield problem;
		}
		if (!isSaid) {
			yield* possibleServices(entry, context);
		}
	},
};

/** What is wrong with the machine as it stands among what selects it. */
function* addressProblems(entry: WorkloadEntry, context: RuleContext): Iterable<Problem> {
	const { policy, inventory } = context;
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
	if (isDeclaredInside(address, inventory)) {
		return;
	}
	for (const [name, number] of Object.entries(entry.spec?.ports ?? {})) {
		yield* forbiddenPort(number, ["spec", "ports", name], policy);
	}
	const target = outsideName(address, inventory);
	if (target !== undefined) {
		yield* forbiddenHost("Address", target, path, policy);
	}
	yield* openedEntries(entry, context);
	yield* lentIdentity(entry, context);
	yield* otherNetwork(entry, context);
	yield* servedOutside(entry, context);
	const strict = limitOnAddress(address, policy);
	if (strict !== undefined) {
		yield {
			path,
			severity: "warning",
			message: `Traffic for what selects it goes to ${quote(address)}, which is not among the hosts that ${allows(strict.by)}`,
			hint: "Ask the security team to allow the address: it may stand in allowed-hosts",
		};
	}
}
