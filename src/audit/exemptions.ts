import type { Inventory } from "../core/inventory.ts";

/** One exemption of one namespace, as `waymark exemptions --output json` writes it. */
export interface ListedExemption {
	readonly namespace: string;
	readonly rule: string;
	readonly until: string;
	/** Whole days after today on which it still holds; negative where it has ended. */
	readonly daysLeft: number;
	readonly reason: string;
	readonly owner: string | null;
	readonly ticket: string | null;
}

/** Every exemption of every namespace, those that end first above. */
export function listExemptions(world: Inventory, today: string): readonly ListedExemption[] {
	const list: ListedExemption[] = [];
	for (const { metadata } of world.all("Namespace")) {
		const namespace = metadata?.name ?? "";
		for (const [rule, { until, reason, owner, ticket }] of world.policy(namespace).exemptions) {
			const daysLeft = Math.round((Date.parse(until) - Date.parse(today)) / 86_400_000);
			list.push({ namespace, rule, until, daysLeft, reason, owner: owner ?? null, ticket: ticket ?? null });
		}
	}
	return list.toSorted(
		(one, other) =>
			one.daysLeft - other.daysLeft ||
			compare(one.namespace, other.namespace) ||
			compare(one.rule, other.rule),
	);
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

/** So many days before its last one an exemption is told. */
export const toldDays = 14;

/** How long exemptions still hold, from the shortest: an ended one counts as that, and each once. */
export const exemptionSpans: readonly { readonly left: string; readonly mostDays: number }[] = [
	{ left: "ended", mostDays: -1 },
	{ left: "14 days", mostDays: toldDays },
	{ left: "30 days", mostDays: 30 },
	{ left: "90 days", mostDays: 90 },
	{ left: "longer", mostDays: Number.POSITIVE_INFINITY },
];

/** The number of exemptions by how long they still hold. */
export function countExemptions(list: readonly ListedExemption[]): Readonly<Record<string, number>> {
	const counts = Object.fromEntries(exemptionSpans.map(({ left }) => [left, 0]));
	for (const { daysLeft } of list) {
		const span = exemptionSpans.find(({ mostDays }) => daysLeft <= mostDays);
		if (span !== undefined) {
			counts[span.left] = (counts[span.left] ?? 0) + 1;
		}
	}
	return counts;
}
