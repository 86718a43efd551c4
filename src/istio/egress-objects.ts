import { quote } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type {
	AsmEgressTrafficPolicy,
	DestinationRule,
	IstioGateway,
	ServiceEntry,
	Sidecar,
} from "../core/kinds.ts";
import type { EgressEvidence } from "./egress.ts";
import { isEgressService, selectsEgressPods } from "./egress.ts";
import { areOtherGatewayLabels, egressPair } from "./egress-names.ts";
import { isSteeredTo, isUsedForEgress } from "./egress-routes.ts";

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
