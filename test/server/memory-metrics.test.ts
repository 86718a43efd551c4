import assert from "node:assert/strict";
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

test("heapLimit() is what --max-old-space-size says, or what V8 chose", () => {
	assert.ok(heapLimit() > 16e6);
});
