import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type {
	AsmEgressTrafficPolicy,
	ClientTls,
	DestinationRule,
	IstioGateway,
	ServiceEntry,
	Sidecar,
	TrafficPolicy,
} from "../../core/kinds.ts";
import { serviceOfHost } from "../../core/service-names.ts";
import { areOtherGatewayLabels, egressPair, saysOtherGateway } from "./names.ts";
import type { EgressEvidence } from "./services.ts";
import { isEgressService, isExternalEntry, isExternalName, selectsEgressPods } from "./services.ts";
import { isSteeredTo, isUsedForEgress } from "./virtual-services.ts";

const noPlace = "which has no place where ambient is enforced";

/** Where a Gateway selects the pods of an egress gateway, or is one by the use that VirtualServices make of it. */
export function* selectorEvidence(
	gateway: IstioGateway,
	namespace: string,
	name: string | undefined,
	inventory: Inventory,
): Generator<EgressEvidence> {
	const selector = gateway.spec?.selector ?? {};
	const pair = egressPair(selector, inventory.settings);
	if (pair !== undefined || selectsEgressPods(selector, inventory)) {
		yield {
			path: pair === undefined || pair === "" ? ["spec", "selector"] : ["spec", "selector", pair],
			message: `Selects the pods of a sidecar-style egress gateway, ${noPlace}`,
		};
	} else if (
		name !== undefined &&
		!areOtherGatewayLabels(selector) &&
		isUsedForEgress(`${namespace}/${name}`, inventory)
	) {
		yield {
			path: ["spec", "selector"],
			message: `Belongs to a sidecar-style egress gateway, since a VirtualService sends external hosts out through it, ${noPlace}`,
		};
	} else if (!areOtherGatewayLabels(selector)) {
		yield* meshOnlyServers(gateway, inventory);
	}
}

/** Servers that only clients of the mesh can speak to, for a host that a ServiceEntry puts outside it. */
function* meshOnlyServers(gateway: IstioGateway, inventory: Inventory): Generator<EgressEvidence> {
	for (const [index, { hosts, tls }] of (gateway.spec?.servers ?? []).entries()) {
		const host = (hosts ?? []).find((each) => isExternalEntry(each.slice(each.indexOf("/") + 1), inventory));
		if (tls?.mode === "ISTIO_MUTUAL" && host !== undefined) {
			yield {
				path: ["spec", "servers", index, "tls", "mode"],
				message: `Takes the traffic of sidecars to ${quote(host)}, which a ServiceEntry puts outside the mesh, so it is a sidecar-style egress gateway, ${noPlace}`,
			};
		}
	}
}

/** Whether a DestinationRule is for the Service of an egress gateway. */
export function* hostEvidence(
	rule: DestinationRule,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	const host = rule.spec?.host ?? "";
	if (isEgressService(host, namespace, inventory) || isSteeredTo(host, namespace, inventory)) {
		yield {
			path: ["spec", "host"],
			message: `Is for ${quote(host)}, a sidecar-style egress gateway, ${noPlace}`,
		};
		return;
	}
	const service = serviceOfHost(host, namespace);
	if (service === undefined || isExternalName(host, inventory) || saysOtherGateway(service.name)) {
		return;
	}
	for (const { path, tls } of clientTls(rule)) {
		// The name of the mesh's own TLS is what a gateway picks the next hop by: no workload has an external one.
		if (tls.mode === "ISTIO_MUTUAL" && tls.sni && isExternalName(tls.sni, inventory)) {
			yield {
				path: [...path, "sni"],
				message: `Leads connections for ${quote(tls.sni)} to ${quote(host)} by the mesh's own TLS, so that is a sidecar-style egress gateway, ${noPlace}`,
			};
		}
	}
}

function* clientTls(rule: DestinationRule): Generator<{ readonly path: Path; readonly tls: ClientTls }> {
	const { trafficPolicy, subsets } = rule.spec ?? {};
	const policies: readonly (readonly [Path, TrafficPolicy | null | undefined])[] = [
		[["spec", "trafficPolicy"], trafficPolicy],
		...(subsets ?? []).map(
			(subset, index) => [["spec", "subsets", index, "trafficPolicy"], subset.trafficPolicy] as const,
		),
	];
	for (const [path, policy] of policies) {
		const levels = [
			{ at: path, tls: policy?.tls },
			...(policy?.portLevelSettings ?? []).map(({ tls }, index) => ({
				at: [...path, "portLevelSettings", index],
				tls,
			})),
		];
		for (const { at, tls } of levels) {
			if (tls) {
				yield { path: [...at, "tls"], tls };
			}
		}
	}
}

/** Whether a DestinationRule holds only for the pods of an egress gateway. */
export function* workloadEvidence(rule: DestinationRule, inventory: Inventory): Generator<EgressEvidence> {
	if (selectsEgressPods(rule.spec?.workloadSelector?.matchLabels ?? {}, inventory)) {
		yield {
			path: ["spec", "workloadSelector"],
			message: `Holds only for the pods of a sidecar-style egress gateway, ${noPlace}`,
		};
	}
}

/** Whether a Sidecar sends what it does not know to an egress gateway. */
export function* proxyEvidence(
	sidecar: Sidecar,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	const host = sidecar.spec?.outboundTrafficPolicy?.egressProxy?.host ?? "";
	if (isEgressService(host, namespace, inventory)) {
		yield {
			path: ["spec", "outboundTrafficPolicy", "egressProxy", "host"],
			message: `Sends unknown traffic to ${quote(host)}, a sidecar-style egress gateway, ${noPlace}`,
		};
	}
}

/** Where a ServiceEntry leads through an egress gateway instead of to its host. */
export function* endpointEvidence(
	entry: ServiceEntry,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	for (const [index, { address }] of (entry.spec?.endpoints ?? []).entries()) {
		if (address && isEgressService(address, namespace, inventory)) {
			yield {
				path: ["spec", "endpoints", index, "address"],
				message: `Leads to ${quote(address)}, a sidecar-style egress gateway, ${noPlace}`,
			};
		}
	}
	if (selectsEgressPods(entry.spec?.workloadSelector?.labels ?? {}, inventory)) {
		yield {
			path: ["spec", "workloadSelector", "labels"],
			message: `Selects the pods of a sidecar-style egress gateway, ${noPlace}`,
		};
	}
}

/** Where an ASMEgressTrafficPolicy names the egress gateway that it makes the way out. */
export function* asmEvidence(policy: AsmEgressTrafficPolicy): Generator<EgressEvidence> {
	const { byEgressGateway, egressRules } = policy.spec ?? {};
	const own = byEgressGateway?.name;
	if (own) {
		yield {
			path: ["spec", "byEgressGateway", "name"],
			message: `Makes ${quote(own)} the way out, a sidecar-style egress gateway, ${noPlace}`,
		};
		return;
	}
	for (const [index, { to }] of (egressRules ?? []).entries()) {
		for (const [at, each] of (to ?? []).entries()) {
			if (each.byEgressGateway?.name) {
				yield {
					path: ["spec", "egressRules", index, "to", at, "byEgressGateway", "name"],
					message: `Makes ${quote(each.byEgressGateway.name)} the way out, a sidecar-style egress gateway, ${noPlace}`,
				};
			}
		}
	}
}
