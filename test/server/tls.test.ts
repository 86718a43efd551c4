import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { connect as openTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions, Server, TLSSocket } from "node:tls";
import { connect } from "node:tls";
import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import type { CertificatePair } from "../../src/certificates/inspect.ts";
import { joinBundle } from "../../src/certificates/inspect.ts";
import type { HeldCertificate } from "../../src/certificates/source.ts";
import { holdCertificate } from "../../src/certificates/source.ts";
import type { HandshakeFailure } from "../../src/server/handshakes.ts";
import { countHandshakes, handshakeFailures } from "../../src/server/handshakes.ts";
import type { AppliedCertificates, TlsDemands } from "../../src/server/tls.ts";
import { applyCertificates, installClientNames, tlsContext } from "../../src/server/tls.ts";

const now = new Date();
const names = ["127.0.0.1"];
const [authority, nextAuthority, clientAuthority, otherClientAuthority] = await Promise.all([
	createAuthority({ now }),
	createAuthority({ now }),
	createAuthority({ now }),
	createAuthority({ now }),
]);
const [first, second, foreign] = await Promise.all([
	issueCertificate(authority, { names, now }),
	issueCertificate(nextAuthority, { names, now }),
	issueCertificate(authority, { names, now }),
]);
const client = (issuer: CertificatePair, name: string): Promise<CertificatePair> =>
	issueCertificate(issuer, { names: [name], now, purpose: "client" });
const ca = joinBundle([authority.cert, nextAuthority.cert]);

interface Served {
	readonly server: Server;
	readonly port: number;
	readonly source: HeldCertificate;
	readonly applied: AppliedCertificates;
	readonly errors: Error[];
}

async function serve(
	context: TestContext,
	demands: TlsDemands = {},
	prepare: (app: FastifyInstance) => void = () => {},
): Promise<Served> {
	const source = holdCertificate(first);
	const app = fastify({ https: tlsContext(first, demands), forceCloseConnections: true });
	prepare(app as unknown as FastifyInstance);
	app.get("/", async () => "hello");
	await app.listen({ port: 0, host: "127.0.0.1" });
	const errors: Error[] = [];
	const { server } = app;
	const applied = applyCertificates(server, source, demands, (error) => errors.push(error));
	context.after(async () => {
		applied.stop();
		await app.close();
	});
	const { port } = server.address() as AddressInfo;
	return { server, port, source, applied, errors };
}

interface Answer {
	readonly status: number;
	readonly body: string;
	readonly issuer: string;
}

function get(port: number, options: ConnectionOptions & { agent?: Agent | false } = {}): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const call = request({ host: "127.0.0.1", port, ca, agent: false, ...options }, async (response) => {
			const issuer = String((response.socket as TLSSocket).getPeerCertificate().issuer.CN);
			let body = "";
			for await (const chunk of response) {
				body += chunk;
			}
			resolve({ status: response.statusCode ?? 0, body, issuer });
		});
		call.on("error", reject);
		call.end();
	});
}

/** Asks from several clients at once until it is over, and counts what became of it. */
async function load(
	port: number,
	agent: Agent | false,
	isOver: (answered: number) => boolean,
): Promise<{ answered: number; failed: number }> {
	const counts = { answered: 0, failed: 0 };
	const worker = async (): Promise<void> => {
		while (!isOver(counts.answered)) {
			try {
				const { status } = await get(port, { agent });
				counts[status === 200 ? "answered" : "failed"] += 1;
			} catch {
				counts.failed += 1;
			}
		}
	};
	await Promise.all([worker(), worker(), worker(), worker()]);
	return counts;
}

for (const keepAlive of [true, false]) {
	test(`applyCertificates() loses no request while pairs of two CAs alternate, keep-alive ${keepAlive}`, async (context) => {
		const { port, source, applied } = await serve(context);
		const agent = keepAlive ? new Agent({ keepAlive: true }) : false;
		const end = Date.now() + 20_000;
		let swaps = 0;
		const swapping = setInterval(() => {
			swaps += 1;
			source.set(swaps % 2 === 0 ? first : second);
		}, 10);
		const counts = await load(port, agent, (answered) => (answered > 100 && swaps > 20) || Date.now() > end);
		clearInterval(swapping);
		if (agent !== false) {
			agent.destroy();
		}
		context.diagnostic(`${counts.answered} requests answered, ${counts.failed} failed, ${swaps} swaps`);
		assert.equal(counts.failed, 0);
		assert.ok(counts.answered > 20 && swaps > 10, `${counts.answered} requests, ${swaps} swaps`);
		assert.equal(applied.faults(), 0);
	});
}

test("applyCertificates() gives the new certificate to new connections and leaves open ones alone", async (context) => {
	const { port, source } = await serve(context);
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	context.after(() => agent.destroy());
	const before = await get(port, { agent });
	source.set(second);
	assert.equal((await get(port, { agent })).issuer, before.issuer);
	assert.notEqual((await get(port)).issuer, before.issuer);
});

test("applyCertificates() counts a pair that does not match and serves on with the one before", async (context) => {
	const { port, source, applied, errors } = await serve(context);
	source.set({ cert: first.cert, key: foreign.key });
	assert.equal(applied.faults(), 1);
	assert.match(errors[0]?.message ?? "", /values mismatch/);
	assert.equal(applied.served().key, first.key);
	assert.equal((await get(port)).status, 200);
	source.set(second);
	assert.equal(applied.faults(), 1);
	assert.equal(applied.served().key, second.key);
	assert.equal((await get(port)).status, 200);
});

test("applyCertificates() applies what the source changed to before anybody listened", async (context) => {
	const source = holdCertificate(second);
	const { server } = await serve(context);
	const applied = applyCertificates(server, source);
	assert.equal(applied.served(), source.current());
	applied.stop();
});

test("The TLS floor of 1.3 outlives a reload and the client-certificate check", async (context) => {
	const { port, source } = await serve(context, { clientCa: clientAuthority.cert });
	const own = await client(clientAuthority, "kube-apiserver");
	for (const pair of [first, second]) {
		source.set(pair);
		await assert.rejects(get(port, { ...own, maxVersion: "TLSv1.2" }), /protocol version/i);
		assert.equal((await get(port, { ...own })).status, 200);
	}
});

test("TLS 1.2 is spoken on request only, and then with forward secrecy and AEAD", async (context) => {
	const { port } = await serve(context, { minVersion: "TLSv1.2" });
	const socket = connect({ host: "127.0.0.1", port, ca, maxVersion: "TLSv1.2" });
	await once(socket, "secureConnect");
	assert.equal(socket.getProtocol(), "TLSv1.2");
	assert.match(socket.getCipher().name, /^ECDHE-ECDSA-.*(GCM|POLY1305)/);
	socket.destroy();
	await assert.rejects(
		get(port, { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" }),
		/handshake failure/i,
	);
});

test("A client without a certificate, or with one of another CA, is refused before and after a reload", async (context) => {
	const { port, source } = await serve(context, { clientCa: clientAuthority.cert });
	const stranger = await client(otherClientAuthority, "kube-apiserver");
	for (const pair of [first, second]) {
		source.set(pair);
		await assert.rejects(get(port));
		await assert.rejects(get(port, { ...stranger }));
	}
});

test("demand() takes in a renewed client CA, and a session of the old one cannot be resumed", async (context) => {
	const { port, applied } = await serve(context, { clientCa: clientAuthority.cert });
	const [old, renewed] = await Promise.all([
		client(clientAuthority, "kube-apiserver"),
		client(otherClientAuthority, "kube-apiserver"),
	]);
	const opened = connect({ host: "127.0.0.1", port, ca, ...old });
	const [session] = await once(opened, "session");
	opened.destroy();
	applied.demand({ clientCa: otherClientAuthority.cert });
	await assert.rejects(get(port, { ...old }));
	await assert.rejects(get(port, { ...old, session }));
	assert.equal((await get(port, { ...renewed })).status, 200);
	assert.throws(() => applied.demand({}), /already runs/);
});

test("installClientNames() answers 403 to a client of the right CA under another name", async (context) => {
	const { port } = await serve(context, { clientCa: clientAuthority.cert }, (app) =>
		installClientNames(app, ["kube-apiserver", "aggregator"]),
	);
	const refused = await get(port, { ...(await client(clientAuthority, "somebody")) });
	assert.equal(refused.status, 403);
	assert.match(refused.body, /none of the allowed names/);
	assert.equal((await get(port, { ...(await client(clientAuthority, "kube-apiserver")) })).status, 200);
	assert.equal((await get(port, { ...(await client(clientAuthority, "aggregator")) })).status, 200);
});

type Failure = Exclude<HandshakeFailure, "timeout" | "distrusted">;

const failures: Readonly<Record<Failure, readonly [TlsDemands, ConnectionOptions]>> = {
	"client-certificate": [{ clientCa: clientAuthority.cert }, { ca }],
	version: [{}, { ca, maxVersion: "TLSv1.2" }],
	"plain-http": [{}, {}],
	closed: [{}, {}],
	other: [{}, {}],
};

/** What is sent without TLS. */
const words = new Map([
	["plain-http", "GET / HTTP/1.1\r\n\r\n"],
	["closed", ""],
	["other", "\u0016\u0003\u0001nonsense"],
]);

for (const [reason, [demands, options]] of Object.entries(failures)) {
	test(`countHandshakes() counts a failed handshake as ${reason}`, async (context) => {
		const { server, port } = await serve(context, demands);
		const handshakes = countHandshakes(server);
		const text = words.get(reason);
		if (text === undefined) {
			connect({ host: "127.0.0.1", port, ...options }).on("error", () => {});
		} else {
			const socket = openTcp(port, "127.0.0.1").on("error", () => {});
			await once(socket, "connect");
			socket.end(text);
		}
		while (handshakeFailures.every((each) => handshakes.failed(each) === 0)) {
			await sleep(5);
		}
		assert.deepEqual(
			handshakeFailures.filter((each) => handshakes.failed(each) > 0),
			[reason],
		);
	});
}

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test("countHandshakes() counts a client that says that it does not trust the certificate", {
	skip:
		!hasOpenssl && "no openssl here; Node.js as a client hangs up without the alert that Go and OpenSSL send",
}, async (context) => {
	const { server, port } = await serve(context);
	const handshakes = countHandshakes(server);
	const folder = mkdtempSync(join(tmpdir(), "waymark-tls-"));
	context.after(() => rmSync(folder, { recursive: true }));
	writeFileSync(join(folder, "ca.crt"), nextAuthority.cert);
	const args = ["s_client", "-verify_return_error", "-CAfile", join(folder, "ca.crt")];
	const client = spawn("openssl", [...args, "-connect", `127.0.0.1:${port}`], { stdio: "ignore" });
	await once(client, "close");
	while (handshakeFailures.every((each) => handshakes.failed(each) === 0)) {
		await sleep(5);
	}
	assert.equal(handshakes.failed("distrusted"), 1);
});

test("countHandshakes() counts one that takes longer than the server allows", async (context) => {
	const app = fastify({ https: { ...tlsContext(first), handshakeTimeout: 50 }, forceCloseConnections: true });
	await app.listen({ port: 0, host: "127.0.0.1" });
	context.after(() => app.close());
	const handshakes = countHandshakes(app.server);
	const socket = openTcp((app.server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
	context.after(() => socket.destroy());
	while (handshakes.failed("timeout") === 0) {
		await sleep(5);
	}
});

test("countHandshakes() counts no handshake that succeeds", async (context) => {
	const { server, port } = await serve(context);
	const handshakes = countHandshakes(server);
	const socket = connect({ host: "127.0.0.1", port, ca });
	await once(socket, "secureConnect");
	socket.end();
	await once(socket, "close");
	assert.deepEqual(
		handshakeFailures.filter((each) => handshakes.failed(each) > 0),
		[],
	);
});
