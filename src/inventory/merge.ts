import type { WrittenInventory, WrittenRow } from "./diff.ts";
import { expand } from "./diff.ts";
import { sets } from "./formats.ts";

/** Inventories of several clusters in one. */
export interface MergedInventory {
	readonly version: 1;
	readonly clusters: readonly string[];
	/** Rows in the order of hosts and ports, each with its cluster. */
	readonly hosts: readonly (WrittenRow & { readonly cluster: string })[];
}

/** What the clusters of inventories are called; one without a name is called by its place. */
export function clustersOf(inventories: readonly WrittenInventory[]): readonly string[] {
	return inventories.map(({ cluster }, index) => cluster ?? `cluster ${index + 1}`);
}

/** Joins inventories of clusters that are called differently. */
export function mergeInventories(inventories: readonly WrittenInventory[]): MergedInventory {
	const clusters = clustersOf(inventories);
	const hosts = inventories.flatMap(({ hosts: rows, namespaces }, index) =>
		rows.map((row) => ({
			...row,
			...expanded(row, namespaces),
			cluster: clusters[index] ?? "",
		})),
	);
	return { version: 1, clusters, hosts: hosts.toSorted(byHost) };
}

const setNames: ReadonlySet<string> = new Set(sets);

function expanded(row: WrittenRow, namespaces: readonly string[]): Partial<WrittenRow> {
	return Object.fromEntries(
		Object.entries(row).flatMap(([name, value]) =>
			setNames.has(name) && Array.isArray(value)
				? [[name, expand(value as readonly string[], namespaces)]]
				: [],
		),
	);
}

type MergedRow = MergedInventory["hosts"][number];

function byHost(one: MergedRow, other: MergedRow): number {
	if (one.host !== other.host) {
		return one.host < other.host ? -1 : 1;
	}
	return one.port - other.port || (one.cluster < other.cluster ? -1 : one.cluster > other.cluster ? 1 : 0);
}
