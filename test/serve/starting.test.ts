import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("serve answers /livez and says what it waits for while the API server is away, and ends with 0 on SIGTERM", async (context) => {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-starting-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	const [away, operations] = [await freePort(), await freePort()];
	writeFileSync(
		join(cwd, "kubeconfig"),
		stringify({
			"current-context": "x",
			contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
			clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${away}` } }],
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
	const get = async (path: string): Promise<{ status: number; text: string }> => {
		for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
			try {
				const answer = await fetch(`http://127.0.0.1:${operations}${path}`);
				return { status: answer.status, text: await answer.text() };
			} catch (error) {
				assert.ok(Date.now() < deadline, String(error));
			}
		}
	};
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
