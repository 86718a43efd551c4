import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { Registry } from "prom-client";
import { heapLimit, watchMemory } from "../../src/server/memory-metrics.ts";
import { until } from "../support/until.ts";

test("watchMemory() logs when memory becomes scarce and when that is over, once each, and shows it", async (context) => {
	const logged: string[] = [];
	const log = {
		warn: (_: unknown, message?: string) => void logged.push(`warn ${message}`),
		info: (_: unknown, message?: string) => void logged.push(`info ${message}`),
	};
	let used = 50e6;
	const registry = new Registry();
	const memory = watchMemory(registry, log as never, () => ({ used, limit: 100e6 }), 5);
	context.after(() => memory.stop());
	assert.deepEqual(memory.checks(), [
		{ name: "memory", ok: true, advisory: true, detail: "50 of 100 MB of heap" },
	]);
	used = 90e6;
	await until("it is scarce", () => memory.checks()[0]?.ok === false);
	used = 80e6;
	await new Promise((resolve) => setTimeout(resolve, 30));
	assert.equal(memory.checks()[0]?.ok, false, "it is not over yet");
	used = 60e6;
	await until("it is over", () => memory.checks()[0]?.ok === true);
	assert.deepEqual(logged, ["warn memory is scarce", "info memory is no longer scarce"]);
	assert.match(await registry.metrics(), /^waymark_heap_used_bytes 60000000$/m);
	assert.match(await registry.metrics(), /^waymark_heap_limit_bytes 100000000$/m);
});

test("heapLimit() is what --max-old-space-size says, whatever the young generation may grow to, or what V8 chose", () => {
	assert.ok(heapLimit() > 16e6);
	const script = `import { heapLimit } from ${JSON.stringify(join(import.meta.dirname, "../../src/server/memory-metrics.ts"))}; console.log(heapLimit() / 2 ** 20);`;
	const fromEnvironment = "--max-old-space-size=320 --max-semi-space-size=4";
	const limits = [
		["--max-old-space-size=320"],
		["--max-old-space-size=320", "--max-semi-space-size=4"],
		["--max-old-space-size=160", "--max-semi-space-size=4"],
	].map((options) =>
		Number(execFileSync(process.execPath, [...options, "--input-type=module-typescript", "--eval", script])),
	);
	assert.deepEqual(limits, [320, 320, 160]);
	const told = execFileSync(
		process.execPath,
		[
			"--input-type=module-typescript",
			"--eval",
			script.replace("heapLimit()", `heapLimit(${JSON.stringify(fromEnvironment)})`),
		],
		{
			env: { NODE_OPTIONS: fromEnvironment },
		},
	);
	assert.equal(Number(told), 320);
});
