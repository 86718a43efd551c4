import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createServerClock } from "../../../src/kube/client/server-clock.ts";

const noon = Date.parse("2026-06-01T12:00:00Z");
const date = (at: number): string => new Date(at).toUTCString();
const hour = 3_600_000;

describe("createServerClock()", () => {
	it("knows nothing before an answer, and nothing by one without a usable date or that was long under way", () => {
		const clock = createServerClock();
		assert.equal(clock.skewMs(), undefined);
		clock.observe(undefined, noon, noon);
		clock.observe("yesterday", noon, noon);
		clock.observe(date(noon), noon, noon + 60_000);
		clock.observe(date(noon), noon + 5, noon);
		assert.equal(clock.skewMs(), undefined);
	});

	it("sees no difference that whole seconds and the time of an answer explain", () => {
		for (const [askedAt, answeredAt] of [
			[noon, noon + 999],
			[noon - 700, noon + 300],
			[noon - 3000, noon + 3000],
		] as const) {
			const clock = createServerClock();
			clock.observe(date(noon), askedAt, answeredAt);
			assert.equal(clock.skewMs(), 0, `${askedAt - noon} to ${answeredAt - noon}`);
		}
	});

	it("tells ahead from behind", () => {
		const ahead = createServerClock();
		ahead.observe(date(noon), noon + 2 * hour, noon + 2 * hour + 20);
		assert.equal(ahead.skewMs(), 2 * hour - 1000);
		const behind = createServerClock();
		behind.observe(date(noon), noon - hour - 20, noon - hour);
		assert.equal(behind.skewMs(), -hour);
	});

	it("believes the middle of several API servers, and forgets what it knew five answers later", () => {
		const clock = createServerClock();
		for (const wrong of [0, 0, 2 * hour]) {
			clock.observe(date(noon), noon + wrong, noon + wrong);
		}
		assert.equal(clock.skewMs(), 0);
		for (let answer = 0; answer < 3; answer += 1) {
			clock.observe(date(noon), noon + hour, noon + hour);
		}
		assert.equal(clock.skewMs(), hour - 1000);
	});
});
