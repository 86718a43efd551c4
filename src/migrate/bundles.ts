import { canonicalHost, covers, parseHostPattern } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Kind, Resources, VirtualService } from "../core/kinds.ts";
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
import {
	attachEvidence,
	destinationsOf,
	gatewayReferences,
	hopsOf,
} from "../istio/egress/virtual-services.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf, textsOf } from "./fields.ts";
import { gatewayNamespaces, holdsFor, policyParticipant } from "./gateway-policies.ts";
import type { InputObject } from "./input-object.ts";
import type { Bundle, Participant, Role } from "./participant.ts";
import { isRuleFor, ruleHost, rulesInForce } from "./rule-lookup.ts";

/** An object as the kind that its `kind` field says; the inventory only holds objects of the right shape. */
export function typed<K extends keyof Resources>(input: InputObject): Resources[K] {
	return input.object as Resources[K];
}

/** The part of every object that takes part in sidecar-style egress by itself. */
export function egressParticipants(
	inputs: readonly InputObject[],
	inventory: Inventory,
): readonly Participant[] {
	return inputs.flatMap((input) => meshParticipant(input) ?? egressParticipant(input, inventory) ?? []);
}

/** Further kinds that may select an egress gateway or its pods; each is read field by field, whatever its shape. */
const policyKinds: ReadonlySet<Kind> = new Set([
	"RequestAuthentication",
	"WasmPlugin",
	"TrafficExtension",
	"Telemetry",
	"EnvoyFilter",
]);

function egressParticipant(input: InputObject, inventory: Inventory): Participant | undefined {
	const { kind, namespace, name } = input;
	const isFieldByField = kind === undefined || policyKinds.has(kind);
	if (!isFieldByField && !conformsToKind(kind, input.object)) {
		return undefined;
	}
	const spec = fieldsOf(input.object.spec);
	const key = `${namespace}/${name}`;
	const flagged = (evidence: Iterable<unknown>): boolean => [...evidence].length > 0;
	switch (kind) {
		case "IstioGateway": {
			const hosts = listOf(spec.servers).flatMap((server) => textsOf(fieldsOf(server).hosts));
			return flagged(selectorEvidence(typed<"IstioGateway">(input), namespace, name, inventory))
				? { input, role: "gateway", hosts: hosts.map(serverHost), ties: [`gateway ${key}`] }
				: undefined;
		}
		case "VirtualService":
			return routeParticipant(input, inventory);
		case "DestinationRule": {
			const rule = typed<"DestinationRule">(input);
			if (flagged(hostEvidence(rule, namespace, inventory))) {
				return { input, role: "gateway rule", hosts: sniHosts(spec), ties: subsetTies(spec, namespace) };
			}
			return flagged(workloadEvidence(rule, inventory))
				? { input, role: "host rule", hosts: [canonicalHost(textOf(spec.host) ?? "")], ties: [] }
				: undefined;
		}
		case "Sidecar":
			return flagged(proxyEvidence(typed<"Sidecar">(input), namespace, inventory))
				? { input, role: "sidecar", hosts: [], ties: [`sidecar ${key}`] }
				: fieldsOf(spec.outboundTrafficPolicy).mode === "REGISTRY_ONLY"
					? { input, role: "client sidecar", hosts: [], ties: [] }
					: undefined;
		case "ServiceEntry":
			return flagged(endpointEvidence(typed<"ServiceEntry">(input), namespace, inventory))
				? { input, role: "entry", hosts: textsOf(spec.hosts).map(canonicalHost), ties: [`entry ${key}`] }
				: undefined;
		case "KubernetesGateway":
			return flagged(gatewayEvidence(typed<"KubernetesGateway">(input), namespace, inventory))
				? kubernetesGatewayParticipant(input)
				: undefined;
		case "HTTPRoute":
		case "GRPCRoute":
		case "TLSRoute":
		case "TCPRoute":
			return flagged(routeEvidence(typed<"HTTPRoute">(input), namespace, inventory))
				? gatewayRouteParticipant(input)
				: undefined;
		case "ASMEgressTrafficPolicy":
			return { input, role: "asm", hosts: asmHosts(spec), ties: [`asm ${key}`] };
		default:
			return isFieldByField || kind === "AuthorizationPolicy"
				? policyParticipant(input, inventory)
				: undefined;
	}
}

/** The mesh configuration, where it lets sidecars reach registered hosts alone. */
function meshParticipant(input: InputObject): Participant | undefined {
	const { outboundTrafficPolicy, outbound_traffic_policy } = input.mesh?.value ?? {};
	return fieldsOf(outboundTrafficPolicy ?? outbound_traffic_policy).mode === "REGISTRY_ONLY"
		? { input, role: "mesh", hosts: [], ties: [] }
		: undefined;
}

/** The host of a Gateway's server, which may be prefixed by a namespace. */
function serverHost(host: string): string {
	return canonicalHost(host.slice(host.indexOf("/") + 1));
}

function routeParticipant(input: InputObject, inventory: Inventory): Participant | undefined {
	const route = typed<"VirtualService">(input);
	const hops = bothHops(route, input.namespace, inventory);
	const attached = [...attachEvidence(route, input.namespace, inventory)].length > 0;
	if (hops.toGateway.length === 0 && !attached) {
		return undefined;
	}
	const gateways = [...gatewayReferences(route)]
		.map(({ name }) => gatewayOfReference(name, input.namespace))
		.filter((key) => key !== meshGateway);
	const sni = (route.spec?.tls ?? []).flatMap((each) =>
		(each.match ?? []).flatMap((match) => match.sniHosts ?? []),
	);
	const named = [...(route.spec?.hosts ?? []), ...sni].map(canonicalHost).filter((host) => host !== "*");
	// The gateway may send a wildcard's traffic to one host below it, which has a ServiceEntry of its own.
	const out = hops.toHost.map((destination) => canonicalHost(destination.host));
	const hosts = [...new Set([...named, ...out])];
	const subsets = hops.toGateway.map(
		(destination) => `subset ${input.namespace} ${subsetOf(input, destination.path)}`,
	);
	return {
		input,
		role: "route",
		hosts,
		ties: [...gateways.map((key) => `gateway ${key}`), ...subsets],
		hops,
	};
}

/**
 * The hops of a route. One whose own hosts are no external names goes out to whatever its gateway sends to, and so
 * does one without a hop to the gateway, which clients may be led to by the endpoints of a ServiceEntry.
 */
function bothHops(route: VirtualService, namespace: string, inventory: Inventory): Hops {
	const hops = hopsOf(route, namespace, inventory);
	const hosts = route.spec?.hosts ?? [];
	if (hops.toHost.length > 0 || hosts.length === 0) {
		return hops;
	}
	if (hops.toGateway.length > 0 && hosts.some((host) => host === "*" || isExternalName(host, inventory))) {
		return hops;
	}
	const toHost = [...destinationsOf(route, namespace)].filter(
		(destination) =>
			destination.gateways.size > 0 &&
			!destination.gateways.has(meshGateway) &&
			isExternalName(destination.host, inventory),
	);
	return { ...hops, toHost };
}

function subsetOf(input: InputObject, path: readonly (string | number)[]): string {
	let current: unknown = input.object;
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

function kubernetesGatewayParticipant(input: InputObject): Participant {
	const listeners = listOf(fieldsOf(input.object.spec).listeners);
	const hosts = listeners.flatMap((each) => textOf(fieldsOf(each).hostname) ?? []).map(canonicalHost);
	const key = `${input.namespace}/${input.name}`;
	return { input, role: "gateway", hosts, ties: [`kubernetes ${key}`, `backend ${key}-istio`] };
}

function gatewayRouteParticipant(input: InputObject): Participant {
	const spec = fieldsOf(input.object.spec);
	const ties: string[] = [];
	for (const parent of listOf(spec.parentRefs).map(fieldsOf)) {
		const place = textOf(parent.namespace) ?? input.namespace;
		const kind = parent.kind === "ServiceEntry" ? "entry" : "kubernetes";
		ties.push(`${kind} ${place}/${textOf(parent.name) ?? ""}`);
	}
	const hosts = [...textsOf(spec.hostnames).map(canonicalHost)];
	for (const rule of listOf(spec.rules).map(fieldsOf)) {
		for (const backend of listOf(rule.backendRefs).map(fieldsOf)) {
			if (backend.kind === "Hostname") {
				hosts.push(canonicalHost(textOf(backend.name) ?? ""));
			} else {
				ties.push(`backend ${textOf(backend.namespace) ?? input.namespace}/${textOf(backend.name) ?? ""}`);
			}
		}
	}
	return { input, role: "route", hosts: [...new Set(hosts)], ties };
}

function asmHosts(spec: Readonly<Record<string, unknown>>): readonly string[] {
	return listOf(spec.egressRules)
		.flatMap((rule) => listOf(fieldsOf(rule).to))
		.flatMap((to) => textsOf(fieldsOf(to).hosts))
		.map(canonicalHost);
}

/** Parts of objects that hold for every way out of the gateway. */
const sharedRoles: ReadonlySet<Role> = new Set(["policy", "gateway policy", "client sidecar", "mesh"]);

const policyRoles: ReadonlySet<Role> = new Set(["policy", "gateway policy"]);

/** Joins participants into bundles by their hosts and ties, with the entries and rules for those hosts. */
export function bundlesOf(
	participants: readonly Participant[],
	inputs: readonly InputObject[],
	inventory: Inventory,
): readonly Bundle[] {
	const shared = participants.filter(({ role }) => sharedRoles.has(role));
	const linked = participants.filter((participant) => !shared.includes(participant));
	const roots = new Map<string, string>();
	const find = (key: string): string => {
		const root = roots.get(key);
		return root === undefined || root === key ? key : find(root);
	};
	const join = (one: string, other: string): void => {
		roots.set(find(one), find(other));
	};
	const members = withoutWideRules([...linked, ...entryParticipants(inputs, linked)]);
	for (const [index, participant] of members.entries()) {
		for (const key of [...participant.hosts.map((host) => `host ${host}`), ...participant.ties]) {
			join(`participant ${index}`, key);
		}
	}
	const groups = Map.groupBy(members.entries(), ([index]) => find(`participant ${index}`));
	const bundles = [...groups.values()].map((group) => group.map(([, participant]) => participant));
	// A rule for the gateway's Service without subsets, or with one that no route names, belongs to every bundle.
	const alone = bundles.filter((group) => group.every(({ role }) => role === "gateway rule"));
	const whole = bundles.filter((group) => !alone.includes(group));
	const everywhere = [...alone.flat(), ...shared];
	if (whole.length === 0) {
		const isEgress = everywhere.some(({ role }) => role !== "client sidecar" && role !== "mesh");
		return isEgress ? [complete(everywhere, inputs, inventory)] : [];
	}
	const root = inventory.mesh.rootNamespace;
	return whole.map((group) => {
		const own = everywhere.filter(
			({ role, input }) => !policyRoles.has(role) || holdsFor(input, group, root),
		);
		return complete([...group, ...own], inputs, inventory);
	});
}

/** A DestinationRule for a wildcard belongs to every bundle with a host of it, and joins none of them. */
function withoutWideRules(participants: readonly Participant[]): readonly Participant[] {
	const hosts = new Set(participants.flatMap(({ role, hosts: own }) => (role === "host rule" ? [] : own)));
	return participants.filter(
		({ role, input, hosts: [own = ""] }) =>
			role !== "host rule" ||
			!own.startsWith("*") ||
			hosts.has(own) ||
			![...hosts].some((host) => isRuleFor(host, input)),
	);
}

/** The ServiceEntries for hosts of the participants. */
function entryParticipants(
	inputs: readonly InputObject[],
	participants: readonly Participant[],
): readonly Participant[] {
	const hosts = new Set(participants.flatMap((participant) => participant.hosts));
	const named = new Set(participants.flatMap((participant) => participant.ties));
	const known = new Set(participants.map((participant) => participant.input));
	return inputs.flatMap((input) => {
		if (input.kind !== "ServiceEntry" || known.has(input)) {
			return [];
		}
		const own = textsOf(fieldsOf(input.object.spec).hosts).map(canonicalHost);
		const tie = `entry ${input.namespace}/${input.name}`;
		const isMeant = named.has(tie) || own.some((host) => hosts.has(host));
		return isMeant ? [{ input, role: "entry" as const, hosts: own, ties: [tie] }] : [];
	});
}

/** A bundle with the DestinationRules for its hosts. */
function complete(
	participants: readonly Participant[],
	inputs: readonly InputObject[],
	inventory: Inventory,
): Bundle {
	const hosts = [...new Set(participants.flatMap((participant) => participant.hosts))].filter(
		(host) => host !== "*" && host !== "",
	);
	const known = new Set(participants.map((participant) => participant.input));
	const rules = inputs.flatMap((input): readonly Participant[] => {
		const isMeant =
			input.kind === "DestinationRule" && !known.has(input) && hosts.some((host) => isRuleFor(host, input));
		const host = ruleHost(input);
		return isMeant && !isEgressService(host, input.namespace, inventory)
			? [{ input, role: "host rule", hosts: [host], ties: [] }]
			: [];
	});
	const every = [...participants, ...rules];
	return {
		hosts: hosts.toSorted(),
		participants: every,
		rulesAtGateway: rulesAtGateway(hosts, every, inventory),
	};
}

/**
 * What istiod gives the old gateway for each host. Where the input does not say in which namespace the gateway or the
 * host's ServiceEntry is, every rule for the host counts.
 */
function rulesAtGateway(
	hosts: readonly string[],
	participants: readonly Participant[],
	inventory: Inventory,
): Bundle["rulesAtGateway"] {
	const rules = participants.filter(({ role }) => role === "host rule").map(({ input }) => input);
	const gateways = gatewayNamespaces(participants);
	const selects = (labels: Fields): boolean => selectsEgressPods(labels as Record<string, string>, inventory);
	const root = inventory.mesh.rootNamespace;
	return new Map(
		hosts.map((host) => {
			const service = [
				...new Set(
					participants
						.filter(({ role, hosts: own }) => role === "entry" && own.includes(host))
						.map(({ input }) => input.namespace),
				),
			];
			const isKnown = gateways.length > 0 && service.length > 0;
			const found = gateways.flatMap((proxy) => rulesInForce(host, rules, { proxy, service, root, selects }));
			return [host, isKnown ? [...new Set(found)] : rules.filter((rule) => isRuleFor(host, rule))];
		}),
	);
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
