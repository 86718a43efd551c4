import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { stringify } from "yaml";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { bodyLimit } from "../../src/server/app.ts";
import { residentMiB } from "../support/resident-memory.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import { startServe } from "../support/serve-process.ts";
import { readAll, runWebhook } from "../support/webhook.ts";

const webhook = await runWebhook(
	{ after },
	{ state: world([teamNamespace, egressNamespace, egressWaypoint]) },
);
const good = JSON.stringify(reviewOf(boundEntry));
const large = `${good}${" ".repeat(6 * 1024 * 1024)}`;

test("60 stalled bodies of 7 MiB take less than 160 MiB of a replica, and reviews are answered meanwhile", {
	skip: process.platform !== "linux" && "the memory of another process is read from /proc",
}, async (context) => {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-bodies-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	const folder = join(cwd, "world");
	mkdirSync(folder);
	const objects = [teamNamespace, egressNamespace, egressWaypoint];
	writeFileSync(join(folder, "world.yaml"), objects.map((object) => stringify(object)).join("---\n"));
	const server = await startServe(context, ["--world", folder], { cwd });
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	const before = residentMiB(server.pid);
	const ca = readFileSync(server.caFile, "utf8");
	const port = Number(new URL(server.url).port);
	const text = "x".repeat(1024 * 1024);
	const sockets = await Promise.all(
		Array.from({ length: 60 }, async () => {
			const socket = connect({ host: "127.0.0.1", port, ca });
			socket.on("error", () => {});
			await once(socket, "secureConnect");
			socket.write(head(`content-length: ${bodyLimit}`));
			for (let sent = 0; sent < 6; sent++) {
				socket.write(text);
			}
			return socket;
		}),
	);
	context.after(() => {
		for (const socket of sockets) {
			socket.destroy();
		}
	});
	await sleep(500);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	await sleep(3_000);
	const taken = residentMiB(server.pid) - before;
	assert.ok(taken < 160, `${Math.round(taken)} MiB`);
	context.diagnostic(`${Math.round(taken)} MiB`);
	// A large review gets the place of one that stopped coming.
	const entry = {
		...boundEntry,
		metadata: { ...boundEntry.metadata, annotations: { a: "x".repeat(200_000) } },
	};
	assert.equal((await server.ask("validate", reviewOf(entry))).allowed, true);
	const metrics = await (await fetch(`${server.operations}/metrics`)).text();
	assert.match(metrics, /^waymark_http_turned_away_total\{reason="bodies"\} [1-9]/m);
	assert.equal((await server.end()).code, 0);
});

function head(length: string): string {
	return `POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;
}

test("A body that finds no room is answered 503 with Retry-After once it has been read", async () => {
	const chunked = await Promise.all(
		Array.from({ length: 9 }, async () => {
			const socket = await webhook.open();
			socket.write(head("transfer-encoding: chunked"));
			return socket;
		}),
	);
	await sleep(100);
	const answer = await webhook.post("/validate", large);
	assert.equal(answer.status, 503);
	assert.equal(answer.headers["retry-after"], "1");
	const [first] = chunked;
	assert.ok(first !== undefined);
	const answered = readAll(first);
	first.write(`${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`);
	assert.match(await answered, /^HTTP\/1\.1 200 /);
	for (const socket of chunked) {
		socket.destroy();
	}
});
