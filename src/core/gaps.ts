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
	/** Who: every pod of them, or those alone whose ServiceAccount `allowed-service-accounts` does not name. */
	readonly whose: "all" | "unnamed";
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

/** The gaps of a namespace: of all of its pods, and of those alone whose ServiceAccount its policy does not name. */
export interface NamespaceGaps {
	readonly all: NamespaceGap | undefined;
	readonly unnamed: NamespaceGap | undefined;
}

/**
 * Where enforced policies are not kept, worked out for a whole world: it depends on every namespace, entry, waypoint and
 * AuthorizationPolicy, so that no single request can be judged by it.
 */
export interface Gaps {
	/** Ordered by host. */
	ofEntry(namespace: string, name: string): readonly EntryGap[];
	ofNamespace(namespace: string): NamespaceGaps | undefined;
}

/** Whether gaps were worked out, as they are for lint and the auditor. */
export function areGapsKnown(_object: unknown, { gaps }: { readonly gaps: Gaps | undefined }): boolean {
	return gaps !== undefined;
}
