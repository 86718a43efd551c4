/** An answer has at most so many bytes of JSON: what an assistant can read at once, and no model's window is full of it. */
const mostBytes = 64 * 1024;

/** A JSON object in the shape of its schema. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** An answer that fits, and how much of which lists was left out of it. */
export interface BoundedAnswer {
	readonly content: JsonObject;
	readonly left: readonly { readonly list: string; readonly shown: number; readonly of: number }[];
}

/**
 * Shortens the longest lists of an answer, from their ends, until it fits: what it counts elsewhere, as lint's summary, still
 * counts all. Undefined where no list can be shortened any more.
 */
export function bounded(content: JsonObject): BoundedAnswer | undefined {
	const lists = new Map(
		Object.entries(content).flatMap(([name, value]) =>
			Array.isArray(value) ? [[name, value as readonly unknown[]] as const] : [],
		),
	);
	const kept = new Map([...lists].map(([name, { length }]) => [name, length]));
	const cut = (): JsonObject => ({
		...content,
		...Object.fromEntries([...lists].map(([name, list]) => [name, list.slice(0, kept.get(name))])),
	});
	let size = sizeOf(cut());
	while (size > mostBytes) {
		const [largest] = [...lists]
			.map(([name, list]) => ({ name, size: sizeOf(list.slice(0, kept.get(name))) }))
			.toSorted((one, other) => other.size - one.size);
		const length = largest === undefined ? 0 : (kept.get(largest.name) ?? 0);
		if (largest === undefined || length === 0) {
			return undefined;
		}
		// In one step nearly as far as it must go; items are of about one size.
		const share = Math.max(0, largest.size - (size - mostBytes)) / largest.size;
		kept.set(largest.name, Math.min(length - 1, Math.floor(length * share)));
		size = sizeOf(cut());
	}
	const left = [...lists]
		.map(([list, { length }]) => ({ list, shown: kept.get(list) ?? 0, of: length }))
		.filter(({ shown, of }) => shown < of);
	return { content: cut(), left };
}

function sizeOf(value: unknown): number {
	return Buffer.byteLength(JSON.stringify(value));
}
