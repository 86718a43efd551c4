/** How much one does more of when there is twice as much: 1 for a linear algorithm, 2 for a quadratic one. */
const steepest = 1.3;

/** Rounds at most; another one is run only where a slope is too steep, since others use the machine too. */
const mostRounds = 8;

const doublings = [1, 2, 4, 8] as const;

/** What is measured at a size: everything that is not the work itself is made before. */
export type Prepare = (size: number) => () => unknown;

/**
 * The slope of the CPU time over three doublings of a size, in the logarithm of both; undefined where it is no steeper
 * than 1.3. Each size counts with the least time that it ever took: what is quadratic stays so however often it is run.
 */
export function steepSlope(prepare: Prepare, size: number): string | undefined {
	const runs = doublings.map((times) => prepare(size * times));
	const least = runs.map(() => Number.POSITIVE_INFINITY);
	let slope = Number.POSITIVE_INFINITY;
	for (let round = 0; round < mostRounds && !(slope <= steepest); round++) {
		for (const [index, run] of runs.entries()) {
			const start = process.cpuUsage();
			run();
			const { user, system } = process.cpuUsage(start);
			least[index] = Math.min(least[index] ?? Number.POSITIVE_INFINITY, user + system);
		}
		slope = slopeOf(least);
	}
	return slope <= steepest
		? undefined
		: `slope ${slope.toFixed(2)}: ${least.map((time) => `${(time / 1_000).toFixed(1)} ms`).join(", ")}`;
}

/** The slope of the line that fits best. */
function slopeOf(times: readonly number[]): number {
	const points = times.map((time, index) => [index, Math.log2(Math.max(time, 1))] as const);
	const middle = (points.length - 1) / 2;
	const mean = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
	const rise = points.reduce((sum, [x, y]) => sum + (x - middle) * (y - mean), 0);
	return rise / points.reduce((sum, [x]) => sum + (x - middle) ** 2, 0);
}
