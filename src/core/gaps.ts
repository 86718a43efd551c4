/** A host of a ServiceEntry that namespaces reach although their policies do not allow it, and nothing refuses them. */
export interface EntryGap {
	readonly host: string;
	/** In ascending order. */
	readonly ports: readonly number[];
	/** The waypoint that lets them through, `NAMESPACE/NAME`; undefined: none is on the way. */
	readonly waypoint: string | undefined;
	/** How many namespaces. */
	readonly count: number;
	/** The first few of them, in order. */
	readonly namespaces: readonly string[];
}

/** What the pods of a namespace reach although its policy does not allow it, and nothing refuses them. */
export interface NamespaceGap {
	/** How many ports of hosts. */
	readonly count: number;
	/** The first few of them, `HOST:PORT`, in order. */
	readonly destinations: readonly string[];
	/** How many of them are reached past every waypoint. */
	readonly direct: number;
}

/**
 * Where enforced policies are not kept, worked out for a whole world: it depends on every namespace, entry, waypoint and
 * AuthorizationPolicy, so that no single request can be judged by it.
 */
export interface Gaps {
	/** Ordered by host. */
	ofEntry(namespace: string, name: string): readonly EntryGap[];
	ofNamespace(namespace: string): NamespaceGap | undefined;
}
