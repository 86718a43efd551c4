import { setTimeout as sleep } from "node:timers/promises";

/** What discovery says about a kind. */
export interface ApiKind {
	readonly group: string;
	readonly kind: string;
	readonly plural: string;
	readonly namespaced: boolean;
	/** The served versions, the preferred one first. */
	readonly versions: readonly string[];
	readonly verbs: readonly string[];
}

/** Gets the JSON at a path, in the given media type; throws unless the answer is 2xx. */
export type Fetch = (path: string, accept: string) => Promise<unknown>;

/** `ServiceEntry.networking.istio.io`, the way kubectl writes it. */
export function qualify(kind: string, group: string): string {
	return `${kind}.${group}`;
}

/** Opens a look-up of kinds by `KIND` or `KIND.GROUP`, which remembers what it has found. */
export function createKindFinder(fetch: Fetch): (name: string) => Promise<ApiKind> {
	const known = new Map<string, ApiKind>();
	return async (name) => {
		const hit = known.get(name);
		if (hit !== undefined) {
			return hit;
		}
		const dot = name.indexOf(".");
		const kind = dot === -1 ? name : name.slice(0, dot);
		const group = dot === -1 ? undefined : name.slice(dot + 1);
		// Discovery follows a new CRD a moment later.
		for (let attempts = 0; attempts < 100; attempts++) {
			const all = await discover(fetch);
			const fits = all.filter((each) => each.kind === kind && (group === undefined || each.group === group));
			if (fits.length > 1) {
				const choices = fits.map((each) => qualify(each.kind, each.group)).join(" or ");
				throw new Error(`Cannot tell which ${name} is meant: write ${choices}`);
			}
			if (fits[0] !== undefined) {
				known.set(name, fits[0]);
				return fits[0];
			}
			await sleep(50);
		}
		throw new Error(`Cannot find the kind ${name}: the API server does not serve it`);
	};
}

interface AggregatedDiscovery {
	readonly items: readonly {
		readonly metadata?: { readonly name?: string };
		readonly versions: readonly {
			readonly version: string;
			readonly resources?: readonly {
				readonly resource: string;
				readonly responseKind?: { readonly kind: string };
				readonly scope: "Cluster" | "Namespaced";
				readonly verbs: readonly string[];
			}[];
		}[];
	}[];
}

/** Reads aggregated discovery: two requests for everything. */
export async function discover(fetch: Fetch): Promise<readonly ApiKind[]> {
	const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
	const kinds = new Map<string, ApiKind>();
	for (const path of ["/api", "/apis"]) {
		const answer = (await fetch(path, accept)) as AggregatedDiscovery;
		for (const { metadata, versions } of answer.items) {
			const group = metadata?.name ?? "";
			for (const { version, resources = [] } of versions) {
				for (const { resource, responseKind, scope, verbs } of resources) {
					const kind = responseKind?.kind ?? "";
					const key = qualify(kind, group);
					const before = kinds.get(key);
					kinds.set(key, {
						group,
						kind,
						plural: resource,
						namespaced: scope === "Namespaced",
						versions: [...(before?.versions ?? []), version],
						verbs,
					});
				}
			}
		}
	}
	return [...kinds.values()];
}
