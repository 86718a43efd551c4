import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { fieldsOf, listOf, textOf, textsOf } from "./fields.ts";
import type { Output } from "./input-object.ts";
import { outputKey } from "./input-object.ts";
import type { ConvertedBundle, Migration } from "./migrate.ts";

/** An object that is not written, because it would be refused, or would lose what it stands for. */
export interface Withheld {
	readonly title: string;
	readonly reasons: readonly string[];
}

/** A migration without what must not be written, and without the end of old ways that have no new one. */
export interface HeldMigration extends Migration {
	readonly withheld: readonly Withheld[];
}

/**
 * Takes what must not be written out of a migration, with everything that was written for it. A way out of which an
 * entry is held back, or that has none, is not replaced: its old objects stay.
 */
export function holdBack(
	migration: Migration,
	refused: ReadonlyMap<Output, readonly string[]>,
): HeldMigration {
	const reasons = new Map<string, readonly string[]>();
	for (const { outputs, entries, blocked } of migration.bundles) {
		for (const output of outputs) {
			const reason = blocked.get(outputKey(output.object));
			const all = [...(reason === undefined ? [] : [reason]), ...(refused.get(output) ?? [])];
			if (all.length > 0) {
				reasons.set(outputKey(output.object), all);
			}
		}
		for (const entry of entries.filter((each) => reasons.has(outputKey(each.output.object)))) {
			for (const output of outputs.filter((each) => isFor(each, entry))) {
				const key = outputKey(output.object);
				const why = `it goes with ServiceEntry ${entry.namespace}/${entry.name}, which is held back`;
				reasons.set(key, reasons.get(key) ?? [why]);
			}
		}
	}
	const isKept = (output: Output): boolean => !reasons.has(outputKey(output.object));
	const bundles = migration.bundles.map((bundle) => withoutHeld(bundle, isKept));
	const needed = new Set(
		bundles
			.filter(({ isReplaced }) => !isReplaced)
			.flatMap(({ bundle }) => bundle.participants.map(({ input }) => input)),
	);
	return {
		...migration,
		bundles: bundles.map((bundle) => ({
			...bundle,
			removals: bundle.removals.filter((input) => !needed.has(input)),
			steering: bundle.steering.filter((input) => !needed.has(input)),
		})),
		outputs: migration.outputs.filter((output) => isKept(output) && isUsed(output, bundles)),
		withheld: [...reasons].map(([title, all]) => ({ title, reasons: all })),
	};
}

/** Whether a bundle writes an output, or binds to the waypoint that it is. */
function isUsed({ object }: Output, bundles: readonly ConvertedBundle[]): boolean {
	const key = outputKey(object);
	return bundles.some(
		({ outputs, entries }) =>
			outputs.some((output) => outputKey(output.object) === key) ||
			entries.some(({ waypoint }) => key === `Gateway ${waypoint.namespace}/${waypoint.name}`),
	);
}

function withoutHeld(bundle: ConvertedBundle, isKept: (output: Output) => boolean): ConvertedBundle {
	const entries = bundle.entries.filter(({ output }) => isKept(output));
	const isReplaced = entries.length > 0 && entries.length === bundle.entries.length;
	return {
		...bundle,
		entries,
		// Without an entry, what only serves one has no use.
		outputs: entries.length === 0 ? [] : bundle.outputs.filter(isKept),
		isReplaced,
		removals: isReplaced ? bundle.removals : [],
		steering: isReplaced ? bundle.steering : [],
	};
}

/** Whether an object was written for the hosts of an entry alone. */
function isFor({ object }: Output, entry: BoundEntry): boolean {
	const spec = fieldsOf(object.spec);
	const refs = [...listOf(spec.parentRefs), ...listOf(spec.targetRefs)].map(fieldsOf);
	const hosts = [...textsOf(spec.hosts), ...[spec.host].flatMap((host) => textOf(host) ?? [])];
	const { namespace } = fieldsOf(object.metadata);
	const names = (ref: (typeof refs)[number]): boolean =>
		ref.kind === "ServiceEntry" && ref.name === entry.name && namespace === entry.namespace;
	return refs.length > 0
		? refs.every(names)
		: hosts.length > 0 && hosts.every((host) => entry.hosts.includes(canonicalHost(host)));
}
