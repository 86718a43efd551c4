import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import { alteredInventory } from "../core/inventory.ts";
import type { Kind, KubernetesGateway, Resources } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, textOf, without } from "./fields.ts";
import type { InputObject } from "./input-object.ts";

const gatewayGroup = "gateway.networking.k8s.io";
const experimentalGroup = "gateway.networking.x-k8s.io";
/** The kinds of the Gateway API that attach to a Gateway. */
export const routeTitles: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]);

/**
 * The input with the words of the Gateway API that stand for others said in full: a Gateway has the listeners of its
 * ListenerSets, a route names the Gateway in place of a ListenerSet and the host in place of an XBackend.
 */
export interface GatewayApiWorld {
	readonly inputs: readonly InputObject[];
	readonly inventory: Inventory;
	/** The object of the input as a person wrote it. */
	originalOf(input: InputObject): InputObject;
	/** The ListenerSets and XBackends that a Gateway or a route uses. */
	usedBy(input: InputObject): readonly InputObject[];
}

/** What an XBackend is: a host outside and the port to connect to. */
export interface Backend {
	readonly host: string;
	readonly port: number;
}

/** The host and port of an XBackend (Gateway API apisx/v1alpha1/xbackend_types.go); undefined for other types. */
export function backendOf(input: InputObject): Backend | undefined {
	const { type, externalHostname, port } = fieldsOf(input.object.spec);
	const host = textOf(fieldsOf(externalHostname).hostname);
	const number = numberOf(fieldsOf(port).port);
	return type !== "ExternalHostname" || host === undefined || number === undefined
		? undefined
		: { host: canonicalHost(host), port: number };
}

/** Says ListenerSets and XBackends in full; everything else stays the same object. */
export function gatewayApiWorld(inputs: readonly InputObject[], inventory: Inventory): GatewayApiWorld {
	const originals = new Map<InputObject, InputObject>();
	const used = new Map<InputObject, readonly InputObject[]>();
	const sets = inputs.filter((input) => isListenerSet(input));
	const backends = inputs.filter((input) => input.title === "XBackend" && isOf(input, experimentalGroup));
	const replace = (input: InputObject, spec: Fields, parts: readonly InputObject[]): InputObject => {
		const view = { ...input, object: { ...input.object, spec } };
		originals.set(view, input);
		used.set(view, parts);
		return view;
	};
	const views = inputs.map((input) => {
		if (input.kind === "KubernetesGateway") {
			const own = sets.filter((set) => gatewayOfSet(set) === `${input.namespace}/${input.name}`);
			return own.length === 0 ? input : replace(input, withListeners(input, own), own);
		}
		if (!routeTitles.has(input.title)) {
			return input;
		}
		const { spec, parts } = routeInFull(input, sets, backends);
		return parts.length === 0 ? input : replace(input, spec, parts);
	});
	const gateways = new Map(
		views
			.filter((view) => view.kind === "KubernetesGateway" && originals.has(view))
			.map((view) => [`${view.namespace}/${view.name}`, view.object as KubernetesGateway]),
	);
	return {
		inputs: views,
		inventory: gateways.size === 0 ? inventory : withGateways(inventory, gateways),
		originalOf: (input) => originals.get(input) ?? input,
		usedBy: (input) => used.get(input) ?? [],
	};
}

/** Whether an object adds listeners to a Gateway, under the name of either channel. */
export function isListenerSet(input: InputObject): boolean {
	return (
		(input.title === "ListenerSet" && isOf(input, gatewayGroup)) ||
		(input.title === "XListenerSet" && isOf(input, experimentalGroup))
	);
}

function isOf({ object }: InputObject, group: string): boolean {
	return textOf(object.apiVersion)?.startsWith(`${group}/`) === true;
}

/** The Gateway to which a ListenerSet adds listeners, as NAMESPACE/NAME. */
export function gatewayOfSet(set: InputObject): string {
	const { name, namespace } = fieldsOf(fieldsOf(set.object.spec).parentRef);
	return `${textOf(namespace) ?? set.namespace}/${textOf(name) ?? ""}`;
}

/** The listeners of the Gateway and of its sets, whose names are only their own within each. */
function withListeners(gateway: InputObject, sets: readonly InputObject[]): Fields {
	const spec = fieldsOf(gateway.object.spec);
	const added = sets.flatMap((set) =>
		listenersOf(set).map((listener) => ({ ...listener, name: fullName(set, listener.name) })),
	);
	return { ...spec, listeners: [...listOf(spec.listeners), ...added] };
}

function listenersOf(set: InputObject): readonly Fields[] {
	return listOf(fieldsOf(set.object.spec).listeners).map(fieldsOf);
}

// No user writes a slash into the name of a listener.
function fullName(set: InputObject, listener: unknown): string {
	return `${set.namespace}/${set.name}/${textOf(listener) ?? ""}`;
}

function routeInFull(
	route: InputObject,
	sets: readonly InputObject[],
	backends: readonly InputObject[],
): { readonly spec: Fields; readonly parts: readonly InputObject[] } {
	const spec = fieldsOf(route.object.spec);
	const parts = new Set<InputObject>();
	const named = (candidates: readonly InputObject[], reference: Fields): InputObject | undefined =>
		candidates.find(
			({ title, namespace, name }) =>
				title === reference.kind &&
				name === reference.name &&
				namespace === (reference.namespace ?? route.namespace),
		);
	const parentRefs = listOf(spec.parentRefs)
		.map(fieldsOf)
		.flatMap((parent) => {
			const set = named(sets, parent);
			if (set === undefined) {
				return [parent];
			}
			parts.add(set);
			return parentsOf(set, parent);
		});
	const rules = listOf(spec.rules).map((rule) => {
		const own = fieldsOf(rule);
		return own.backendRefs === undefined
			? rule
			: { ...own, backendRefs: listOf(own.backendRefs).map(fieldsOf).map(hostFor) };
	});
	return { spec: { ...spec, parentRefs, rules }, parts: [...parts] };

	function hostFor(reference: Fields): Fields {
		const backend = named(backends, reference);
		const found = backend === undefined ? undefined : backendOf(backend);
		if (backend === undefined || found === undefined) {
			return reference;
		}
		parts.add(backend);
		const host = { group: "networking.istio.io", kind: "Hostname", name: found.host, port: found.port };
		return { ...without(reference, "namespace"), ...host };
	}
}

/** References to those listeners of the Gateway that came from the set and that the route meant. */
function parentsOf(set: InputObject, { sectionName, port }: Fields): readonly Fields[] {
	const { name, namespace } = fieldsOf(fieldsOf(set.object.spec).parentRef);
	return listenersOf(set)
		.filter((listener) => sectionName === undefined || listener.name === sectionName)
		.filter((listener) => port === undefined || listener.port === port)
		.map((listener) => ({
			group: gatewayGroup,
			kind: "Gateway",
			name,
			namespace: namespace ?? set.namespace,
			sectionName: fullName(set, listener.name),
		}));
}

function withGateways(inventory: Inventory, gateways: ReadonlyMap<string, KubernetesGateway>): Inventory {
	return alteredInventory(inventory, {
		get: <K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined =>
			kinds[kind] === kinds.KubernetesGateway && gateways.has(`${namespace}/${name}`)
				? (gateways.get(`${namespace}/${name}`) as Resources[K] | undefined)
				: inventory.get(kind, namespace, name),
	});
}
