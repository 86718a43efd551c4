import { GCProfiler, getHeapStatistics } from "node:v8";

/** How much one does more of when there is twice as much: 1 for a linear algorithm, 2 for a quadratic one. */
const steepest = 1.3;

/** Rounds at most; another one is run only where a slope is too steep, since others use the machine too. */
const mostRounds = 12;

const doublings = [1, 2, 4, 8] as const;

/** Less than this is noise: of the largest a millisecond of CPU, of each a quarter of it, 128 KiB on the heap. */
const leastMicros = 1_000;
const leastOfEachMicros = leastMicros / 4;
const leastBytes = 128 * 1024;

/** What is measured at a size: everything that is not the work itself is made before. */
export type Prepare = (size: number) => () => unknown;

/** What a run took, in microseconds by the clock on the wall and by the thread's own, and what it put on the heap. */
interface Cost {
	readonly wallMicros: number;
	readonly micros: number;
	readonly bytes: number;
}

/**
 * How far the thread's own clock goes in one step, in microseconds: Linux moves it on by its timer, every 4 milliseconds as
 * a rule, and only elsewhere with every look.
 */
const clockStep = stepOfClock();

function stepOfClock(): number {
	let longest = 0;
	for (let count = 0; count < 3; count++) {
		const before = threadMicros();
		let now = before;
		while (now === before) {
			now = threadMicros();
		}
		longest = Math.max(longest, now - before);
	}
	return longest;
}

function threadMicros(): number {
	const { user, system } = process.threadCpuUsage();
	return user + system;
}

/** What several sizes of the same work took. */
export interface Growth {
	/** How CPU time or allocated bytes grow too fast; undefined where neither does. */
	readonly steep: string | undefined;
	/** The largest of the runs, and its CPU time in milliseconds. */
	readonly last: () => unknown;
	readonly lastMs: number;
}

/**
 * The slopes of the CPU time and of the allocated bytes over three doublings of a size, in the logarithm of both;
 * undefined where neither is steeper than 1.3.
 */
export function steepSlope(prepare: Prepare, size: number): string | undefined {
	return growthOf(doublings.map((times) => () => prepare(size * times))).steep;
}

/**
 * How the cost of the same work grows from run to run, each twice as large as the one before. Each counts with the least
 * time that it ever took, since others only add to it, and with the middle of the bytes, which a collection in mid-run
 * makes more or fewer: what is quadratic stays so however often it is run. Where the largest is noise, no other is even
 * prepared.
 */
export function growthOf(prepares: readonly (() => () => unknown)[]): Growth {
	const last = prepares.at(-1)?.() ?? (() => undefined);
	const first = costOf(last);
	const firstMicros = leastMicrosOf([first]);
	if (firstMicros <= leastMicros && first.bytes <= leastBytes) {
		return { steep: undefined, last, lastMs: firstMicros / 1_000 };
	}
	const smaller = prepares.slice(0, -1);
	const growth = growthOfRuns([...smaller.map((prepare) => prepare()), last]);
	// Where the memory of one of them lies badly it takes longer each time; made anew it lies elsewhere.
	return growth.steep === undefined ? growth : growthOfRuns(prepares.map((prepare) => prepare()));
}

function growthOfRuns(runs: readonly (() => unknown)[]): Growth {
	const measured = runs.map((): Cost[] => []);
	let costs: readonly TypicalCost[] = [];
	let steep: string | undefined;
	for (let round = 0; round === 0 || (round < mostRounds && steep !== undefined); round++) {
		for (const [index, run] of runs.entries()) {
			measured[index]?.push(costOf(run));
		}
		costs = measured.map(typicalOf);
		steep = steepOf(costs);
	}
	return { steep, last: runs.at(-1) ?? (() => undefined), lastMs: (costs.at(-1)?.micros ?? 0) / 1_000 };
}

/** What several runs of the same work took, as one. */
type TypicalCost = Pick<Cost, "micros" | "bytes">;

function typicalOf(costs: readonly Cost[]): TypicalCost {
	const bytes = costs.map((cost) => cost.bytes).toSorted((a, b) => a - b);
	return { micros: leastMicrosOf(costs), bytes: bytes[bytes.length >> 1] ?? 0 };
}

/**
 * The least that a run took: by the wall where it is short, for nobody takes the processor from it in that time, and else by
 * the thread's own clock, which may have a step to go.
 */
function leastMicrosOf(costs: readonly Cost[]): number {
	const ofThread = Math.min(...costs.map(({ micros }) => micros)) + clockStep;
	return Math.min(ofThread, ...costs.map(({ wallMicros }) => wallMicros));
}

/** The CPU time of a run in this thread, in microseconds: Node compiles and collects in others. */
function microsOf(run: () => unknown): number {
	const start = threadMicros();
	run();
	return threadMicros() - start;
}

/**
 * The least CPU time of a work in milliseconds; it is done again, so many times in all at most, while it takes longer than
 * it may, for others use the machine too.
 */
export function leastMs(run: () => unknown, mayTakeMs: number, mostRuns: number): number {
	let least = Number.POSITIVE_INFINITY;
	for (let count = 0; count < mostRuns && least > mayTakeMs; count++) {
		least = Math.min(least, microsOf(run) / 1_000);
	}
	return least;
}

/**
 * The CPU time of a run in this thread, and all that it put on the heap: what is there now, and what was collected
 * meanwhile.
 */
function costOf(run: () => unknown): Cost {
	const profiler = new GCProfiler();
	profiler.start();
	const heap = getHeapStatistics().used_heap_size;
	const start = performance.now();
	const micros = microsOf(run);
	const wallMicros = (performance.now() - start) * 1_000;
	const kept = getHeapStatistics().used_heap_size - heap;
	const collected = profiler
		.stop()
		.statistics.reduce(
			(sum, { beforeGC, afterGC }) =>
				sum + beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
			0,
		);
	return { wallMicros, micros, bytes: kept + collected };
}

function steepOf(costs: readonly TypicalCost[]): string | undefined {
	const time = lastingSlope(costs.map(({ micros }) => Math.max(micros, leastOfEachMicros)));
	if (time > steepest) {
		return `slope ${time.toFixed(2)} of time: ${costs.map(({ micros }) => `${(micros / 1_000).toFixed(1)} ms`).join(", ")}`;
	}
	const space = lastingSlope(costs.map(({ bytes }) => Math.max(bytes, leastBytes)));
	return space > steepest
		? `slope ${space.toFixed(2)} of allocated bytes: ${costs.map(({ bytes }) => `${Math.round(bytes / 1024)} KiB`).join(", ")}`
		: undefined;
}

/** What is quadratic is so to the end; a step at the first doubling, where something else begins to matter, is none. */
function lastingSlope(values: readonly number[]): number {
	return Math.min(slopeOf(values), slopeOf(values.slice(1)));
}

/** The slope of the line that fits best. */
function slopeOf(values: readonly number[]): number {
	const points = values.map((value, index) => [index, Math.log2(value)] as const);
	const middle = (points.length - 1) / 2;
	const mean = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
	const rise = points.reduce((sum, [x, y]) => sum + (x - middle) * (y - mean), 0);
	return rise / points.reduce((sum, [x]) => sum + (x - middle) ** 2, 0);
}
