import type { Bits } from "../reach/bits.ts";
import { countOf, isEmpty, isSame, rememberSets } from "../reach/bits.ts";
import type { Row, Table } from "./rows.ts";
import { namesOf } from "./rows.ts";

/** The most names that are written out. */
const mostNames = 6;

/** Says sets of a table's namespaces in few words; equal sets are put into words once. */
export function setWriter(table: Table): (bits: Bits) => string {
	return rememberSets((bits) => wordsFor(bits, table));
}

function wordsFor(bits: Bits, table: Table): string {
	if (isEmpty(bits)) {
		return "none";
	}
	const count = countOf(bits);
	const total = table.namespaces.length;
	if (count === total) {
		return "all";
	}
	const label = count < 2 ? undefined : table.labelled.find(({ members }) => isSame(members, bits))?.label;
	if (label !== undefined) {
		return `${label} (${count})`;
	}
	const names = namesOf(bits, table);
	if (count <= mostNames) {
		return names.join(", ");
	}
	if (total - count <= mostNames) {
		const inside = new Set(names);
		return `all but ${table.namespaces.filter((name) => !inside.has(name)).join(", ")}`;
	}
	return `${names.slice(0, mostNames - 1).join(", ")} and ${count - mostNames + 1} more`;
}

/** By which way a row's connections leave, in words. */
export function wayText({ way, waypoint }: Pick<Row, "way" | "waypoint">): string {
	switch (way) {
		case "waypoint":
			return `through ${waypoint}`;
		case "refused":
			return `refused at ${waypoint}`;
		case "direct":
			return "direct";
		case "unknown":
			return "unknown to the mesh";
	}
}

/** Who gets there against a policy: namespaces, and those of which only ServiceAccounts that their policy does not name do. */
export function gapText({ gap, unnamed }: Pick<Row, "gap" | "unnamed">, set: (bits: Bits) => string): string {
	if (isEmpty(unnamed)) {
		return set(gap);
	}
	const accounts = `other ServiceAccounts of ${set(unnamed)}`;
	return isEmpty(gap) ? accounts : `${set(gap)}; ${accounts}`;
}

/** The columns of every table for people, and what a row has in them. */
export function columnsOf(table: Table): readonly (readonly [string, (row: Row) => string])[] {
	const set = setWriter(table);
	return [
		["HOST", ({ host, port }) => `${host}:${port}`],
		["PROTOCOL", ({ protocol }) => (protocol === "" ? "any" : protocol)],
		["TLS", ({ tls }) => tls],
		["WAY", wayText],
		["MAY", ({ may }) => set(may)],
		["CAN", ({ can }) => set(can)],
		["GAP", (row) => gapText(row, set)],
		[
			"DECLARED BY",
			({ declaredBy }) => declaredBy.map(({ namespace, name }) => `${namespace}/${name}`).join(", "),
		],
		[
			"ALLOWED BY",
			({ allowedBy }) => allowedBy.map(({ namespace, line }) => `${namespace}: ${line}`).join("; "),
		],
		["OWNER", ({ owner }) => owner ?? ""],
		["TICKET", ({ ticket }) => ticket ?? ""],
		["REASON", ({ reason }) => reason ?? ""],
		["REVIEW BY", ({ reviewBy }) => reviewBy ?? ""],
		[
			"EXEMPTIONS",
			({ exemptions }) =>
				exemptions
					.map(({ rule, until, daysLeft }) => `${rule} until ${until} (${daysLeft} days left)`)
					.join("; "),
		],
		["SINCE", ({ since }) => (since ?? "").slice(0, 10)],
	];
}
