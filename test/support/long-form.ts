/** Whether the tests run in their long form: `npm run test:long`. */
const isLong = process.env.WAYMARK_LONG_TESTS === "1";

/** Whether everything is tried of which `npm test` tries a sample. */
const isWhole = isLong || process.env.WAYMARK_WHOLE_TESTS === "1";

/**
 * How often a generator is asked: as often as said in the long form, and a quarter as often in the gate, where its seed is
 * another at every run.
 */
export function runs(long: number): { readonly numRuns: number } {
	return { numRuns: gateOr(Math.ceil(long / 4), long) };
}

/**
 * The most processor time that a verdict may take, in milliseconds: 50 in the long form, which runs on a quiet machine, and
 * twice as much in the gate, which runs on any, beside others.
 */
export const longestVerdictMs: number = isLong ? 50 : 100;

/** A number of things to try: the first in the gate, the second in the long form. */
export function gateOr(gate: number, long: number): number {
	return isLong ? long : gate;
}

/** Of how many things `npm test` tries one. */
const sampled = 3;

/**
 * What is tried of many things: all in `npm run test:processes`, which the gate runs, and in the long form; in `npm test`
 * every third, others at the next run.
 */
export function sampleOf<T>(all: readonly T[]): readonly T[] {
	const first = Math.floor(Math.random() * Math.min(sampled, all.length));
	return isWhole ? all : all.filter((_, index) => index % sampled === first);
}
