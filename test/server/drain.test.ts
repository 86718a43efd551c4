import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";
import { Agent, request } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import type { Drain, DrainTimes } from "../../src/server/drain.ts";
import { installDrain } from "../../src/server/drain.ts";
import { startBalancer } from "../support/balancer.ts";

const brief: DrainTimes = { quietMs: 250, deadlineMs: 5000, refuseMs: 200, finishMs: 2000 };
const review = JSON.stringify({ kind: "AdmissionReview", padding: "x".repeat(4000) });

interface Replica {
	readonly app: FastifyInstance;
	readonly port: number;
	readonly drain: Drain;
}

async function start(context: TestContext, times: Partial<DrainTimes> = brief): Promise<Replica> {
	const app = fastify({ return503OnClosing: false });
	const drain = installDrain(app, times);
	app.post("/validate", async () => ({ allowed: true }));
	app.get("/slow", async () => {
		await sleep(200);
		return "done";
	});
	app.get("/endless", () => new Promise(() => {}));
	await app.listen({ port: 0, host: "127.0.0.1" });
	context.after(() => {
		drain.abort();
		return drain.begin();
	});
	return { app, drain, port: (app.server.address() as AddressInfo).port };
}

interface Answer {
	readonly status: number;
	readonly headers: NodeJS.Dict<string | string[]>;
	readonly body: string;
}

interface Call {
	readonly path?: string;
	readonly agent?: Agent | false;
	readonly headers?: OutgoingHttpHeaders;
	readonly body?: string;
}

function send(
	port: number,
	{ path = "/validate", agent = false, headers = {}, body = review }: Call = {},
): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const method = path === "/validate" ? "POST" : "GET";
		const call = request(
			{
				host: "127.0.0.1",
				port,
				method,
				path,
				agent,
				headers: { "content-type": "application/json", ...headers },
			},
			async (response) => {
				let text = "";
				for await (const chunk of response) {
					text += chunk;
				}
				resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
			},
		);
		call.on("error", reject);
		call.end(method === "POST" ? body : undefined);
	});
}

test("a drain answers a request that came on a quiet connection while the loop was busy", async (context) => {
	const { port, drain } = await start(context);
	const socket = connect(port, "127.0.0.1");
	await once(socket, "connect");
	const asking = `POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${review.length}\r\n\r\n${review}`;
	socket.write(asking);
	await once(socket, "data");
	const left = drain.begin();
	await sleep(brief.quietMs / 2);
	// Behind what is read in a turn of the loop come the timers of the next: that of the quiet must not end the connection.
	setImmediate(() => {
		socket.write(asking);
		const until = performance.now() + brief.quietMs;
		while (performance.now() < until);
	});
	const [answer] = await once(socket, "data");
	assert.match(String(answer), /^HTTP\/1\.1 (?:200|503) /);
	socket.destroy();
	await left;
});

test("installDrain() leaves answers alone while the server serves", async (context) => {
	const { port, drain } = await start(context);
	const agent = new Agent({ keepAlive: true });
	context.after(() => agent.destroy());
	const answer = await send(port, { agent });
	assert.equal(answer.status, 200);
	assert.equal(answer.headers.connection, "keep-alive");
	assert.equal(drain.state(), "serving");
	assert.equal(drain.inFlight(), 0);
});

test("begin() goes on answering, each time with the end of the connection, until it is quiet", async (context) => {
	const { port, drain } = await start(context);
	const agent = new Agent({ keepAlive: true });
	context.after(() => agent.destroy());
	await send(port, { agent });
	const outcome = drain.begin();
	assert.equal(drain.begin(), outcome);
	for (let asked = 0; asked < 4; asked += 1) {
		const answer = await send(port, { agent });
		assert.equal(answer.status, 200);
		assert.equal(answer.headers.connection, "close");
		assert.equal(drain.state(), "draining");
		await sleep(50);
	}
	const { cut, refused, tookMs } = await outcome;
	assert.deepEqual([cut, refused, drain.state()], [0, 0, "closed"]);
	assert.ok(tookMs > 4 * 50 && tookMs < brief.deadlineMs, `${tookMs} ms`);
	await assert.rejects(send(port), /ECONNREFUSED/);
});

test("begin() gives a request that was under way its answer, with the end of its connection", async (context) => {
	const { port, drain } = await start(context);
	const agent = new Agent({ keepAlive: true });
	context.after(() => agent.destroy());
	const slow = send(port, { path: "/slow", agent });
	await sleep(30);
	const outcome = drain.begin();
	const answer = await slow;
	assert.deepEqual([answer.status, answer.body], [200, "done"]);
	assert.equal(answer.headers.connection, "close");
	assert.equal((await outcome).cut, 0);
});

test("begin() past its deadline answers late comers 503 with Retry-After: 1, large bodies included", async (context) => {
	const { port, drain } = await start(context, { ...brief, quietMs: 10_000, deadlineMs: 50, refuseMs: 1000 });
	const outcome = drain.begin();
	await sleep(100);
	assert.equal(drain.state(), "refusing");
	for (const body of [review, JSON.stringify({ padding: "x".repeat(600_000) })]) {
		const answer = await send(port, { body });
		assert.equal(answer.status, 503);
		assert.equal(answer.headers["retry-after"], "1");
		assert.equal(answer.headers.connection, "close");
		assert.match(answer.body, /ask again/);
	}
	assert.equal((await outcome).refused, 2);
});

test("begin() ends an idle connection with FIN, not with a reset", async (context) => {
	const { port, drain } = await start(context);
	const socket = connect(port, "127.0.0.1");
	await once(socket, "connect");
	socket.write(
		"POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
	);
	await once(socket, "data");
	const errors: Error[] = [];
	socket.on("error", (error) => errors.push(error));
	const ended = once(socket, "end");
	const outcome = drain.begin();
	await ended;
	assert.deepEqual(errors, []);
	assert.equal((await outcome).cut, 0);
});

test("begin() cuts what is still being answered when its time is up, and counts it", async (context) => {
	const { port, drain } = await start(context, { ...brief, deadlineMs: 50, finishMs: 50 });
	const endless = send(port, { path: "/endless" });
	endless.catch(() => {});
	await sleep(30);
	const { cut, tookMs } = await drain.begin();
	assert.equal(cut, 1);
	assert.ok(tookMs < 2000, `${tookMs} ms`);
	await assert.rejects(endless, /ECONNRESET|hang up/);
});

test("begin() of a server that never listened waits for nobody", async () => {
	const drain = installDrain(fastify(), { quietMs: 60_000, deadlineMs: 60_000 });
	assert.ok((await drain.begin()).tookMs < 1000);
	assert.equal(drain.state(), "closed");
});

test("abort() ends a drain at once", async (context) => {
	const { port, drain } = await start(context, { quietMs: 60_000, deadlineMs: 60_000 });
	const endless = send(port, { path: "/endless" });
	endless.catch(() => {});
	await sleep(30);
	const outcome = drain.begin();
	drain.abort();
	assert.ok((await outcome).tookMs < 5000);
	await assert.rejects(endless);
});

for (const keepAlive of [true, false]) {
	test(`Two replicas restarting in turn behind a balancer lose no request, keep-alive ${keepAlive}`, async (context) => {
		const replicas = [await start(context), await start(context), await start(context)] as const;
		const backends = replicas.map((replica) => ({
			host: "127.0.0.1",
			port: replica.port,
			isReady: () => replica.drain.state() === "serving",
		}));
		const { port, stop } = await startBalancer({ backends: () => backends, everyMs: 5, lagMs: 50 });
		context.after(stop);
		const agent = keepAlive ? new Agent({ keepAlive: true, maxSockets: 6 }) : false;
		const counts = { answered: 0, retried: 0, failed: 0 };
		let running = true;
		const worker = async (): Promise<void> => {
			while (running) {
				try {
					const { status } = await send(port, { agent });
					counts[status === 200 ? "answered" : status === 503 ? "retried" : "failed"] += 1;
				} catch {
					counts.failed += 1;
				}
				await sleep(Math.random() * 4);
			}
		};
		const workers = Promise.all(Array.from({ length: 6 }, worker));
		await sleep(100);
		const outcomes = [await replicas[0].drain.begin(), await replicas[1].drain.begin()];
		await sleep(100);
		running = false;
		await workers;
		if (agent !== false) {
			agent.destroy();
		}
		context.diagnostic(`${counts.answered} answered, ${counts.retried} asked again, ${counts.failed} failed`);
		assert.equal(counts.failed, 0);
		assert.ok(counts.answered > 100, `${counts.answered} answered`);
		assert.deepEqual(
			outcomes.map(({ cut }) => cut),
			[0, 0],
		);
	});
}

interface Child {
	readonly port: number;
	readonly exited: Promise<number | null>;
	kill(signal: NodeJS.Signals): void;
}

async function spawnServer(context: TestContext, slowMs: number): Promise<Child> {
	const script = new URL("../support/drained-server.ts", import.meta.url).pathname;
	const child = spawn(process.execPath, [script, String(slowMs)], { stdio: ["ignore", "pipe", "inherit"] });
	context.after(() => child.kill("SIGKILL"));
	const exited = once(child, "exit").then(([code]) => code as number | null);
	const [line] = await once(child.stdout, "data");
	return { port: Number(String(line)), exited, kill: (signal) => child.kill(signal) };
}

test("SIGTERM ends a process with 0 once it is drained", async (context) => {
	const child = await spawnServer(context, 150);
	const slow = send(child.port, { path: "/slow" });
	await sleep(50);
	child.kill("SIGTERM");
	assert.equal((await slow).body, "done");
	assert.equal(await child.exited, 0);
});

test("SIGTERM ends a process with 1 when it had to cut a request", async (context) => {
	const child = await spawnServer(context, 60_000);
	const slow = send(child.port, { path: "/slow" });
	slow.catch(() => {});
	await sleep(50);
	child.kill("SIGTERM");
	await assert.rejects(slow);
	assert.equal(await child.exited, 1);
});

test("A second signal ends a process at once with 128 and its number", async (context) => {
	const child = await spawnServer(context, 60_000);
	const slow = send(child.port, { path: "/slow" });
	slow.catch(() => {});
	await sleep(50);
	const begun = performance.now();
	child.kill("SIGTERM");
	await sleep(100);
	child.kill("SIGINT");
	assert.equal(await child.exited, 130);
	assert.ok(performance.now() - begun < 900);
});
