import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition holds; fails with what was awaited when it does not within the limit. */
export async function until(what: string, condition: () => boolean, limitMs = 2000): Promise<number> {
	const start = performance.now();
	while (!condition()) {
		if (performance.now() - start > limitMs) {
			throw new Error(`Cannot wait any longer than ${limitMs} ms until ${what}`);
		}
		await sleep(5);
	}
	return performance.now() - start;
}
