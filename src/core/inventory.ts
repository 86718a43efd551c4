import { addressBucket, parseAddressRange } from "./address-range.ts";
import { canonicalHost, domainOf } from "./host-pattern.ts";
import type { Kind, LabelSelector, Namespace, Resources, ServiceEntry, VirtualService } from "./kinds.ts";
import { allKinds } from "./kinds.ts";
import type { Policy } from "./policy.ts";
import { parsePolicy } from "./policy.ts";
import { gatewayOfReference, serviceOfHost } from "./service-names.ts";
import type { Settings } from "./settings.ts";
import { defaultSettings } from "./settings.ts";

/** Look-ups by something else than namespace and name: which kind they find, and under which keys an object stands. */
interface Index<K extends Kind> {
	readonly kind: K;
	readonly keys: (object: Resources[K]) => Iterable<string>;
}

function index<K extends Kind>(kind: K, keys: (object: Resources[K]) => Iterable<string>): Index<K> {
	return { kind, keys };
}

const indexes: {
	readonly serviceEntryByHost: Index<"ServiceEntry">;
	readonly serviceEntryByAddressBucket: Index<"ServiceEntry">;
	readonly serviceEntryByDomain: Index<"ServiceEntry">;
	readonly serviceByAddress: Index<"Service">;
	readonly serviceByName: Index<"Service">;
	readonly destinationRuleByHost: Index<"DestinationRule">;
	readonly backendTlsPolicyByTarget: Index<"BackendTLSPolicy">;
	readonly virtualServiceByHost: Index<"VirtualService">;
	readonly virtualServiceByGateway: Index<"VirtualService">;
	readonly virtualServiceByService: Index<"VirtualService">;
} = {
	/** ServiceEntries of all namespaces by a host of theirs in canonical form. */
	serviceEntryByHost: index("ServiceEntry", (entry) => new Set((entry.spec?.hosts ?? []).map(canonicalHost))),
	/** ServiceEntries of all namespaces by `addressBucket` of an address that they list, `wide` without one; and `all`. */
	serviceEntryByAddressBucket: index("ServiceEntry", bucketsListed),
	/** ServiceEntries of all namespaces by the last two labels of a host of theirs in canonical form. */
	serviceEntryByDomain: index(
		"ServiceEntry",
		(entry) => new Set((entry.spec?.hosts ?? []).map((host) => domainOf(canonicalHost(host)))),
	),
	/** Services of all namespaces by a cluster IP of theirs; a headless one has none ("None"). */
	serviceByAddress: index(
		"Service",
		(service) =>
			new Set(
				[service.spec?.clusterIP ?? "", ...(service.spec?.clusterIPs ?? [])].filter(
					(address) => address !== "" && address !== "None",
				),
			),
	),
	/** Services of all namespaces by their bare name. */
	serviceByName: index("Service", (service) => [service.metadata?.name ?? ""]),
	/** DestinationRules of all namespaces by their host as written, in canonical form. */
	destinationRuleByHost: index("DestinationRule", (rule) => [canonicalHost(rule.spec?.host ?? "")]),
	/** BackendTLSPolicies by what they target: `NAMESPACE/GROUP/KIND/NAME`. */
	backendTlsPolicyByTarget: index(
		"BackendTLSPolicy",
		(policy) =>
			new Set(
				(policy.spec?.targetRefs ?? []).map(
					({ group, kind, name }) =>
						`${policy.metadata?.namespace ?? ""}/${group ?? ""}/${kind ?? ""}/${name ?? ""}`,
				),
			),
	),
	/** VirtualServices of all namespaces by a host of theirs in canonical form. */
	virtualServiceByHost: index(
		"VirtualService",
		(rule) => new Set((rule.spec?.hosts ?? []).map(canonicalHost)),
	),
	/** VirtualServices of all namespaces by a gateway that they name anywhere, as NAMESPACE/NAME or `mesh`. */
	virtualServiceByGateway: index("VirtualService", gatewaysNamed),
	/** VirtualServices of all namespaces by a Service that they route to, as NAMESPACE/NAME. */
	virtualServiceByService: index("VirtualService", servicesRouted),
};

const indexesOf: ReadonlyMap<Kind, readonly (readonly [string, Index<Kind>])[]> = Map.groupBy(
	Object.entries(indexes) as unknown as readonly (readonly [string, Index<Kind>])[],
	([, { kind }]) => kind,
);

function bucketsListed(entry: ServiceEntry): ReadonlySet<string> {
	const buckets = new Set<string>();
	for (const address of entry.spec?.addresses ?? []) {
		const range = parseAddressRange(address);
		if (range !== undefined) {
			buckets.add(addressBucket(range) ?? "wide").add("all");
		}
	}
	return buckets;
}

function gatewaysNamed(rule: VirtualService): ReadonlySet<string> {
	const { gateways, http, tls, tcp } = rule.spec ?? {};
	const matches = [...(http ?? []), ...(tls ?? []), ...(tcp ?? [])].flatMap((route) => route.match ?? []);
	const names = [...(gateways ?? []), ...matches.flatMap((match) => match.gateways ?? [])];
	return new Set(names.map((name) => gatewayOfReference(name, rule.metadata?.namespace ?? "")));
}

function servicesRouted(rule: VirtualService): ReadonlySet<string> {
	const { http, tls, tcp } = rule.spec ?? {};
	const keys = new Set<string>();
	for (const route of [...(http ?? []), ...(tls ?? []), ...(tcp ?? [])]) {
		for (const { destination } of route.route ?? []) {
			const service = serviceOfHost(destination?.host ?? "", rule.metadata?.namespace ?? "");
			if (service !== undefined) {
				keys.add(`${service.namespace}/${service.name}`);
			}
		}
	}
	return keys;
}

/** The names of the indexes. */
export type IndexName = keyof typeof indexes;
type Indexed<I extends IndexName> = (typeof indexes)[I]["kind"];

/** What the mesh does that no object of ours says. */
export interface MeshFacts {
	/** Istio's minor version, 30 for 1.30. */
	readonly istioMinor: number;
	readonly rootNamespace: string;
	readonly clusterDomain: string;
	/** The revision, and the tags, that read objects without or with these `istio.io/rev` labels. */
	readonly revisions: ReadonlySet<string>;
	/** Which ServiceEntries the mesh shows to whom (meshConfig.serviceEntryVisibility, Istio 1.31). */
	readonly serviceEntryVisibility: ServiceEntryVisibility | undefined;
}

export type Visibility = "PUBLIC" | "NAMESPACE" | "NONE";

export interface ServiceEntryVisibility {
	readonly defaultVisibility: Visibility;
	/** The first policy of which every rule matches the namespace's labels decides. */
	readonly policies: readonly {
		readonly visibility: Visibility;
		readonly rules: readonly { readonly namespaceSelector: LabelSelector | undefined }[];
	}[];
}

/** The newest Istio whose behaviour Waymark was held against. */
export const newestIstioMinor = 31;

/** A mesh of which nothing is known but its settings. */
export function assumedMesh(settings: Settings): MeshFacts {
	return {
		istioMinor: settings.istioMinor ?? newestIstioMinor,
		rootNamespace: "istio-system",
		clusterDomain: settings.clusterDomain,
		revisions: new Set(["default"]),
		serviceEntryVisibility: undefined,
	};
}

function meshOf(settings: Settings, learned: Partial<MeshFacts>): MeshFacts {
	const assumed = assumedMesh(settings);
	const istioMinor = settings.istioMinor ?? learned.istioMinor ?? assumed.istioMinor;
	return { ...assumed, ...learned, istioMinor };
}

/** What rules see of the cluster: synchronous, read-only, every look-up by key. */
export interface Inventory {
	readonly settings: Settings;
	readonly mesh: MeshFacts;
	/** The world was read from manifests: what controllers would write (a waypoint's status) is taken for granted. */
	readonly offline: boolean;
	/** The object, or undefined; `namespace` is "" for kinds without one. */
	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined;
	/** Every object of a kind in one namespace. */
	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]>;
	/** Every object of a kind: for the auditor and for trace; a rule looks up. */
	all<K extends Kind>(kind: K): Iterable<Resources[K]>;
	/** The objects that stand in an index under a key. */
	lookup<I extends IndexName>(index: I, key: string): Iterable<Resources[Indexed<I>]>;
	/** The policy of a namespace, of the cluster's defaults when the namespace is not known. */
	policy(namespace: string): Policy;
}

const nothing: ReadonlyMap<string, unknown> = new Map();
const none: readonly never[] = [];

/** The kind that an index finds. */
export function kindOfIndex(name: IndexName): Kind {
	return indexes[name].kind;
}

type Store = Map<string, Map<string, unknown>>;

// Most keys find one object, and a Set costs two hundred bytes: it is made for the second one.
type IndexEntries = Map<string, unknown>;

/** The one implementation of `Inventory`, fed by watches, YAML files or tests. */
export class ClusterState implements Inventory {
	readonly offline: boolean;
	#settings: Settings;
	#mesh: MeshFacts;
	#learned: Partial<MeshFacts> = {};
	readonly #objects: ReadonlyMap<Kind, Store> = new Map(allKinds.map((kind) => [kind, new Map()]));
	readonly #indexes: ReadonlyMap<string, IndexEntries> = new Map(
		Object.keys(indexes).map((name) => [name, new Map()]),
	);
	readonly #policies = new Map<string, Policy>();

	constructor(settings: Settings = defaultSettings, options: { readonly offline?: boolean } = {}) {
		this.#settings = settings;
		this.#mesh = assumedMesh(settings);
		this.offline = options.offline ?? false;
	}

	get settings(): Settings {
		return this.#settings;
	}

	get mesh(): MeshFacts {
		return this.#mesh;
	}

	/** Takes new cluster settings and parses every policy anew. */
	configure(settings: Settings): void {
		this.#settings = settings;
		this.#mesh = meshOf(settings, this.#learned);
		for (const namespace of this.all("Namespace")) {
			this.#readPolicy(namespace);
		}
	}

	/** Takes facts about the mesh that were read from the cluster; what the settings say goes before them. */
	learn(mesh: Partial<MeshFacts>): void {
		this.#learned = { ...this.#learned, ...mesh };
		this.#mesh = meshOf(this.#settings, this.#learned);
	}

	/** Adds an object or replaces the one of its namespace and name. */
	set<K extends Kind>(kind: K, object: Resources[K]): void {
		const namespace = object.metadata?.namespace ?? "";
		const name = object.metadata?.name ?? "";
		const store = this.#store(kind);
		let names = store.get(namespace);
		if (names === undefined) {
			names = new Map();
			store.set(namespace, names);
		}
		const before = names.get(name);
		if (before !== undefined) {
			this.#unindex(kind, before as Resources[K]);
		}
		names.set(name, object);
		this.#index(kind, object);
		if (kind === "Namespace") {
			this.#readPolicy(object as Namespace);
		}
	}

	/** Removes an object, if it is there. */
	delete(kind: Kind, namespace: string, name: string): void {
		const store = this.#store(kind);
		const names = store.get(namespace);
		const object = names?.get(name);
		if (names === undefined || object === undefined) {
			return;
		}
		this.#unindex(kind, object as Resources[typeof kind]);
		names.delete(name);
		if (names.size === 0) {
			store.delete(namespace);
		}
		if (kind === "Namespace") {
			this.#policies.delete(name);
		}
	}

	/** Makes the objects of a kind exactly these, in one step as seen by a reader. */
	replace<K extends Kind>(kind: K, objects: Iterable<Resources[K]>): void {
		const gone = new Map([...this.all(kind)].map((object) => [address(object), object]));
		for (const object of objects) {
			gone.delete(address(object));
			this.set(kind, object);
		}
		for (const object of gone.values()) {
			this.delete(kind, object.metadata?.namespace ?? "", object.metadata?.name ?? "");
		}
	}

	/** How many objects of a kind there are. */
	count(kind: Kind): number {
		let count = 0;
		for (const names of this.#store(kind).values()) {
			count += names.size;
		}
		return count;
	}

	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		return this.#store(kind).get(namespace)?.get(name) as Resources[K] | undefined;
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		return (this.#store(kind).get(namespace) ?? nothing).values() as Iterable<Resources[K]>;
	}

	*all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		for (const names of this.#store(kind).values()) {
			yield* names.values() as Iterable<Resources[K]>;
		}
	}

	lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		const found = this.#indexes.get(name)?.get(key);
		if (found === undefined) {
			return none;
		}
		const all: Iterable<unknown> = found instanceof Set ? found : [found];
		return all as Iterable<Resources[Indexed<I>]>;
	}

	policy(namespace: string): Policy {
		return this.#policies.get(namespace) ?? parsePolicy(namespace, undefined, this.#settings);
	}

	#readPolicy(namespace: Namespace): void {
		const name = namespace.metadata?.name ?? "";
		this.#policies.set(name, parsePolicy(name, namespace, this.#settings));
	}

	#store(kind: Kind): Store {
		const store = this.#objects.get(kind);
		if (store === undefined) {
			throw new Error(`Cannot find the store of ${kind}: no such kind`);
		}
		return store;
	}

	#index<K extends Kind>(kind: K, object: Resources[K]): void {
		for (const [entries, key] of this.#places(kind, object)) {
			const found = entries.get(key);
			if (found === undefined) {
				entries.set(key, object);
			} else if (found instanceof Set) {
				found.add(object);
			} else if (found !== object) {
				entries.set(key, new Set([found, object]));
			}
		}
	}

	#unindex<K extends Kind>(kind: K, object: Resources[K]): void {
		for (const [entries, key] of this.#places(kind, object)) {
			const found = entries.get(key);
			if (found instanceof Set) {
				found.delete(object);
			}
			if (found === object || (found instanceof Set && found.size === 0)) {
				entries.delete(key);
			}
		}
	}

	*#places<K extends Kind>(kind: K, object: Resources[K]): Iterable<[IndexEntries, string]> {
		for (const [name, { keys }] of indexesOf.get(kind) ?? none) {
			const entries = this.#indexes.get(name);
			if (entries !== undefined) {
				for (const key of keys(object)) {
					yield [entries, key];
				}
			}
		}
	}
}

function address(object: Resources[Kind]): string {
	return `${object.metadata?.namespace ?? ""}/${object.metadata?.name ?? ""}`;
}
