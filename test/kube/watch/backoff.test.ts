import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError, HttpError } from "../../../src/kube/client/api.ts";
import type { Backoff, RestartReason } from "../../../src/kube/watch/backoff.ts";
import { nextStep, noBackoff, reasonOf } from "../../../src/kube/watch/backoff.ts";

const reasons: readonly RestartReason[] = [
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

test("nextStep() never waits longer than a second while the backoff is young, and never not at all", () => {
	fc.assert(
		fc.property(
			fc.array(
				fc.record({
					reason: fc.constantFrom(...reasons),
					random: fc.double({ min: 0, max: 0.99, noNaN: true }),
				}),
				{
					minLength: 1,
					maxLength: 50,
				},
			),
			(attempts) => {
				let backoff: Backoff = noBackoff;
				let now = 0;
				for (const { reason, random } of attempts) {
					const step = nextStep(backoff, reason, { now, random, progressed: false });
					assert.ok(step.waitMs > 0 && step.waitMs <= 1000, `${reason} waits ${step.waitMs} ms`);
					backoff = step.backoff;
					now += step.waitMs;
				}
				assert.equal(backoff.failures, attempts.length);
			},
		),
	);
});

test("nextStep() backs off, asks rarely when the backoff lasts, and starts anew after progress", () => {
	let backoff: Backoff = noBackoff;
	const waits: number[] = [];
	for (let i = 0; i < 6; i++) {
		const step = nextStep(backoff, "forbidden", { now: i, random: 0, progressed: false });
		backoff = step.backoff;
		waits.push(step.waitMs);
	}
	assert.deepEqual(waits, [25, 50, 100, 200, 400, 500]);
	const old = nextStep({ ...backoff, failures: 30 }, "forbidden", {
		now: 600_000,
		random: 0,
		progressed: false,
	});
	assert.equal(old.waitMs, 5000);
	assert.equal(nextStep(old.backoff, "closed", { now: 600_001, random: 0, progressed: true }).waitMs, 25);
});

test("nextStep() obeys Retry-After", () => {
	const step = nextStep(noBackoff, "throttled", {
		now: 0,
		random: 0.5,
		progressed: false,
		retryAfterMs: 3000,
	});
	assert.ok(step.waitMs >= 3000 && step.waitMs <= 3300);
});

test("nextStep() lists again when resuming may lose something, and resumes otherwise", () => {
	const relists = (reason: RestartReason, before = noBackoff): boolean =>
		nextStep(before, reason, { now: 0, random: 0, progressed: false }).relist;
	assert.deepEqual(
		reasons.filter((reason) => relists(reason)),
		["expired", "forbidden", "missing", "refused"],
	);
	for (const reason of ["malformed", "silent"] as const) {
		assert.equal(relists(reason, { failures: 1, since: 0, last: reason }), true);
	}
});

test("reasonOf() names every failure", () => {
	const cases: readonly (readonly [unknown, RestartReason])[] = [
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
		[new HttpError("silent", ""), "silent"],
		[new TypeError("x is not a function"), "fault"],
	];
	for (const [error, reason] of cases) {
		assert.equal(reasonOf(error), reason, String(error));
	}
});
