import type { Inventory } from "../core/inventory.ts";
import type { Kind, ServiceEntry } from "../core/kinds.ts";
import { isAmbientNamespace } from "../core/policy.ts";
import { parseProtocol } from "../core/port-range.ts";
import type { Stepwise } from "../core/stepwise.ts";
import { finish } from "../core/stepwise.ts";
import type { HostCapture } from "../istio/capture/capture.ts";
import { captureOf, rollsOf } from "../istio/capture/capture.ts";
import { isCaptured } from "../istio/capture/owners.ts";
import { originationAt } from "../istio/capture/tls-origination.ts";
import { isGoverned } from "../istio/entry/border.ts";
import type { EntryPort } from "../istio/entry/entry.ts";
import { specOf } from "../istio/entry/entry.ts";
import { isProtocolOf } from "../istio/entry/ports.ts";
import { bindingOf, visibilityOf } from "../istio/waypoint/waypoint.ts";
import type { Crossing, Ruling } from "./authorization.ts";
import { indexPolicies, rule } from "./authorization.ts";
import type { Bits } from "./bits.ts";
import { allBits, both, either, except, isEmpty, noBits, rememberSets, setBit } from "./bits.ts";
import type { Clients } from "./sources.ts";
import { listClients } from "./sources.ts";
import type { Verdict, Verdicts } from "./verdicts.ts";
import { walkVerdicts } from "./verdicts.ts";
import { weightOf } from "./word.ts";

/** An object by its names. */
export interface ObjectName {
	readonly namespace: string;
	readonly name: string;
}

/** What becomes of the connections that a ServiceEntry answers. */
export type WayOut = "waypoint" | "direct" | "refused" | "unknown";

/** What encrypts a port when it leaves: the client, the waypoint, or nothing that the mesh knows of. */
export type TlsKind = "passed" | "originated" | "none";

/** One port of one host of one ServiceEntry, and who gets there. Sets hold places in `Reach.namespaces`. */
export interface Outlet {
	readonly host: string;
	readonly port: number;
	/** In capitals; as written where Istio does not know it. */
	readonly protocol: string;
	readonly tls: TlsKind;
	readonly entry: ServiceEntry;
	readonly declaredBy: ObjectName;
	/** The waypoint through which ztunnel sends connections, `NAMESPACE/NAME`. */
	readonly waypoint: string | undefined;
	/**
	 * The waypoint that the entry's labels bind it to: also while ztunnel knows the host by no address, and where another
	 * entry of the namespace has the host, for the waypoint may answer by either.
	 */
	readonly boundTo: string | undefined;
	/** Whether the entry's labels ask for a waypoint, whatever becomes of that. */
	readonly asksForWaypoint: boolean;
	readonly way: WayOut;
	/** Whose policy allows it. */
	readonly may: Bits;
	/** Whose policy forbids it, and is enforced. */
	readonly refuse: Bits;
	/** Whose ambient pods this entry answers. */
	readonly served: Bits;
	/** Served ones that the waypoint refuses. */
	readonly refused: Bits;
	/** Served ones some of whose connections the waypoint refuses. */
	readonly partly: Bits;
	/** Served ones about whom a CUSTOM policy decides. */
	readonly undecided: Bits;
	/** Those whose connections no entry answers, or that ztunnel does not see: they leave directly. */
	readonly past: Bits;
	/** Who gets there, by this way or past it. */
	readonly can: Bits;
	/** Who gets there against their policy. */
	readonly gap: Bits;
	/** Whose policy allows it to some ServiceAccounts, and is enforced, while pods of others are answered and not refused. */
	readonly unnamed: Bits;
	/** The same for connections that no entry answers: they leave directly. */
	readonly unnamedPast: Bits;
}

/** Who may and who can reach what, in a whole cluster. */
export interface Reach {
	/** In order. */
	readonly namespaces: readonly string[];
	/** Ordered by host, port, and the entry's names. */
	readonly outlets: readonly Outlet[];
}

/** A host of an entry that may answer for it. */
interface Answer {
	readonly entry: ServiceEntry;
	readonly declaredBy: ObjectName;
	readonly capture: HostCapture;
}

/** The kinds on which reach depends. */
export const reachKinds: readonly Kind[] = [
	"ServiceEntry",
	"WorkloadEntry",
	"KubernetesGateway",
	"GatewayClass",
	"Namespace",
	"Service",
	"DestinationRule",
	"BackendTLSPolicy",
	"AuthorizationPolicy",
];

/** Works out who may and who can reach every port of every governed host, on a day (YYYY-MM-DD, for exemptions). */
export function readReach(inventory: Inventory, today: string): Reach {
	return finish(walkReach(inventory, today));
}

/** The same in steps. Where the world changes between two of them, the answer is a mixture, and is to be asked again. */
export function* walkReach(inventory: Inventory, today: string): Stepwise<Reach> {
	const outlets: Outlet[] = [];
	const share = rememberSets((bits) => bits);
	const namespaces = yield* walkHosts(inventory, today, (_, each) => {
		outlets.push(...each.map((outlet) => withSharedSets(outlet, share)));
	});
	return { namespaces, outlets };
}

/** The same outlet with one object for equal sets: of ten thousand hosts most have the same few. */
function withSharedSets(outlet: Outlet, share: (bits: Bits) => Bits): Outlet {
	return {
		...outlet,
		may: share(outlet.may),
		refuse: share(outlet.refuse),
		served: share(outlet.served),
		refused: share(outlet.refused),
		partly: share(outlet.partly),
		undecided: share(outlet.undecided),
		past: share(outlet.past),
		can: share(outlet.can),
		gap: share(outlet.gap),
		unnamed: share(outlet.unnamed),
		unnamedPast: share(outlet.unnamedPast),
	};
}

/**
 * The same, host by host and in their order: `take` is given what a `Reach` would have of it, and may let go of it. A
 * cluster of thousands of namespaces and hosts takes a hundred megabytes of sets, and for one host they are small.
 * @param take is given the namespaces, and the outlets of one host, ordered by port and the entry's names
 */
export function* walkHosts(
	inventory: Inventory,
	today: string,
	take: (namespaces: readonly string[], outlets: readonly Outlet[]) => void,
): Stepwise<readonly string[]> {
	const answers = yield* walkAnswers(inventory);
	const namespaces = namespacesOf(inventory);
	const byHost = Map.groupBy(answers, ({ capture }) => capture.host);
	const verdicts = yield* walkVerdicts(namespaces, [...byHost.keys()], inventory, today);
	const world: World = {
		inventory,
		namespaces,
		places: new Map(namespaces.map((namespace, place) => [namespace, place])),
		clients: listClients(
			namespaces.map((namespace) => ({ namespace, serviceAccount: undefined })),
			inventory.mesh.trustDomains,
		),
		ambient: ambientOf(namespaces, inventory),
		limiting: limitingOf(namespaces, inventory),
		strangers: listClients(
			namespaces.map((namespace) => ({ namespace, serviceAccount: stranger })),
			inventory.mesh.trustDomains,
		),
		policies: indexPolicies(inventory),
		everyone: allBits(namespaces.length),
	};
	for (const [, rivals] of [...byHost].sort(([one], [other]) => compareText(one, other))) {
		yield;
		take(namespaces, outletsOf(rivals, verdicts, world).toSorted(compareOutlets));
	}
	return namespaces;
}

interface World {
	readonly inventory: Inventory;
	readonly namespaces: readonly string[];
	readonly places: ReadonlyMap<string, number>;
	readonly clients: Clients;
	/** Those whose pods ztunnel sees. */
	readonly ambient: Bits;
	/** Those whose policy names ServiceAccounts, and is enforced. */
	readonly limiting: Bits;
	/** A pod of each whose ServiceAccount nobody names. */
	readonly strangers: Clients;
	readonly policies: ReturnType<typeof indexPolicies>;
	readonly everyone: Bits;
}

function namespacesOf(inventory: Inventory): readonly string[] {
	const names = new Set<string>();
	for (const { metadata } of inventory.all("Namespace")) {
		names.add(metadata?.name ?? "");
	}
	for (const { metadata } of inventory.all("ServiceEntry")) {
		names.add(metadata?.namespace ?? "");
	}
	return [...names].toSorted();
}

/** A namespace of which nothing is known is taken to be in ambient, as `trace` does. */
function ambientOf(namespaces: readonly string[], inventory: Inventory): Bits {
	const bits = noBits(namespaces.length);
	for (const [place, name] of namespaces.entries()) {
		const namespace = inventory.get("Namespace", "", name);
		if (namespace === undefined || isAmbientNamespace(namespace.metadata?.labels ?? {})) {
			setBit(bits, place);
		}
	}
	return bits;
}

/** No name that a ServiceAccount can have, so that no list and no AuthorizationPolicy names it. */
const stranger = "?";

function limitingOf(namespaces: readonly string[], inventory: Inventory): Bits {
	const bits = noBits(namespaces.length);
	for (const [place, name] of namespaces.entries()) {
		if (limitedAccounts(name, inventory) !== undefined) {
			setBit(bits, place);
		}
	}
	return bits;
}

/** The ServiceAccounts that the enforced policy of a namespace allows to leave; undefined where it allows all. */
export function limitedAccounts(namespace: string, inventory: Inventory): readonly string[] | undefined {
	const policy = inventory.policy(namespace);
	return weightOf(policy, inventory.settings) === "enforced" ? policy.allowedServiceAccounts : undefined;
}

function* walkAnswers(inventory: Inventory): Stepwise<readonly Answer[]> {
	const answers: Answer[] = [];
	const findRoll = rollsOf(inventory);
	for (const entry of inventory.all("ServiceEntry")) {
		yield;
		const declaredBy = { namespace: entry.metadata?.namespace ?? "", name: entry.metadata?.name ?? "" };
		if (isGoverned(entry, { namespace: declaredBy.namespace, inventory })) {
			for (const capture of captureOf(entry, declaredBy, inventory, findRoll)) {
				answers.push({ entry, declaredBy, capture });
			}
		}
	}
	return answers;
}

/** Which of the entries with a host answers whom: the client's own namespace's, else the canonical one, else the first. */
function servedBy(rivals: readonly Answer[], world: World): ReadonlyMap<Answer, Bits> {
	const served = new Map<Answer, Bits>();
	const answering = rivals.filter(({ capture }) => isCaptured(capture));
	let rest = world.ambient;
	for (const answer of answering) {
		const own = noBits(world.namespaces.length);
		setBit(own, world.places.get(answer.declaredBy.namespace) ?? 0);
		const mine = both(own, rest);
		served.set(answer, mine);
		rest = except(rest, own);
	}
	const shown = answering.filter(
		({ declaredBy }) => visibilityOf(declaredBy.namespace, world.inventory) === "PUBLIC",
	);
	const chosen = shown.find(({ capture }) => capture.canonical) ?? shown[0];
	if (chosen !== undefined) {
		served.set(chosen, either(served.get(chosen) ?? rest, rest));
	}
	return served;
}

function outletsOf(rivals: readonly Answer[], verdicts: Verdicts, world: World): readonly Outlet[] {
	const served = servedBy(rivals, world);
	const past = except(world.everyone, [...served.values()].reduce(either, noBits(world.namespaces.length)));
	return rivals.flatMap((answer) =>
		specOf(answer.entry).ports.map((port) =>
			outletOf(answer, port, served.get(answer) ?? world.clients.nobody.certain, past, verdicts, world),
		),
	);
}

function outletOf(
	answer: Answer,
	port: EntryPort,
	served: Bits,
	past: Bits,
	verdicts: Verdicts,
	world: World,
): Outlet {
	const { entry, declaredBy, capture } = answer;
	const verdict: Verdict = verdicts.of(capture.host, port.number, port.protocol);
	const waypoint = isCaptured(capture) ? capture.waypoint : undefined;
	const ruling = waypoint === undefined ? undefined : rulingOf(answer, port, waypoint, world.clients, world);
	const none = world.clients.nobody.certain;
	const isDropped = waypoint !== undefined && port.protocol.toUpperCase() === "UDP";
	const refused = isDropped ? served : ruling === undefined ? none : both(served, ruling.refused);
	const can = either(except(served, refused), past);
	const limiting = except(world.limiting, verdict.refuse);
	return {
		host: capture.host,
		port: port.number,
		protocol: parseProtocol(port.protocol) ?? port.protocol,
		tls: tlsOf(answer, port, waypoint, world.inventory),
		entry,
		declaredBy,
		waypoint,
		boundTo: boundTo(answer, world.inventory),
		asksForWaypoint: capture.binding.status !== "None",
		way: wayOf(answer, waypoint, isDropped || (!isEmpty(served) && isEmpty(except(served, refused)))),
		may: verdict.may,
		refuse: verdict.refuse,
		served,
		refused,
		partly: ruling === undefined || isDropped ? none : both(served, ruling.partly),
		undecided: ruling === undefined || isDropped ? none : both(served, ruling.unknown),
		past,
		can,
		gap: except(can, verdict.may),
		unnamed: isDropped ? none : unnamedOf(answer, port, waypoint, both(served, limiting), world),
		unnamedPast: both(past, limiting),
	};
}

/** Of namespaces that name ServiceAccounts: those of whose other pods the waypoint does not refuse every connection. */
function unnamedOf(
	answer: Answer,
	port: EntryPort,
	waypoint: string | undefined,
	limited: Bits,
	world: World,
): Bits {
	if (waypoint === undefined || isEmpty(limited)) {
		return limited;
	}
	const ruling = rulingOf(answer, port, waypoint, world.strangers, world);
	return ruling === undefined ? limited : except(limited, either(ruling.refused, ruling.unknown));
}

function boundTo({ entry, declaredBy, capture }: Answer, inventory: Inventory): string | undefined {
	if (capture.ignored !== undefined) {
		return undefined;
	}
	const binding = bindingOf(entry.metadata?.labels, declaredBy.namespace, inventory);
	return binding.status === "True"
		? `${binding.request.waypoint.namespace}/${binding.request.waypoint.name}`
		: undefined;
}

function wayOf({ capture }: Answer, waypoint: string | undefined, isRefused: boolean): WayOut {
	if (!isCaptured(capture)) {
		return "unknown";
	}
	return waypoint === undefined ? "direct" : isRefused ? "refused" : "waypoint";
}

/** What the AuthorizationPolicies at the waypoint do on a port; undefined where there are none. */
function rulingOf(
	answer: Answer,
	port: EntryPort,
	waypoint: string,
	clients: Clients,
	world: World,
): Ruling | undefined {
	const crossing = crossingOf(answer, port, waypoint);
	const attached = world.policies.attachedTo(crossing);
	return attached.length === 0 ? undefined : rule(attached, crossing, clients);
}

/** What AuthorizationPolicies at a waypoint are asked about a port of a host. */
export function crossingOf(
	{ entry, declaredBy, capture }: Answer,
	port: Pick<EntryPort, "number" | "protocol">,
	waypoint: string,
): Crossing {
	return {
		waypoint,
		entry: declaredBy,
		port: port.number,
		http:
			isProtocolOf("http", port.protocol) || (parseProtocol(port.protocol) === undefined ? "sniffed" : false),
		addresses: addressesOf(entry, capture),
	};
}

/** The addresses by which ztunnel knows a host of an entry; empty where nobody knows them yet. */
export function addressesOf(
	entry: ServiceEntry,
	{ host, addresses }: Pick<HostCapture, "host" | "addresses">,
): readonly string[] {
	if (addresses === "listed") {
		return specOf(entry).addresses;
	}
	return (entry.status?.addresses ?? []).flatMap((each) =>
		each.host === host && typeof each.value === "string" ? [each.value] : [],
	);
}

function tlsOf(
	{ declaredBy, capture }: Answer,
	port: EntryPort,
	waypoint: string | undefined,
	inventory: Inventory,
): TlsKind {
	if (isProtocolOf("tls", port.protocol)) {
		return "passed";
	}
	if (waypoint === undefined) {
		return "none";
	}
	const place = {
		waypointNamespace: waypoint.slice(0, waypoint.indexOf("/")),
		entryNamespace: declaredBy.namespace,
		entryName: declaredBy.name,
	};
	const mode = originationAt(capture.host, port, place, inventory)?.mode;
	return mode === "SIMPLE" || mode === "MUTUAL" ? "originated" : "none";
}

function compareOutlets(one: Outlet, other: Outlet): number {
	return (
		compareText(one.host, other.host) ||
		one.port - other.port ||
		compareText(one.declaredBy.namespace, other.declaredBy.namespace) ||
		compareText(one.declaredBy.name, other.declaredBy.name)
	);
}

function compareText(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
