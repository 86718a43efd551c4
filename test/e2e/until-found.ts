import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Asks until there is something, and gives it; fails when that takes too long. */
export async function untilFound<T>(
	what: string,
	find: () => Promise<T | undefined | false>,
	limitMs = 30_000,
): Promise<T> {
	for (const deadline = Date.now() + limitMs; ; await sleep(50)) {
		const found = await find();
		if (found !== undefined && found !== false) {
			return found;
		}
		assert.ok(Date.now() < deadline, `${what} within ${limitMs} ms`);
	}
}
