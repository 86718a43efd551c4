import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError, ExchangeError } from "../../../src/kube/client/api.ts";
import type { Ending, Trouble } from "../../../src/kube/watch/backoff.ts";
import { calm, endingOf, nextStep } from "../../../src/kube/watch/backoff.ts";

const endings: readonly Ending[] = [
	"closed",
	"cut",
	"silent",
	"expired",
	"unreachable",
	"timeout",
	"throttled",
	"unavailable",
	"unauthorized",
	"forbidden",
	"missing",
	"refused",
	"malformed",
];

test("nextStep() never waits longer than a second while the trouble is young, and never not at all", () => {
	fc.assert(
		fc.property(
			fc.array(
				fc.record({
					ending: fc.constantFrom(...endings),
					random: fc.double({ min: 0, max: 0.99, noNaN: true }),
				}),
				{
					minLength: 1,
					maxLength: 50,
				},
			),
			(attempts) => {
				let trouble: Trouble = calm;
				let now = 0;
				for (const { ending, random } of attempts) {
					const step = nextStep(trouble, ending, { now, random, progressed: false });
					assert.ok(step.waitMs > 0 && step.waitMs <= 1000, `${ending} waits ${step.waitMs} ms`);
					trouble = step.trouble;
					now += step.waitMs;
				}
				assert.equal(trouble.failures, attempts.length);
			},
		),
	);
});

test("nextStep() backs off, asks rarely when the trouble lasts, and starts anew after progress", () => {
	let trouble: Trouble = calm;
	const waits: number[] = [];
	for (let i = 0; i < 6; i++) {
		const step = nextStep(trouble, "forbidden", { now: i, random: 0, progressed: false });
		trouble = step.trouble;
		waits.push(step.waitMs);
	}
	assert.deepEqual(waits, [25, 50, 100, 200, 400, 500]);
	const old = nextStep({ ...trouble, failures: 30 }, "forbidden", {
		now: 600_000,
		random: 0,
		progressed: false,
	});
	assert.equal(old.waitMs, 5000);
	assert.equal(nextStep(old.trouble, "closed", { now: 600_001, random: 0, progressed: true }).waitMs, 25);
});

test("nextStep() obeys Retry-After", () => {
	const step = nextStep(calm, "throttled", { now: 0, random: 0.5, progressed: false, retryAfterMs: 3000 });
	assert.ok(step.waitMs >= 3000 && step.waitMs <= 3300);
});

test("nextStep() lists again when resuming may lose something, and resumes otherwise", () => {
	const relists = (ending: Ending, before = calm): boolean =>
		nextStep(before, ending, { now: 0, random: 0, progressed: false }).relist;
	assert.deepEqual(
		endings.filter((ending) => relists(ending)),
		["expired", "forbidden", "missing", "refused"],
	);
	for (const ending of ["malformed", "silent"] as const) {
		assert.equal(relists(ending, { failures: 1, since: 0, last: ending }), true);
	}
});

test("endingOf() names every failure", () => {
	const cases: readonly (readonly [unknown, Ending])[] = [
		[new ApiError(410, "Gone", ""), "expired"],
		[new ApiError(500, "Expired", ""), "expired"],
		[new ApiError(504, "Timeout", "Too large resource version: 9, current: 3"), "expired"],
		[new ApiError(504, "Timeout", "gateway"), "unavailable"],
		[new ApiError(401, "", ""), "unauthorized"],
		[new ApiError(403, "", ""), "forbidden"],
		[new ApiError(404, "", ""), "missing"],
		[new ApiError(422, "", ""), "refused"],
		[new ApiError(429, "", ""), "throttled"],
		[new ApiError(500, "", ""), "unavailable"],
		[new ExchangeError("silent", ""), "silent"],
		[new TypeError("x is not a function"), "fault"],
	];
	for (const [error, ending] of cases) {
		assert.equal(endingOf(error), ending, String(error));
	}
});
