import type { Problem } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import { covers, parseHostPattern } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { GatewayRoute, Kind, KubernetesGateway, ObjectReference } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import { controllerOf, isWaypoint } from "../waypoint/waypoint.ts";
import { egressPair, saysEgressGateway, saysOtherGateway } from "./names.ts";
import type { EgressEvidence } from "./services.ts";
import {
	egressServiceReads,
	egressSeverity,
	insteadHint,
	isEgressService,
	isExternalEntry,
	isExternalName,
} from "./services.ts";

/** The kinds that recognising a Gateway of the Gateway API, or a route, may ask for. */
export const gatewayApiReads: readonly Kind[] = [...egressServiceReads, "Namespace", "ServiceEntry"];

const gatewayGroup = "gateway.networking.k8s.io";
const istioGroup = "networking.istio.io";
const serviceTypeAnnotation = "networking.istio.io/service-type";
// pilot/pkg/config/kube/gateway/conversion.go: only clients of the mesh can speak to such a listener.
const terminateModeOption = "gateway.istio.io/tls-terminate-mode";

/** Where a Gateway of the Gateway API is an egress gateway: no waypoint, no east-west, no ingress gateway is one. */
export function* gatewayEvidence(
	gateway: KubernetesGateway,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	if (!isPlainGateway(gateway, inventory)) {
		return;
	}
	for (const [index, { value }] of (gateway.spec?.addresses ?? []).entries()) {
		if (value && isEgressService(value, namespace, inventory)) {
			yield {
				path: ["spec", "addresses", index, "value"],
				message: `Takes over ${quote(value)}, a sidecar-style egress gateway, which has no place where ambient is enforced`,
			};
		}
	}
	const label = egressPair(gateway.metadata?.labels, inventory.settings);
	if (label !== undefined) {
		yield {
			path: label === "" ? ["metadata", "labels"] : ["metadata", "labels", label],
			message:
				"Labels the pods of this Gateway as a sidecar-style egress gateway, which has no place where ambient is enforced",
		};
	}
	const inward = gateway.metadata?.annotations?.[serviceTypeAnnotation] === "ClusterIP";
	const named = isNamedEgress(gateway, inventory);
	for (const [index, { hostname, tls }] of (gateway.spec?.listeners ?? []).entries()) {
		const path = ["spec", "listeners", index, "hostname"];
		const meshOnly = inward || tls?.options?.[terminateModeOption] === "ISTIO_MUTUAL";
		if (hostname && meshOnly && isExternalEntry(hostname, inventory)) {
			yield {
				path,
				message: `Makes this Gateway a sidecar-style egress gateway for ${quote(hostname)}, which a ServiceEntry puts outside the mesh`,
			};
		} else if (hostname && named && isExternalName(hostname, inventory)) {
			yield {
				path,
				message: `Makes this Gateway, which is no waypoint and says egress gateway, one for ${quote(hostname)}; that has no place where ambient is enforced`,
			};
		}
	}
}

/** Whether Istio would run a Gateway as an ordinary one, with a Service whose name says egress gateway. */
function isNamedEgress(gateway: KubernetesGateway, inventory: Inventory): boolean {
	return (
		controllerOf(gateway, inventory) === "istio.io/gateway-controller" &&
		saysEgressGateway(gateway.metadata?.name ?? "")
	);
}

/** Whether Istio would run this Gateway as an ordinary gateway: neither a waypoint nor an east-west gateway. */
function isPlainGateway(gateway: KubernetesGateway, inventory: Inventory): boolean {
	if (isWaypoint(gateway, inventory) === true) {
		return false;
	}
	const controller = controllerOf(gateway, inventory);
	return (
		(controller === undefined ||
			controller === "istio.io/gateway-controller" ||
			controller === "istio.io/unmanaged-gateway") &&
		!(gateway.spec?.listeners ?? []).some((listener) => listener.protocol === "HBONE")
	);
}

/** Where a route of the Gateway API leads traffic to an egress gateway, or from one to the outside. */
export function* routeEvidence(
	route: GatewayRoute,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	const parents = route.spec?.parentRefs ?? [];
	const gateways = parents.filter((parent) => isGateway(parent) || isListenerSet(parent));
	const fromMesh = parents.some((parent) => parent.group === istioGroup && parent.kind === "ServiceEntry");
	for (const { path, backend } of backendsOf(route)) {
		const name = backend.name ?? "";
		if (isServiceReference(backend)) {
			const place = backend.namespace ?? namespace;
			if (
				isEgressService(`${name}.${place}.svc`, namespace, inventory) ||
				(fromMesh && isGatewayService(place, name, inventory))
			) {
				yield {
					path: [...path, "name"],
					message: `Routes to ${quote(name)}, a sidecar-style egress gateway, which has no place where ambient is enforced`,
				};
			}
		} else if (isHostReference(backend) && isExternalName(name, inventory)) {
			const gateway = gateways.find((parent) => forwards(route, name, parent, namespace, inventory));
			if (gateway !== undefined) {
				yield {
					path: [...path, "name"],
					message: `Sends ${quote(name)} out through the Gateway ${quote(gateway.name ?? "")}, a sidecar-style egress gateway, which has no place where ambient is enforced`,
				};
			}
		}
	}
}

/** Whether a parent is a Gateway of the Gateway API. */
export function isGateway(parent: ObjectReference): boolean {
	return (parent.group ?? gatewayGroup) === gatewayGroup && (parent.kind ?? "Gateway") === "Gateway";
}

/** Listeners that somebody adds to a Gateway: which one, the route does not say. */
export function isListenerSet(parent: ObjectReference): boolean {
	return parent.kind === "ListenerSet" || parent.kind === "XListenerSet";
}

/** What the rule of every kind of route says about it. */
export function* routeProblems(route: GatewayRoute, context: RuleContext): Generator<Problem> {
	for (const evidence of routeEvidence(route, context.namespace, context.inventory)) {
		yield {
			...evidence,
			hint: insteadHint(context, "Delete this route"),
			...egressSeverity(context.policy),
		};
	}
}

/** Every backend of a route, and every backend that gets a copy. */
export function* backendsOf(
	route: GatewayRoute,
): Generator<{ readonly path: readonly (string | number)[]; readonly backend: ObjectReference }> {
	for (const [index, { backendRefs, filters }] of (route.spec?.rules ?? []).entries()) {
		const base = ["spec", "rules", index];
		for (const [at, backend] of (backendRefs ?? []).entries()) {
			yield { path: [...base, "backendRefs", at], backend };
		}
		for (const [at, { requestMirror }] of (filters ?? []).entries()) {
			if (requestMirror?.backendRef) {
				const path = [...base, "filters", at, "requestMirror", "backendRef"];
				yield { path, backend: requestMirror.backendRef };
			}
		}
	}
}

/**
 * Whether a backend is a Service of the cluster, the one that stands behind a ServiceImport of that name among them
 * (Istio pilot/pkg/config/kube/gateway/conversion.go: buildDestination).
 */
export function isServiceReference(backend: ObjectReference): boolean {
	const { group, kind } = backend;
	return (
		((group ?? "") === "" && (kind ?? "Service") === "Service") ||
		(group === "multicluster.x-k8s.io" && kind === "ServiceImport")
	);
}

/** Whether a backend is a host by its name, whatever namespace has it. */
export function isHostReference(backend: ObjectReference): boolean {
	return backend.group === istioGroup && backend.kind === "Hostname";
}

/** Whether a backend is an XBackend, which names a host outside (Gateway API apisx/v1alpha1, read by Istio from 1.32). */
export function isExternalBackend(backend: ObjectReference): boolean {
	return backend.group === "gateway.networking.x-k8s.io" && backend.kind === "XBackend";
}

// Istio calls the Service of an automated deployment GATEWAY-CLASS (conversion.go: getDefaultName).
const deploymentSuffix = "-istio";
const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name";

function isGatewayService(namespace: string, name: string, inventory: Inventory): boolean {
	if (saysOtherGateway(name)) {
		return false;
	}
	const service = inventory.get("Service", namespace, name);
	const labelled = service?.metadata?.labels?.[gatewayNameLabel];
	if (service !== undefined && labelled === undefined) {
		return false;
	}
	const ofSuffix = name.endsWith(deploymentSuffix) ? name.slice(0, -deploymentSuffix.length) : undefined;
	const gatewayName = labelled ?? ofSuffix;
	if (gatewayName === undefined || gatewayName === "") {
		return false;
	}
	const gateway = inventory.get("KubernetesGateway", namespace, gatewayName);
	return gateway === undefined ? ofSuffix !== undefined : isPlainGateway(gateway, inventory);
}

// An ingress gateway that fronts somebody's service has a host name of its own; a route that sends a host to the
// same host only makes sense on the way out.
function forwards(
	route: GatewayRoute,
	host: string,
	parent: ObjectReference,
	namespace: string,
	inventory: Inventory,
): boolean {
	const gateway = isGateway(parent)
		? inventory.get("KubernetesGateway", parent.namespace ?? namespace, parent.name ?? "")
		: undefined;
	if (gateway !== undefined && !isPlainGateway(gateway, inventory)) {
		return false;
	}
	if ((route.spec?.hostnames ?? []).some((name) => isCovered(host, name))) {
		return true;
	}
	if (gateway === undefined) {
		return saysEgressGateway(parent.name ?? "");
	}
	const listeners = gateway.spec?.listeners ?? [];
	return (
		isNamedEgress(gateway, inventory) ||
		listeners.some(({ hostname }) => hostname && isCovered(host, hostname)) ||
		!gatewayEvidence(gateway, parent.namespace ?? namespace, inventory).next().done
	);
}

function isCovered(host: string, by: string): boolean {
	const pattern = parseHostPattern(by);
	return pattern !== undefined && covers(pattern, host);
}
