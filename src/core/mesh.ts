import type { LabelSelector } from "./kinds.ts";
import type { Settings } from "./settings.ts";

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
	/** The trust domain of the mesh, then its aliases; undefined: nobody could say. */
	readonly trustDomains: readonly string[] | undefined;
	/** Which namespaces istiod looks at (meshConfig.discoverySelectors): those that one of them selects; none: all. */
	readonly discoverySelectors: readonly LabelSelector[];
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
		trustDomains: undefined,
		discoverySelectors: [],
	};
}

/** The mesh as it was learned from the cluster; what the settings say goes before that. */
export function meshOf(settings: Settings, learned: Partial<MeshFacts>): MeshFacts {
	const assumed = assumedMesh(settings);
	const istioMinor = settings.istioMinor ?? learned.istioMinor ?? assumed.istioMinor;
	return { ...assumed, ...learned, istioMinor };
}
