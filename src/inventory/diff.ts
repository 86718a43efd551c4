import { markdownText } from "./formats.ts";

/** A row of a written inventory, as far as a comparison reads it. */
export interface WrittenRow {
	readonly host: string;
	readonly port: number;
	readonly protocol: string;
	readonly tls: string;
	readonly way: string;
	readonly waypoint: string | null;
	readonly can: readonly string[];
	readonly gap: readonly string[];
}

/** A written inventory (`inventory --output json`). */
export interface WrittenInventory {
	readonly version: 1;
	readonly cluster: string | null;
	readonly namespaces: readonly string[];
	readonly hosts: readonly WrittenRow[];
}

/** What became of a host and port between two inventories. */
export interface Change {
	readonly kind: "added" | "removed" | "widened" | "narrowed" | "changed";
	readonly host: string;
	readonly port: number;
	readonly protocol: string;
	/** Namespaces that can reach it now and could not. */
	readonly gained: readonly string[];
	/** Namespaces that could and cannot. */
	readonly lost: readonly string[];
	/** What else differs, in words. */
	readonly details: readonly string[];
}

/** What changed from one inventory to a later one, in the order of hosts and ports. */
export function compareInventories(before: WrittenInventory, after: WrittenInventory): readonly Change[] {
	const old = destinations(before);
	const young = destinations(after);
	const keys = [...new Set([...old.keys(), ...young.keys()])].toSorted(byKey);
	return keys.flatMap((key) => changesOf(old.get(key), young.get(key)));
}

interface Destination {
	readonly row: WrittenRow;
	readonly can: ReadonlySet<string>;
	readonly ways: string;
	readonly tls: string;
}

/** Rows of one host, port and protocol together: what counts is who gets there, and by which ways. */
function destinations({ hosts, namespaces }: WrittenInventory): ReadonlyMap<string, Destination> {
	const groups = Map.groupBy(hosts, ({ host, port, protocol }) => JSON.stringify([host, port, protocol]));
	return new Map(
		[...groups].flatMap(([key, rows]) => {
			const [row] = rows;
			const texts = (of: (row: WrittenRow) => string): string =>
				[...new Set(rows.map(of))].toSorted().join(", ");
			return row === undefined
				? []
				: [
						[
							key,
							{
								row,
								can: new Set(rows.flatMap(({ can }) => expand(can, namespaces))),
								ways: texts(({ way, waypoint }) => (waypoint === null ? way : `${way} ${waypoint}`)),
								tls: texts(({ tls }) => tls),
							},
						] as const,
					];
		}),
	);
}

/** The names of a set, of which `--compact` may have written `*` and `-NAME`. */
export function expand(set: readonly string[], namespaces: readonly string[]): readonly string[] {
	if (set[0] !== "*") {
		return set;
	}
	const out = new Set(set.slice(1).map((name) => name.replace(/^-/, "")));
	return namespaces.filter((name) => !out.has(name));
}

function changesOf(old: Destination | undefined, young: Destination | undefined): readonly Change[] {
	const row = young?.row ?? old?.row;
	if (row === undefined) {
		return [];
	}
	const gained = [...(young?.can ?? [])].filter((name) => old?.can.has(name) !== true).toSorted();
	const lost = [...(old?.can ?? [])].filter((name) => young?.can.has(name) !== true).toSorted();
	const base = { host: row.host, port: row.port, protocol: row.protocol, gained, lost };
	if (old === undefined || young === undefined) {
		return [{ ...base, kind: old === undefined ? "added" : "removed", details: [] }];
	}
	const details = [
		...(old.ways === young.ways ? [] : [`way ${old.ways} → ${young.ways}`]),
		...(old.tls === young.tls ? [] : [`tls ${old.tls} → ${young.tls}`]),
	];
	if (gained.length === 0 && lost.length === 0 && details.length === 0) {
		return [];
	}
	const kind = gained.length > 0 ? "widened" : lost.length > 0 ? "narrowed" : "changed";
	return [{ ...base, kind, details }];
}

function byKey(one: string, other: string): number {
	const [host = "", port = 0] = JSON.parse(one) as [string, number];
	const [otherHost = "", otherPort = 0] = JSON.parse(other) as [string, number];
	return host < otherHost ? -1 : host > otherHost ? 1 : port - otherPort || (one < other ? -1 : 1);
}

const signs: Readonly<Record<Change["kind"], string>> = {
	added: "+",
	removed: "-",
	widened: ">",
	narrowed: "<",
	changed: "~",
};

/** Changes, one line each. */
export function changesText(changes: readonly Change[]): string {
	return changes.map((change) => `${signs[change.kind]} ${changeLine(change)}\n`).join("");
}

/** Changes as a list of Markdown, for the comment of a pull request. */
export function changesMarkdown(changes: readonly Change[]): string {
	return changes.length === 0
		? "No change in who reaches what.\n"
		: changes.map((change) => `- ${markdownText(changeLine(change))}\n`).join("");
}

function changeLine({ kind, host, port, protocol, gained, lost, details }: Change): string {
	const parts = [
		...(gained.length === 0 ? [] : [`can now: ${few(gained)}`]),
		...(lost.length === 0 ? [] : [`no longer: ${few(lost)}`]),
		...details,
	];
	const text = `${kind} ${host}:${port}${protocol === "" ? "" : `/${protocol}`}${parts.length === 0 ? "" : ` – ${parts.join("; ")}`}`;
	return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}

function few(names: readonly string[]): string {
	return names.length <= 8
		? names.join(", ")
		: `${names.slice(0, 7).join(", ")} and ${names.length - 7} more`;
}
