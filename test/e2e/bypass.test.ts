import assert from "node:assert/strict";
import { test } from "node:test";
import { runAttacks } from "./bypass.ts";
import { attackPlans } from "./bypass-worlds.ts";
import { useControlPlane } from "./shared.ts";

const plane = await useControlPlane();

// The long form is bypass-proof.ts.
test("nobody gets past a policy in silence: 40 random attacks, after which istiod is asked what can be reached", async (context) => {
	const { silent, ...counts } = await runAttacks(plane, attackPlans(9, 40), 0);
	context.diagnostic(JSON.stringify(counts));
	assert.deepEqual(silent, []);
	assert.ok(counts.written > 80 && counts.admitted > 20, JSON.stringify(counts));
});
