import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";

const main = join(import.meta.dirname, "../../src/main.ts");

/** A port of loopback on which nobody listens. */
async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/** `serve` in a folder of its own, for a cluster at a URL; asks its operations port until there is an answer. */
async function startFor(
	context: TestContext,
	server: string,
): Promise<{
	readonly child: ChildProcess;
	readonly ended: Promise<number | null>;
	get(path: string): Promise<{ readonly status: number; readonly text: string }>;
}> {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-starting-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	const operations = await freePort();
	writeFileSync(
		join(cwd, "kubeconfig"),
		stringify({
			"current-context": "x",
			contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
			clusters: [{ name: "c", cluster: { server } }],
			users: [{ name: "u", user: { token: "t" } }],
		}),
	);
	const args = [
		"--kubeconfig",
		"kubeconfig",
		"--certificates",
		"self",
		"--bootstrap",
		"--listen",
		"127.0.0.1:0",
	];
	const child = spawn(process.execPath, [main, "serve", ...args, "--operations", `127.0.0.1:${operations}`], {
		cwd,
		env: { PATH: process.env.PATH },
		stdio: "ignore",
	});
	const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
	context.after(() => child.kill("SIGKILL"));
	return {
		child,
		ended,
		async get(path) {
			for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
				try {
					const answer = await fetch(`http://127.0.0.1:${operations}${path}`);
					return { status: answer.status, text: await answer.text() };
				} catch (error) {
					assert.ok(Date.now() < deadline, String(error));
				}
			}
		},
	};
}

test("serve answers /livez and says what it waits for while the API server is away, and ends with 0 on SIGTERM", async (context) => {
	const { child, ended, get } = await startFor(context, `https://127.0.0.1:${await freePort()}`);
	assert.deepEqual(await get("/livez"), { status: 200, text: "ok\n" });
	const certificate = /^\[-\] certificate: waiting: Cannot reach the API server: ECONNREFUSED$/m;
	for (const deadline = Date.now() + 10_000; ; await sleep(50)) {
		const { status, text } = await get("/readyz?verbose");
		assert.equal(status, 503);
		assert.match(text, /^\[-\] listening: waiting: not before there is a certificate$/m);
		assert.match(text, /^\[-\] world: waiting: /m);
		assert.doesNotMatch(text, /stale|not fresh/);
		if (certificate.test(text)) {
			break;
		}
		assert.ok(Date.now() < deadline, text);
	}
	assert.match((await get("/metrics")).text, /^waymark_feed_stale_seconds 0$/m);
	child.kill("SIGTERM");
	assert.equal(await ended, 0);
});

test("serve is not ready while its clock is more than an hour from the API server's, and says so", async (context) => {
	let awayMs = 2 * 3_600_000;
	const server = createHttpServer((request, response) => {
		request.resume();
		response.setHeader("date", new Date(Date.now() - awayMs).toUTCString());
		response.writeHead(403, { "content-type": "application/json" }).end('{"kind":"Status","code":403}');
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	context.after(() => server.closeAllConnections());
	context.after(() => server.close());
	const { get } = await startFor(context, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
	const untilSaid = async (line: RegExp): Promise<void> => {
		for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
			const { text } = await get("/readyz?verbose");
			if (line.test(text)) {
				return;
			}
			assert.ok(Date.now() < deadline, text);
		}
	};
	await untilSaid(
		/^\[-\] clock: 2 h ahead of the API server's: certificates are not valid to one of the two$/m,
	);
	assert.match((await get("/metrics")).text, /^waymark_clock_skew_seconds 7(199|200)/m);
	awayMs = 0;
	await untilSaid(/^\[\+\] clock: agrees with the API server's$/m);
});

test("serve in a pod writes its log to standard output as JSON, with nothing else there, and by hand to standard error", async (context) => {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-log-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	const operations = `127.0.0.1:${await freePort()}`;
	const write = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<string[]> => {
		const all = ["serve", "--listen", "127.0.0.1:0", "--operations", operations, ...args];
		const child = spawn(process.execPath, [main, ...all], {
			cwd,
			env: { PATH: process.env.PATH, ...env },
			stdio: ["ignore", "pipe", "pipe"],
		});
		context.after(() => child.kill("SIGKILL"));
		const texts = ["", ""];
		for (const [index, stream] of [child.stdout, child.stderr].entries()) {
			stream.setEncoding("utf8").on("data", (text: string) => {
				texts[index] += text;
			});
		}
		const ended = once(child, "close");
		const isLogged = (): boolean => /"msg"/.test(texts.join(""));
		for (const deadline = Date.now() + 20_000; !isLogged(); await sleep(50)) {
			assert.ok(Date.now() < deadline, texts.join("\n"));
		}
		child.kill("SIGTERM");
		await ended;
		return texts;
	};
	const away = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: `${await freePort()}` };
	const [out = "", error] = await write([], away);
	assert.equal(error, "");
	for (const line of out.trimEnd().split("\n")) {
		const { level, time, msg } = JSON.parse(line);
		assert.match(`${level} ${time} ${msg}`, /^(info|warn|error) \d{4}-\d\d-\d\dT[\d:.]+Z [a-z]/);
	}
	mkdirSync(join(cwd, "world"));
	const [told = "", logged = ""] = await write(["--world", "world"], {});
	assert.doesNotMatch(told, /"msg"/);
	assert.match(logged, /"msg":"world read"/);
});
