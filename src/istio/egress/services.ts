import { parseAddressRange } from "../../core/address-range.ts";
import type { Path, Severity } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Kind, Service } from "../../core/kinds.ts";
import type { Policy } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import { serviceOfHost } from "../../core/service-names.ts";
import { canonicalAddress } from "../entry/addresses.ts";
import { isWaypoint, managedLabel } from "../waypoint/waypoint.ts";
import { areEgressLabels, areMarkedEgress, builtInService, saysEgressGateway } from "./names.ts";

/** Where an object takes part in sidecar-style egress, and how, as the predicate of a sentence about that field. */
export interface EgressEvidence {
	readonly path: Path;
	readonly message: string;
}

/** The kinds that recognising a gateway's Service may ask for. */
export const egressServiceReads: readonly Kind[] = ["Service", "KubernetesGateway", "GatewayClass"];

const noClusterIp: ReadonlySet<string> = new Set(["", "None"]);
const topLevelDomain =
	/^(?:com|org|net|io|dev|app|cloud|co|ai|gov|edu|info|local|internal|example|[a-z]{2})$/;

/**
 * Whether a host or address means the Service of a sidecar-style egress gateway: by configuration, by the name that
 * every Istio chart uses, by the labels of the Service, or by a name that says so. A waypoint's Service never does.
 */
export function isEgressService(host: string, namespace: string, inventory: Inventory): boolean {
	const text = canonicalHost(host);
	if (parseAddressRange(text) !== undefined) {
		return isEgressAddress(text, inventory);
	}
	const service = serviceOfHost(text, namespace);
	if (service === undefined) {
		return false;
	}
	if (isConfigured(service.namespace, service.name, inventory)) {
		return true;
	}
	const known = inventory.get("Service", service.namespace, service.name);
	if (known !== undefined && hasEgressLabels(known, inventory)) {
		return true;
	}
	const named =
		service.name === builtInService ||
		(saysEgressGateway(service.name) &&
			!(service.partial && known === undefined && topLevelDomain.test(service.namespace)));
	return named && !isWaypointService(service.namespace, service.name, known, inventory);
}

function isEgressAddress(address: string, inventory: Inventory): boolean {
	if (noClusterIp.has(address)) {
		return false;
	}
	for (const service of inventory.lookup("serviceByAddress", canonicalAddress(address))) {
		const { name, namespace } = service.metadata ?? {};
		if (isEgressService(`${name ?? ""}.${namespace ?? ""}.svc`, "", inventory)) {
			return true;
		}
	}
	return false;
}

function isConfigured(namespace: string, name: string, inventory: Inventory): boolean {
	return inventory.settings.egressGateways.services.some(
		(text) => text === name || text === `${namespace}/${name}`,
	);
}

function hasEgressLabels(service: Service, inventory: Inventory): boolean {
	return (
		areEgressLabels(service.spec?.selector, inventory.settings) ||
		areMarkedEgress(service.metadata?.labels, inventory.settings)
	);
}

// A waypoint's Service has the name of its Gateway, and people call waypoints egress-gateway too.
function isWaypointService(
	namespace: string,
	name: string,
	service: Service | undefined,
	inventory: Inventory,
): boolean {
	const managed = service?.metadata?.labels?.[managedLabel];
	if (managed === "istio.io-mesh-controller" || managed === "istio.io-agentgateway-waypoint-controller") {
		return true;
	}
	const gateway = inventory.get("KubernetesGateway", namespace, name);
	return gateway !== undefined && isWaypoint(gateway, inventory) === true;
}

/**
 * Whether a selector picks the pods of an egress gateway: by its own labels, or because it selects what the Service
 * of one selects.
 */
export function selectsEgressPods(selector: Readonly<Record<string, string>>, inventory: Inventory): boolean {
	if (areEgressLabels(selector, inventory.settings)) {
		return true;
	}
	const keys = Object.keys(selector);
	if (keys.length === 0) {
		return false;
	}
	for (const text of [builtInService, ...inventory.settings.egressGateways.services]) {
		const slash = text.indexOf("/");
		for (const service of inventory.lookup("serviceByName", text.slice(slash + 1))) {
			const pods = service.spec?.selector ?? {};
			const inPlace = slash < 0 || service.metadata?.namespace === text.slice(0, slash);
			if (inPlace && keys.every((key) => Object.hasOwn(pods, key) && pods[key] === selector[key])) {
				return true;
			}
		}
	}
	return false;
}

/** The pairs that Istio's charts give an ingress gateway's pods (manifests/charts/gateways/istio-ingress). */
const ingressPairs: readonly (readonly [string, string])[] = [
	["istio", "ingressgateway"],
	["app", "istio-ingressgateway"],
];

/** Whether a Service is that of an ingress gateway, by the name or the selector that Istio's charts write. */
export function isIngressService(namespace: string, name: string, inventory: Inventory): boolean {
	const selector = inventory.get("Service", namespace, name)?.spec?.selector ?? {};
	return (
		name === "istio-ingressgateway" ||
		ingressPairs.some(([key, value]) => Object.hasOwn(selector, key) && selector[key] === value)
	);
}

/** Whether a host lies outside the cluster as far as its name tells. */
export function isExternalName(host: string, inventory: Inventory): boolean {
	const text = canonicalHost(host);
	if (text === "*" || !text.includes(".")) {
		return false;
	}
	const service = serviceOfHost(text, "");
	if (service !== undefined && !service.partial) {
		return false;
	}
	if (text.endsWith(`.${inventory.mesh.clusterDomain}`) || text.endsWith(".local")) {
		return false;
	}
	return service === undefined || inventory.get("Service", service.namespace, service.name) === undefined;
}

/** Whether a ServiceEntry of the inventory puts a host outside the mesh, to be found by its name. */
export function isExternalEntry(hostname: string, inventory: Inventory): boolean {
	if (!isExternalName(hostname, inventory)) {
		return false;
	}
	for (const entry of inventory.lookup("serviceEntryByHost", canonicalHost(hostname))) {
		if (entry.spec?.location !== "MESH_INTERNAL" && entry.spec?.resolution !== "STATIC") {
			return true;
		}
	}
	return false;
}

/** How much sidecar-style egress weighs in a namespace: refused where ambient is enforced, otherwise only told. */
export function egressSeverity(policy: Policy): { readonly severity?: Severity } {
	return policy.ambient === "enforced" ? {} : { severity: "info" };
}

/** What to do instead, naming the waypoint of the namespace's policy where there is one. */
export function insteadHint(context: RuleContext, what: string): string {
	const { waypoint } = context.policy;
	const place =
		waypoint === undefined || waypoint === "none"
			? "the namespace's waypoint"
			: `the waypoint ${waypoint.namespace}/${waypoint.name}`;
	return `${what}; a ServiceEntry bound to ${place} replaces it, and \`waymark migrate\` writes it`;
}
