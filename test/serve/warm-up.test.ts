import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { runScript } from "../support/serve-process.ts";

async function firstVerdictMs(...args: readonly string[]): Promise<number> {
	const { code, out, error } = await runScript("test/support/first-verdict.ts", args, { cwd: tmpdir() });
	assert.equal(code, 0, error);
	return Number(out);
}

test("warmUp() leaves the first large verdict of a process less than two thirds of its time", async (context) => {
	let [cold, warm] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
	// Others use the machine: each counts with the least time of several processes.
	for (let round = 0; round < 5 && (round < 2 || warm >= (cold * 2) / 3); round++) {
		cold = Math.min(cold, await firstVerdictMs("cold"));
		warm = Math.min(warm, await firstVerdictMs("warm"));
	}
	context.diagnostic(`${cold.toFixed(0)} ms cold, ${warm.toFixed(0)} ms after a warm-up`);
	assert.ok(warm < (cold * 2) / 3, `${cold} ms cold, ${warm} ms after a warm-up`);
});
