import type { IsSpent } from "../core/verdict-cut.ts";

/**
 * The most processor time of one verdict, in milliseconds. What is judged within the bounds of an object takes a tenth of
 * it; only a mistake of ours in an algorithm, or more neighbours than anybody has tried, takes so much.
 */
export const mostVerdictMs = 500;

/** Tells when so many milliseconds of processor time have gone by since it was first asked; waiting does not count. */
export function spentAfter(ms: number): IsSpent {
	let start: number | undefined;
	return () => {
		const now = processorMs();
		start ??= now;
		return now - start > ms;
	};
}

/** The processor time that this thread has taken so far, in milliseconds; of the whole process where Node cannot tell (before 23.9). */
export function processorMs(): number {
	const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
	return (user + system) / 1_000;
}
