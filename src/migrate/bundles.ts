import { canonicalHost, covers, parseHostPattern } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Resources, VirtualService } from "../core/kinds.ts";
import { conformsToKind } from "../core/kinds.ts";
import { gatewayOfReference, meshGateway } from "../core/service-names.ts";
import { gatewayEvidence, routeEvidence } from "../istio/egress/gateway-api.ts";
import {
	endpointEvidence,
	hostEvidence,
	proxyEvidence,
	selectorEvidence,
	workloadEvidence,
} from "../istio/egress/objects.ts";
import { isEgressService, isExternalName, selectsEgressPods } from "../istio/egress/services.ts";
import type { Hops } from "../istio/egress/virtual-services.ts";
import { attachEvidence, gatewayReferences, hopsOf, legsOf } from "../istio/egress/virtual-services.ts";
import type { Item } from "./item.ts";
import { fieldsOf, listOf, textOf, textsOf } from "./raw.ts";

/** What part an object plays in sidecar-style egress. */
export type Role =
	| "gateway"
	| "route"
	| "gateway rule"
	| "host rule"
	| "entry"
	| "sidecar"
	| "policy"
	| "satellite"
	| "asm";

/** An object with its part and what ties it to others. */
export interface Part {
	readonly item: Item;
	readonly role: Role;
	/** External hosts that it is about, in canonical form. */
	readonly hosts: readonly string[];
	/** Other ties: Gateways as NAMESPACE/NAME and the like. */
	readonly ties: readonly string[];
	/** For a VirtualService: its hops. */
	readonly hops?: Hops;
}

/** Objects that belong together: one way out for one or more hosts. */
export interface Bundle {
	readonly hosts: readonly string[];
	readonly parts: readonly Part[];
}

/** An object as the kind that its `kind` field says; the inventory only holds objects of the right shape. */
export function typed<K extends keyof Resources>(item: Item): Resources[K] {
	return item.object as Resources[K];
}

/** The part of every object that takes part in sidecar-style egress by itself. */
export function egressParts(items: readonly Item[], inventory: Inventory): readonly Part[] {
	return items.flatMap((item) => egressPart(item, inventory) ?? []);
}

function egressPart(item: Item, inventory: Inventory): Part | undefined {
	const { kind, namespace, name } = item;
	if (kind !== undefined && !conformsToKind(kind, item.object)) {
		return undefined;
	}
	const spec = fieldsOf(item.object.spec);
	const key = `${namespace}/${name}`;
	const flagged = (evidence: Iterable<unknown>): boolean => [...evidence].length > 0;
	switch (kind) {
		case "IstioGateway": {
			const hosts = listOf(spec.servers).flatMap((server) => textsOf(fieldsOf(server).hosts));
			return flagged(selectorEvidence(typed<"IstioGateway">(item), namespace, name, inventory))
				? { item, role: "gateway", hosts: hosts.map(serverHost), ties: [`gateway ${key}`] }
				: undefined;
		}
		case "VirtualService":
			return routePart(item, inventory);
		case "DestinationRule": {
			const rule = typed<"DestinationRule">(item);
			if (flagged(hostEvidence(rule, namespace, inventory))) {
				return { item, role: "gateway rule", hosts: sniHosts(spec), ties: subsetTies(spec, namespace) };
			}
			return flagged(workloadEvidence(rule, inventory))
				? { item, role: "host rule", hosts: [canonicalHost(textOf(spec.host) ?? "")], ties: [] }
				: undefined;
		}
		case "Sidecar":
			return flagged(proxyEvidence(typed<"Sidecar">(item), namespace, inventory))
				? { item, role: "sidecar", hosts: [], ties: [`sidecar ${key}`] }
				: undefined;
		case "ServiceEntry":
			return flagged(endpointEvidence(typed<"ServiceEntry">(item), namespace, inventory))
				? { item, role: "entry", hosts: textsOf(spec.hosts).map(canonicalHost), ties: [`entry ${key}`] }
				: undefined;
		case "KubernetesGateway":
			return flagged(gatewayEvidence(typed<"KubernetesGateway">(item), namespace, inventory))
				? kubernetesGatewayPart(item)
				: undefined;
		case "HTTPRoute":
		case "GRPCRoute":
		case "TLSRoute":
		case "TCPRoute":
			return flagged(routeEvidence(typed<"HTTPRoute">(item), namespace, inventory))
				? gatewayRoutePart(item)
				: undefined;
		case "ASMEgressTrafficPolicy":
			return { item, role: "asm", hosts: asmHosts(spec), ties: [`asm ${key}`] };
		default:
			return kind === undefined ? satellitePart(item, inventory) : undefined;
	}
}

/** The host of a Gateway's server, which may be prefixed by a namespace. */
function serverHost(host: string): string {
	return canonicalHost(host.slice(host.indexOf("/") + 1));
}

function routePart(item: Item, inventory: Inventory): Part | undefined {
	const route = typed<"VirtualService">(item);
	const hops = bothHops(route, item.namespace, inventory);
	const attached = [...attachEvidence(route, item.namespace, inventory)].length > 0;
	if (hops.steers.length === 0 && !attached) {
		return undefined;
	}
	const gateways = [...gatewayReferences(route)]
		.map(({ name }) => gatewayOfReference(name, item.namespace))
		.filter((key) => key !== meshGateway);
	const sni = (route.spec?.tls ?? []).flatMap((each) =>
		(each.match ?? []).flatMap((match) => match.sniHosts ?? []),
	);
	const named = [...(route.spec?.hosts ?? []), ...sni].map(canonicalHost).filter((host) => host !== "*");
	// The gateway may send a wildcard's traffic to one host below it, which has a ServiceEntry of its own.
	const out = hops.forwards.map((leg) => canonicalHost(leg.host));
	const hosts = [...new Set([...named, ...out])];
	const subsets = hops.steers.map((leg) => `subset ${item.namespace} ${subsetOf(item, leg.path)}`);
	return { item, role: "route", hosts, ties: [...gateways.map((key) => `gateway ${key}`), ...subsets], hops };
}

/** The hops of a route; one whose own hosts are no external names goes out to whatever its gateway sends to. */
function bothHops(route: VirtualService, namespace: string, inventory: Inventory): Hops {
	const hops = hopsOf(route, namespace, inventory);
	const hosts = route.spec?.hosts ?? [];
	if (hops.steers.length === 0 || hops.forwards.length > 0 || hosts.length === 0) {
		return hops;
	}
	if (hosts.some((host) => host === "*" || isExternalName(host, inventory))) {
		return hops;
	}
	const forwards = [...legsOf(route, namespace)].filter(
		(leg) => leg.gateways.size > 0 && !leg.gateways.has(meshGateway) && isExternalName(leg.host, inventory),
	);
	return { ...hops, forwards };
}

function subsetOf(item: Item, path: readonly (string | number)[]): string {
	let current: unknown = item.object;
	for (const step of path.slice(0, -1)) {
		current = (current as Record<string | number, unknown> | undefined)?.[step];
	}
	return textOf(fieldsOf(current).subset) ?? "";
}

function subsetTies(spec: Readonly<Record<string, unknown>>, namespace: string): readonly string[] {
	return listOf(spec.subsets)
		.map((subset) => textOf(fieldsOf(subset).name) ?? "")
		.filter((name) => name !== "")
		.map((name) => `subset ${namespace} ${name}`);
}

function sniHosts(spec: Readonly<Record<string, unknown>>): readonly string[] {
	const policies = [spec.trafficPolicy, ...listOf(spec.subsets).map((each) => fieldsOf(each).trafficPolicy)];
	const tls = policies.flatMap((policy) => [
		fieldsOf(policy).tls,
		...listOf(fieldsOf(policy).portLevelSettings).map((each) => fieldsOf(each).tls),
	]);
	return tls.flatMap((each) => textOf(fieldsOf(each).sni) ?? []).map(canonicalHost);
}

function kubernetesGatewayPart(item: Item): Part {
	const listeners = listOf(fieldsOf(item.object.spec).listeners);
	const hosts = listeners.flatMap((each) => textOf(fieldsOf(each).hostname) ?? []).map(canonicalHost);
	const key = `${item.namespace}/${item.name}`;
	return { item, role: "gateway", hosts, ties: [`kubernetes ${key}`, `backend ${key}-istio`] };
}

function gatewayRoutePart(item: Item): Part {
	const spec = fieldsOf(item.object.spec);
	const ties: string[] = [];
	for (const parent of listOf(spec.parentRefs).map(fieldsOf)) {
		const place = textOf(parent.namespace) ?? item.namespace;
		const kind = parent.kind === "ServiceEntry" ? "entry" : "kubernetes";
		ties.push(`${kind} ${place}/${textOf(parent.name) ?? ""}`);
	}
	const hosts = [...textsOf(spec.hostnames).map(canonicalHost)];
	for (const rule of listOf(spec.rules).map(fieldsOf)) {
		for (const backend of listOf(rule.backendRefs).map(fieldsOf)) {
			if (backend.kind === "Hostname") {
				hosts.push(canonicalHost(textOf(backend.name) ?? ""));
			} else {
				ties.push(`backend ${textOf(backend.namespace) ?? item.namespace}/${textOf(backend.name) ?? ""}`);
			}
		}
	}
	return { item, role: "route", hosts: [...new Set(hosts)], ties };
}

function asmHosts(spec: Readonly<Record<string, unknown>>): readonly string[] {
	return listOf(spec.egressRules)
		.flatMap((rule) => listOf(fieldsOf(rule).to))
		.flatMap((to) => textsOf(fieldsOf(to).hosts))
		.map(canonicalHost);
}

const policyKinds: ReadonlySet<string> = new Set(["AuthorizationPolicy", "RequestAuthentication"]);
const selectingKinds: ReadonlySet<string> = new Set([
	"EnvoyFilter",
	"PeerAuthentication",
	"Telemetry",
	"WasmPlugin",
	"ProxyConfig",
]);

/** A policy or an extension that selects the pods of an egress gateway. */
function satellitePart(item: Item, inventory: Inventory): Part | undefined {
	const isPolicy = policyKinds.has(item.title);
	if (!isPolicy && !selectingKinds.has(item.title)) {
		return undefined;
	}
	const spec = fieldsOf(item.object.spec);
	const labels = {
		...fieldsOf(fieldsOf(spec.selector).matchLabels),
		...fieldsOf(fieldsOf(spec.workloadSelector).labels),
	};
	const selector = Object.fromEntries(
		Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
	);
	if (!selectsEgressPods(selector, inventory)) {
		return undefined;
	}
	return { item, role: isPolicy ? "policy" : "satellite", hosts: [], ties: [] };
}

/** Joins parts into bundles by their hosts and ties, with the entries and rules for those hosts. */
export function bundlesOf(
	parts: readonly Part[],
	items: readonly Item[],
	inventory: Inventory,
): readonly Bundle[] {
	const shared = parts.filter(({ role }) => role === "policy" || role === "satellite");
	const linked = parts.filter((part) => !shared.includes(part));
	const roots = new Map<string, string>();
	const find = (key: string): string => {
		const root = roots.get(key);
		return root === undefined || root === key ? key : find(root);
	};
	const join = (one: string, other: string): void => {
		roots.set(find(one), find(other));
	};
	const entries = entryParts(items, linked);
	for (const [index, part] of [...linked, ...entries].entries()) {
		for (const key of [...part.hosts.map((host) => `host ${host}`), ...part.ties]) {
			join(`part ${index}`, key);
		}
	}
	const groups = Map.groupBy([...linked, ...entries].entries(), ([index]) => find(`part ${index}`));
	const bundles = [...groups.values()].map((group) => group.map(([, part]) => part));
	// A rule for the gateway's Service without subsets, or with one that no route names, belongs to every bundle.
	const alone = bundles.filter((group) => group.every(({ role }) => role === "gateway rule"));
	const whole = bundles.filter((group) => !alone.includes(group));
	const everywhere = [...alone.flat(), ...shared];
	if (whole.length === 0) {
		return everywhere.length === 0 ? [] : [complete(everywhere, items, inventory)];
	}
	return whole.map((group) => complete([...group, ...everywhere], items, inventory));
}

/** The ServiceEntries for hosts of the parts. */
function entryParts(items: readonly Item[], parts: readonly Part[]): readonly Part[] {
	const hosts = new Set(parts.flatMap((part) => part.hosts));
	const named = new Set(parts.flatMap((part) => part.ties));
	const known = new Set(parts.map((part) => part.item));
	return items.flatMap((item) => {
		if (item.kind !== "ServiceEntry" || known.has(item)) {
			return [];
		}
		const own = textsOf(fieldsOf(item.object.spec).hosts).map(canonicalHost);
		const tie = `entry ${item.namespace}/${item.name}`;
		const isMeant = named.has(tie) || own.some((host) => hosts.has(host));
		return isMeant ? [{ item, role: "entry" as const, hosts: own, ties: [tie] }] : [];
	});
}

/** A bundle with the DestinationRules for its hosts. */
function complete(parts: readonly Part[], items: readonly Item[], inventory: Inventory): Bundle {
	const hosts = [...new Set(parts.flatMap((part) => part.hosts))].filter(
		(host) => host !== "*" && host !== "",
	);
	const known = new Set(parts.map((part) => part.item));
	const rules = items.flatMap((item): readonly Part[] => {
		const host = canonicalHost(textOf(fieldsOf(item.object.spec).host) ?? "");
		const isMeant =
			item.kind === "DestinationRule" && !known.has(item) && hosts.some((each) => each === host);
		return isMeant && !isEgressService(host, item.namespace, inventory)
			? [{ item, role: "host rule", hosts: [host], ties: [] }]
			: [];
	});
	return { hosts: hosts.toSorted(), parts: [...parts, ...rules] };
}

/** Whether one host's name covers another's. */
export function coversHost(pattern: string, host: string): boolean {
	const parsed = parseHostPattern(pattern);
	return parsed !== undefined && covers(parsed, host);
}

/** The hosts of a bundle that lie outside the cluster. */
export function externalHosts(bundle: Bundle, inventory: Inventory): readonly string[] {
	return bundle.hosts.filter((host) => isExternalName(host, inventory));
}
