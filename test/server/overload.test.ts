import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fastify } from "fastify";
import { installDrain } from "../../src/server/drain.ts";
import { installOverload } from "../../src/server/overload.ts";

test("installOverload() turns away what exceeds its concurrency, and nothing else", async (context) => {
	const app = fastify();
	const overload = installOverload(app, installDrain(app), { maxInFlight: 3, maxDelayMs: 60_000 });
	context.after(async () => {
		overload.stop();
		await app.close();
	});
	const { promise: open, resolve: release } = Promise.withResolvers<string>();
	app.post("/validate", () => open);
	const url = await app.listen({ port: 0, host: "127.0.0.1" });
	const ask = async (): Promise<Response> => {
		const headers = { "content-type": "application/json" };
		const answer = await fetch(`${url}/validate`, { method: "POST", body: "{}", headers });
		if (overload.shed("concurrency") === 7) {
			release("done");
		}
		return answer;
	};
	const answers = await Promise.all(Array.from({ length: 10 }, ask));
	const statuses = answers.map(({ status }) => status).sort();
	assert.deepEqual(statuses, [200, 200, 200, ...Array<number>(7).fill(503)]);
	const refused = answers.find(({ status }) => status === 503);
	assert.equal(refused?.headers.get("retry-after"), "1");
	assert.equal(refused?.headers.get("connection"), "keep-alive");
	assert.equal(overload.shed("concurrency"), 7);
	assert.equal((await ask()).status, 200);
});

test("installOverload() turns requests away while the event loop is late, and takes them again after", async (context) => {
	const app = fastify();
	const overload = installOverload(app, installDrain(app), { maxDelayMs: 50, windowMs: 40 });
	context.after(async () => {
		overload.stop();
		await app.close();
	});
	app.get("/", async () => "hello");
	const url = await app.listen({ port: 0, host: "127.0.0.1" });
	// A busy machine is late by itself now and then, so an answer is waited for, not demanded.
	const answered = async (): Promise<void> => {
		const deadline = Date.now() + 5000;
		while ((await fetch(url)).status !== 200) {
			assert.ok(Date.now() < deadline, "requests are turned away for no reason");
			await sleep(20);
		}
	};
	await answered();
	const until = performance.now() + 400;
	let shed = 0;
	while (performance.now() < until) {
		const blocked = performance.now() + 90;
		while (performance.now() < blocked) {
			// Busy on purpose.
		}
		shed += (await fetch(url)).status === 503 ? 1 : 0;
	}
	assert.ok(shed > 0, "nothing was shed under a delay of 90 ms");
	await answered();
});
