import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { watchClock } from "../../src/server/clock-metrics.ts";

const minute = 60_000;

describe("watchClock()", () => {
	const cases: readonly (readonly [number | undefined, boolean | undefined, boolean | undefined, RegExp])[] =
		[
			[undefined, undefined, undefined, /^$/],
			[59_000, true, undefined, /^agrees with the API server's$/],
			[3 * minute, false, true, /^3 min ahead of the API server's$/],
			[-59 * minute, false, true, /^59 min behind the API server's$/],
			[121 * minute, false, undefined, /^2 h ahead of the API server's: certificates are not valid/],
			[-61 * minute, false, undefined, /^61 min behind/],
		];
	for (const [skew, ok, advisory, detail] of cases) {
		it(`says of ${skew === undefined ? "an unknown clock" : `${skew / 1000} s`} what it is, and is ready up to an hour`, async () => {
			const registry = new Registry();
			const clock = watchClock(registry, { info: () => {}, warn: () => {} }, () => skew);
			const [check] = clock.checks();
			clock.stop();
			assert.deepEqual([check?.ok, check?.advisory], [ok, advisory]);
			assert.match(check?.detail ?? "", detail);
			assert.match(
				await registry.metrics(),
				new RegExp(`^waymark_clock_skew_seconds ${(skew ?? 0) / 1000}$`, "m"),
			);
		});
	}

	it("logs when it goes astray and when that is over, each once", async () => {
		const lines: string[] = [];
		let skew = 0;
		const note = (_fields: unknown, text?: string): void => void lines.push(text ?? "");
		const log = { info: note, warn: note } as unknown as Parameters<typeof watchClock>[1];
		const clock = watchClock(new Registry(), log, () => skew, 2);
		const until = async (count: number): Promise<void> => {
			while (lines.length < count) {
				await sleep(2);
			}
		};
		await sleep(10);
		skew = 2 * minute;
		await until(1);
		await sleep(10);
		skew = 0;
		await until(2);
		clock.stop();
		assert.deepEqual(lines, [
			"the clock differs from the API server's",
			"the clock agrees with the API server's again",
		]);
	});
});
