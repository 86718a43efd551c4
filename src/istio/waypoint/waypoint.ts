import { isAddressText } from "../../core/address-range.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { GatewayClass, GatewayListener, KubernetesGateway } from "../../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { labelOf, selectorFault, selectorMatches } from "./label-selector.ts";

type Labels = Readonly<Record<string, string>> | null | undefined;

/** What the labels of an object and its namespace ask for (istiod ambient/waypoints.go: GetUseWaypoint). */
export type WaypointRequest =
	| { readonly asked: false; readonly optedOut?: "object" | "namespace" | "gateway" }
	| { readonly asked: true; readonly by: "object" | "namespace"; readonly waypoint: WaypointReference };

/** The label by which Istio marks what it deploys for a Gateway. */
export const managedLabel = "gateway.istio.io/managed";

/** Those of its values that switch waypoints off for an object (ambient/waypoints.go: fetchWaypointForService). */
const managedWithoutWaypoint: ReadonlySet<string> = new Set([
	"istio.io-mesh-controller",
	"istio.io-eastwest-controller",
]);

/** Whether an object carries the mark of a waypoint or an east-west gateway, so that it never gets a waypoint. */
export function isManaged(labels: Labels): boolean {
	return managedWithoutWaypoint.has(labelOf(labels, managedLabel) ?? "");
}

/**
 * The waypoint that labels ask for. An object's own label wins even where it names nothing that exists: istiod does
 * not fall back to the namespace's (ambient/waypoints.go: fetchWaypointForTarget). An object that looks like a part of
 * a waypoint gets none, whatever it asks for (fetchWaypointForService).
 */
export function requestedWaypoint(
	labels: Labels,
	namespace: string,
	namespaceLabels: Labels,
): WaypointRequest {
	if (isManaged(labels)) {
		return { asked: false, optedOut: "gateway" };
	}
	const own = readPair(labels, namespace);
	if (own === "none") {
		return { asked: false, optedOut: "object" };
	}
	if (own !== undefined) {
		return { asked: true, by: "object", waypoint: own };
	}
	const inherited = readPair(namespaceLabels, namespace);
	if (inherited === "none") {
		return { asked: false, optedOut: "namespace" };
	}
	return inherited === undefined ? { asked: false } : { asked: true, by: "namespace", waypoint: inherited };
}

function readPair(labels: Labels, namespace: string): WaypointReference | "none" | undefined {
	const name = labelOf(labels, useWaypointLabel);
	if (name === undefined || name === "none") {
		return name;
	}
	return { name, namespace: labelOf(labels, useWaypointNamespaceLabel) ?? namespace };
}

/** Istio's own controllers of waypoint classes (pilot/pkg/config/kube/gatewaycommon/classinfo.go). */
const waypointControllers: ReadonlySet<string> = new Set([
	"istio.io/mesh-controller",
	"istio.io/agentgateway-waypoint-controller",
]);

/** The classes that istiod knows without an object (pilot/pkg/config/kube/gatewaycommon/classinfo.go). */
const builtInClasses: ReadonlyMap<string, string> = new Map([
	["istio", "istio.io/gateway-controller"],
	["istio-remote", "istio.io/unmanaged-gateway"],
	["istio-waypoint", "istio.io/mesh-controller"],
	["istio-east-west", "istio.io/eastwest-controller"],
	["istio-agentgateway", "istio.io/agentgateway-controller"],
	["istio-agentgateway-waypoint", "istio.io/agentgateway-waypoint-controller"],
]);

/** The controller of a Gateway's class; undefined when the class is neither built in nor in the cluster. */
export function controllerOf(gateway: KubernetesGateway, inventory: Inventory): string | undefined {
	return controllerByClass(gateway, classOf(gateway, inventory));
}

function controllerByClass(
	gateway: KubernetesGateway,
	gatewayClass: GatewayClass | undefined,
): string | undefined {
	return gatewayClass?.spec?.controllerName ?? builtInClasses.get(gateway.spec?.gatewayClassName ?? "");
}

function classOf(gateway: KubernetesGateway, inventory: Inventory): GatewayClass | undefined {
	return inventory.get("GatewayClass", "", gateway.spec?.gatewayClassName ?? "");
}

/**
 * Whether a Gateway's class makes it a waypoint; undefined when nobody knows the class, or knows of its controller only
 * that it is none of Istio's.
 */
export function isWaypoint(gateway: KubernetesGateway, inventory: Inventory): boolean | undefined {
	return isWaypointClass(gateway, classOf(gateway, inventory), inventory);
}

function isWaypointClass(
	gateway: KubernetesGateway,
	gatewayClass: GatewayClass | undefined,
	inventory: Inventory,
): boolean | undefined {
	const { controllers, classes } = inventory.settings.waypoints;
	const name = gateway.spec?.gatewayClassName ?? "";
	if (classes.has(name)) {
		return true;
	}
	const controller = controllerByClass(gateway, gatewayClass);
	if (controller === undefined) {
		return undefined;
	}
	if (waypointControllers.has(controller) || controllers.has(controller)) {
		return true;
	}
	return controller.startsWith("istio.io/") || builtInClasses.has(name) ? false : undefined;
}

const trafficLabel = "istio.io/waypoint-for";
const bindingAnnotation = "ambient.istio.io/waypoint-inbound-binding";

/** The traffic that a waypoint serves: `service` unless its label, else its class's, says otherwise, verbatim. */
export function trafficTypeOf(gateway: KubernetesGateway, inventory: Inventory): string {
	return trafficByClass(gateway, classOf(gateway, inventory));
}

function trafficByClass(gateway: KubernetesGateway, gatewayClass: GatewayClass | undefined): string {
	return (
		labelOf(gateway.metadata?.labels, trafficLabel) ??
		labelOf(gatewayClass?.metadata?.labels, trafficLabel) ??
		"service"
	);
}

/** Which listener's allowedRoutes decide who may attach, and its index (ambient/waypoints.go: makeAllowedRoutes). */
export function attachmentListener(
	gateway: KubernetesGateway,
	inventory: Inventory,
): { readonly index: number; readonly listener: GatewayListener } | undefined {
	return listenerByClass(gateway, classOf(gateway, inventory));
}

function listenerByClass(
	gateway: KubernetesGateway,
	gatewayClass: GatewayClass | undefined,
): { readonly index: number; readonly listener: GatewayListener } | undefined {
	const listeners = gateway.spec?.listeners ?? [];
	const index = boundListener(gateway, gatewayClass, listeners);
	const chosen = index >= 0 ? index : listeners.findIndex(isHbone);
	const listener = listeners[chosen];
	return listener === undefined ? undefined : { index: chosen, listener };
}

function isHbone({ protocol, port }: GatewayListener): boolean {
	return protocol === "HBONE" && port === 15008;
}

function boundListener(
	gateway: KubernetesGateway,
	gatewayClass: GatewayClass | undefined,
	listeners: readonly GatewayListener[],
): number {
	const annotation =
		labelOf(gateway.metadata?.annotations, bindingAnnotation) ??
		labelOf(gatewayClass?.metadata?.annotations, bindingAnnotation);
	if (annotation === undefined) {
		return -1;
	}
	const match = /^(NONE|PROXY)(?:\/(.*))?$/s.exec(annotation);
	if (match === null || match[2]?.includes("/")) {
		return -1;
	}
	const port = /^\d{1,10}$/.test(match[2] ?? "") ? Number(match[2]) : 0;
	if (port !== 0) {
		return listeners.findIndex((each) => each.port === port);
	}
	return match[1] === "PROXY" ? listeners.findIndex((each) => each.protocol === "istio.io/PROXY") : -1;
}

/** Everything about a waypoint that decides whether istiod binds an object of a namespace to it. */
export interface WaypointState {
	/** Undefined when the Gateway does not exist. */
	readonly gateway: KubernetesGateway | undefined;
	/** Whether its class is a waypoint's; undefined when the class is not known. */
	readonly waypointClass: boolean | undefined;
	/** Whether istiod counts it as ready: its status holds an address. */
	readonly ready: boolean;
	/** Why it can never become ready; undefined when it can. */
	readonly neverReady: string | undefined;
	/** Whether that address is one that ztunnel can be told: without, the binding is True and there is no waypoint. */
	readonly reachable: boolean;
	/** Whether its allowedRoutes admit the namespace. */
	readonly admits: boolean;
	/** What is wrong with its namespace selector: the first ServiceEntry that binds to it makes istiod panic. */
	readonly selectorFault: string | undefined;
	readonly trafficType: string;
	readonly servesServices: boolean;
	/** Whether the mesh forbids the namespace to bind across namespaces (Istio 1.31). */
	readonly forbidden: boolean;
}

/** Looks at a waypoint as istiod would for an object of a namespace. */
export function inspectWaypoint(
	reference: WaypointReference,
	namespace: string,
	inventory: Inventory,
): WaypointState {
	const gateway = inventory.get("KubernetesGateway", reference.namespace, reference.name);
	if (gateway === undefined) {
		return {
			gateway,
			waypointClass: undefined,
			ready: false,
			neverReady: undefined,
			reachable: false,
			admits: false,
			selectorFault: undefined,
			trafficType: "service",
			servesServices: false,
			forbidden: false,
		};
	}
	const gatewayClass = classOf(gateway, inventory);
	const trafficType = trafficByClass(gateway, gatewayClass);
	const neverReady = neverReadyReason(gateway, inventory);
	const { admits, selectorFault: fault } = attachment(gateway, gatewayClass, reference, namespace, inventory);
	return {
		gateway,
		waypointClass: isWaypointClass(gateway, gatewayClass, inventory),
		ready: isReady(gateway, inventory, neverReady),
		neverReady,
		reachable: isReachable(gateway, inventory),
		admits,
		selectorFault: fault,
		trafficType,
		servesServices: trafficType === "service" || trafficType === "all",
		forbidden: reference.namespace !== namespace && isNamespaceVisible(namespace, inventory),
	};
}

function isReady(gateway: KubernetesGateway, inventory: Inventory, neverReady: string | undefined): boolean {
	if (inventory.offline && (gateway.status === undefined || gateway.status === null)) {
		return neverReady === undefined;
	}
	return (gateway.status?.addresses?.length ?? 0) > 0;
}

// ambient/waypoints.go: getGatewayAddress
function isReachable(gateway: KubernetesGateway, inventory: Inventory): boolean {
	if (inventory.offline && (gateway.status === undefined || gateway.status === null)) {
		return true;
	}
	return (gateway.status?.addresses ?? []).some(
		({ type, value }) =>
			type === "Hostname" ||
			// The CRD's default; a manifest may leave it out.
			((type ?? "IPAddress") === "IPAddress" && isAddressText(value ?? "")),
	);
}

/** Seen on a running istiod: Gateways that never get an address, whatever their pods do. */
function neverReadyReason(gateway: KubernetesGateway, inventory: Inventory): string | undefined {
	const revision = labelOf(gateway.metadata?.labels, "istio.io/rev");
	// Manifests do not say which revisions there are; an empty one is none anywhere.
	const isUnsure = inventory.offline && revision !== "";
	if (revision !== undefined && !isUnsure && !inventory.mesh.revisions.has(revision)) {
		return "its label istio.io/rev names a revision that no istiod of this mesh has";
	}
	const { listeners, addresses } = gateway.spec ?? {};
	if (listeners && listeners.findIndex(isHbone) !== listeners.findLastIndex(isHbone)) {
		return "it has more than one HBONE listener on port 15008";
	}
	if (addresses?.some((address) => address.type === "Hostname") === true) {
		return "its spec.addresses holds a Hostname";
	}
	return undefined;
}

function attachment(
	gateway: KubernetesGateway,
	gatewayClass: GatewayClass | undefined,
	reference: WaypointReference,
	namespace: string,
	inventory: Inventory,
): Pick<WaypointState, "admits" | "selectorFault"> {
	const namespaces = listenerByClass(gateway, gatewayClass)?.listener.allowedRoutes?.namespaces;
	switch (namespaces?.from) {
		case "All":
			return { admits: true, selectorFault: undefined };
		case "Selector": {
			const fault = selectorFault(namespaces.selector);
			const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels ?? {};
			return {
				admits: fault === undefined && selectorMatches(namespaces.selector, withName(labels, namespace)),
				selectorFault: fault,
			};
		}
		default:
			return { admits: reference.namespace === namespace, selectorFault: undefined };
	}
}

// The API server sets this label on every Namespace; a manifest may leave it out.
function withName(
	labels: Readonly<Record<string, string>>,
	namespace: string,
): Readonly<Record<string, string>> {
	return { "kubernetes.io/metadata.name": namespace, ...labels };
}

/** Whether the mesh shows the ServiceEntries of a namespace to that namespace only (model/serviceentry_visibility.go). */
function isNamespaceVisible(namespace: string, inventory: Inventory): boolean {
	return visibilityOf(namespace, inventory) === "NAMESPACE";
}

/** How widely the mesh shows the ServiceEntries of a namespace (meshConfig.serviceEntryVisibility, Istio 1.31). */
export function visibilityOf(namespace: string, inventory: Inventory): "PUBLIC" | "NAMESPACE" | "NONE" {
	const configured = inventory.mesh.serviceEntryVisibility;
	if (configured === undefined || inventory.mesh.istioMinor < 31) {
		return "PUBLIC";
	}
	const labels = withName(inventory.get("Namespace", "", namespace)?.metadata?.labels ?? {}, namespace);
	const policy = configured.policies.find(({ rules }) =>
		rules.every((rule) => selectorMatches(rule.namespaceSelector, labels)),
	);
	return policy?.visibility ?? configured.defaultVisibility;
}

/** The reasons that istiod writes into the condition `istio.io/WaypointBound` (pilot/pkg/model/service.go). */
export type BindingReason =
	| "WaypointAccepted"
	| "WaypointIsNotReady"
	| "AttachmentDenied"
	| "UnsupportedTrafficType"
	| "CrossNamespaceWaypointForbidden";

/** The condition `istio.io/WaypointBound` that istiod would write; `None`: no condition. */
export type Binding =
	| { readonly status: "None"; readonly request: WaypointRequest & { readonly asked: false } }
	| {
			readonly status: "True" | "False";
			readonly reason: BindingReason;
			readonly request: WaypointRequest & { readonly asked: true };
			readonly state: WaypointState;
	  };

/** Which waypoint istiod binds an object of a namespace to, by the object's labels. */
export function bindingOf(labels: Labels, namespace: string, inventory: Inventory): Binding {
	const request = requestedWaypoint(
		labels,
		namespace,
		inventory.get("Namespace", "", namespace)?.metadata?.labels,
	);
	if (!request.asked) {
		return { status: "None", request };
	}
	const state = inspectWaypoint(request.waypoint, namespace, inventory);
	const reason = bindingReason(state);
	return { status: reason === "WaypointAccepted" ? "True" : "False", reason, request, state };
}

// The order of ambient/waypoints.go: fetchWaypointForService
function bindingReason(state: WaypointState): BindingReason {
	if (!state.ready) {
		return "WaypointIsNotReady";
	}
	if (!state.admits) {
		return "AttachmentDenied";
	}
	if (!state.servesServices) {
		return "UnsupportedTrafficType";
	}
	return state.forbidden ? "CrossNamespaceWaypointForbidden" : "WaypointAccepted";
}

/**
 * The waypoint that ztunnel is given for a workload, as `NAMESPACE/NAME`; undefined: it connects directly. The labels of
 * an entry say nothing of its endpoints' (ambient/waypoints.go: fetchWaypointForWorkload).
 */
export function workloadBinding(labels: Labels, namespace: string, inventory: Inventory): string | undefined {
	const namespaceLabels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint({ ...labels, [managedLabel]: "" }, namespace, namespaceLabels);
	if (!request.asked) {
		return undefined;
	}
	const { ready, reachable, admits, trafficType } = inspectWaypoint(request.waypoint, namespace, inventory);
	return ready && reachable && admits && (trafficType === "workload" || trafficType === "all")
		? `${request.waypoint.namespace}/${request.waypoint.name}`
		: undefined;
}
