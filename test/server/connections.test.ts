import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectPlain } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import type { Connections } from "../../src/server/connections.ts";
import { limitConnections } from "../../src/server/connections.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { createOperations } from "../../src/server/probes.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import { until } from "../support/until.ts";
import { runWebhook } from "../support/webhook.ts";

const now = new Date();
const [authority, clientAuthority] = await Promise.all([createAuthority({ now }), createAuthority({ now })]);
const [pair, client] = await Promise.all([
	issueCertificate(authority, { names: ["127.0.0.1"], now }),
	issueCertificate(clientAuthority, { names: ["kube-apiserver"], now, purpose: "client" }),
]);

interface Limited {
	readonly port: number;
	readonly connections: Connections;
	/** A connection after its handshake, from this address of loopback. */
	open(from: string, certificate?: boolean): Promise<TLSSocket>;
	/** A connection that says nothing. */
	bare(from: string): Promise<Socket>;
}

/** A server that lets six connections be open, four of one address. */
async function limited(context: TestContext): Promise<Limited> {
	const server = createServer({
		...pair,
		requestCert: true,
		rejectUnauthorized: false,
		ca: clientAuthority.cert,
	});
	const limits = { most: 6, mostPerAddress: 4, handshakeMs: 1_000 };
	const connections = limitConnections(server, limits);
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const sockets: Socket[] = [];
	context.after(() => {
		connections.stop();
		for (const socket of sockets) {
			socket.destroy();
		}
		server.closeAllConnections();
		server.close();
	});
	const kept = <T extends Socket>(socket: T): T => {
		socket.on("error", () => {});
		sockets.push(socket);
		return socket;
	};
	const bare = async (from: string): Promise<Socket> => {
		const socket = kept(connectPlain({ host: "127.0.0.1", port, localAddress: from }));
		await once(socket, "connect");
		return socket;
	};
	return {
		port,
		connections,
		bare,
		open: async (from, certificate = false) => {
			const plain = await bare(from);
			const options = certificate ? client : {};
			const socket = kept(connect({ socket: plain, ca: authority.cert, host: "127.0.0.1", ...options }));
			await once(socket, "secureConnect");
			await sleep(5);
			return socket;
		},
	};
}

async function assertClosed(socket: Socket): Promise<void> {
	await until("the connection is closed", () => socket.destroyed, 3_000);
}

test("limitConnections() ends the connection without a handshake first, then the idlest, never the newest", async (context) => {
	const { open, bare, connections } = await limited(context);
	const first = await open("127.0.0.2");
	const silent = await bare("127.0.0.3");
	const others = [
		await open("127.0.0.4"),
		await open("127.0.0.5"),
		await open("127.0.0.6"),
		await open("127.0.0.7"),
	];
	const seventh = await open("127.0.0.8");
	await assertClosed(silent);
	assert.equal(first.destroyed, false);
	const eighth = await open("127.0.0.9");
	await assertClosed(first);
	assert.ok([...others, seventh, eighth].every((socket) => !socket.destroyed));
	assert.equal(connections.cut("full"), 2);
});

test("limitConnections() ends a fifth connection of one address and none of another's", async (context) => {
	const { open, connections } = await limited(context);
	const other = await open("127.0.0.2");
	const mine = [];
	for (let count = 0; count < 8; count++) {
		mine.push(await open("127.0.0.3"));
	}
	await assertClosed(mine[3] as TLSSocket);
	assert.deepEqual(
		mine.map((socket) => socket.destroyed),
		[true, true, true, true, false, false, false, false],
	);
	assert.equal(other.destroyed, false);
	assert.equal(connections.cut("address"), 4);
});

test("limitConnections() does not count connections that a client certificate vouches for, and ends them last", async (context) => {
	const { open } = await limited(context);
	const proven = [];
	for (let count = 0; count < 5; count++) {
		proven.push(await open("127.0.0.2", true));
	}
	const strangers = [];
	for (let count = 0; count < 4; count++) {
		strangers.push(await open("127.0.0.2"));
	}
	await assertClosed(strangers[2] as TLSSocket);
	assert.ok(proven.every((socket) => !socket.destroyed));
	assert.equal(strangers[3]?.destroyed, false);
});

test("limitConnections() ends a handshake that takes too long, even one that goes on byte by byte", async (context) => {
	const { bare, connections } = await limited(context);
	const socket = await bare("127.0.0.2");
	const started = performance.now();
	// The beginning of a record of 512 bytes, which then come one at a time.
	socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]));
	const dripping = setInterval(() => socket.write("x"), 100);
	context.after(() => clearInterval(dripping));
	await assertClosed(socket);
	assert.ok(performance.now() - started < 2_500);
	assert.equal(connections.cut("handshake"), 1);
});

test("createWebhook() answers at once although 1,100 connections are open that say nothing", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
	});
	const sockets: Socket[] = [];
	context.after(() => {
		for (const socket of sockets) {
			socket.destroy();
		}
	});
	for (let count = 0; count < 1_100; count++) {
		const from = `127.0.1.${1 + (count % 3)}`;
		const socket = connectPlain({ host: "127.0.0.1", port: webhook.port, localAddress: from });
		socket.on("error", () => {});
		sockets.push(socket);
		if (count % 100 === 99) {
			await sleep(20);
		}
	}
	await until("they are open", () => webhook.connections.open() > 900, 5_000);
	let worst = 0;
	for (let count = 0; count < 20; count++) {
		const started = performance.now();
		assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
		worst = Math.max(worst, performance.now() - started);
	}
	assert.ok(worst < 1_000, `${worst} ms`);
	await until("they are gone, for none has made its handshake", () => webhook.connections.open() < 10, 6_000);
});

test("createOperations() answers the kubelet although 300 connections are open that say nothing", async (context) => {
	const operations = createOperations(() => [], createMetrics());
	await operations.listen({ host: "127.0.0.1", port: 0 });
	const { port } = operations.server.address() as AddressInfo;
	const sockets = Array.from({ length: 300 }, () => {
		const socket = connectPlain({ host: "127.0.0.1", port, localAddress: "127.0.0.2" });
		socket.on("error", () => {});
		return socket;
	});
	context.after(async () => {
		for (const socket of sockets) {
			socket.destroy();
		}
		operations.server.closeAllConnections();
		await operations.close();
	});
	await sleep(200);
	const started = performance.now();
	const answer = await fetch(`http://127.0.0.1:${port}/livez`);
	assert.equal(await answer.text(), "ok\n");
	assert.ok(performance.now() - started < 1_000);
	assert.ok(sockets.filter((socket) => !socket.destroyed).length <= 64);
});
