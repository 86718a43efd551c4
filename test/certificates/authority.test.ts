import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { createAuthority, issueCertificate, serviceNames } from "../../src/certificates/authority.ts";
import {
	authorityFault,
	joinBundle,
	pairFault,
	renewalTime,
	verificationFault,
} from "../../src/certificates/inspect.ts";

const hour = 3_600_000;
const day = 24 * hour;
const now = new Date();
const later = (ms: number): Date => new Date(now.getTime() + ms);

const authority = await createAuthority({ now });
const other = await createAuthority({ now });
const names = [...serviceNames("waymark", "egress"), "127.0.0.1", "::1"];
const leaf = await issueCertificate(authority, { names, now });

test("createAuthority() makes a CA that is usable, backdated by an hour and good for a year", () => {
	const certificate = new X509Certificate(authority.cert);
	assert.equal(authorityFault(authority, now), null);
	assert.equal(certificate.ca, true);
	assert.ok(Math.abs(certificate.validFromDate.getTime() - later(-hour).getTime()) < 1000);
	assert.ok(Math.abs(certificate.validToDate.getTime() - later(365 * day).getTime()) < 1000);
	assert.notEqual(certificate.subject, new X509Certificate(other.cert).subject);
});

test("issueCertificate() makes a leaf that its CA alone verifies, under each of its names", () => {
	assert.equal(pairFault(leaf), null);
	for (const name of names) {
		assert.equal(verificationFault(leaf.cert, { now, bundle: authority.cert, name }), null);
	}
	assert.match(verificationFault(leaf.cert, { now, bundle: other.cert }) ?? "", /signed it/);
	assert.match(verificationFault(leaf.cert, { now, name: "evil.example" }) ?? "", /not for evil/);
	assert.equal(verificationFault(leaf.cert, { now, bundle: joinBundle([other.cert, authority.cert]) }), null);
});

test("issueCertificate() never lets a leaf outlive its CA", async () => {
	const brief = await createAuthority({ now, lifetimeMs: 2 * hour });
	const child = await issueCertificate(brief, { names: ["a"], now });
	assert.equal(new X509Certificate(child.cert).validTo, new X509Certificate(brief.cert).validTo);
});

test("issueCertificate() gives every certificate a serial number of its own, 127 bits long", async () => {
	const serials = new Set<string>();
	for (let index = 0; index < 20; index += 1) {
		const { serialNumber } = new X509Certificate(
			(await issueCertificate(authority, { names: ["a"], now })).cert,
		);
		assert.equal(serialNumber.length, 32);
		serials.add(serialNumber);
	}
	assert.equal(serials.size, 20);
});

test("issueCertificate() throws when there is no name or no CA", async () => {
	await assert.rejects(issueCertificate(authority, { names: [], now }), /no name is given/);
	await assert.rejects(issueCertificate({ cert: "", key: "" }, { names: ["a"], now }), /the CA is empty/);
});

test("verificationFault() names expiry and a start in the future, and forgives an early start as far as it is told", () => {
	assert.match(verificationFault(leaf.cert, { now: later(8 * day) }) ?? "", /expired at/);
	assert.match(verificationFault(leaf.cert, { now: later(-2 * hour) }) ?? "", /not valid before/);
	assert.equal(verificationFault(leaf.cert, { now: later(-2 * hour), earlyMs: 3 * hour }), null);
	assert.match(
		verificationFault(leaf.cert, { now: later(6 * day), bundle: "no PEM" }) ?? "",
		/holds no certificate/,
	);
});

test("verificationFault() refuses a certificate for clients", async () => {
	const client = await issueCertificate(authority, { names: ["kube-apiserver"], now, purpose: "client" });
	assert.match(verificationFault(client.cert, { now, bundle: authority.cert }) ?? "", /not for servers/);
});

test("authorityFault() refuses a leaf, a foreign key, two certificates, garbage and an expired CA", () => {
	assert.match(authorityFault(leaf, now) ?? "", /not a CA/);
	assert.match(authorityFault({ cert: authority.cert, key: other.key }, now) ?? "", /another certificate/);
	assert.match(
		authorityFault({ cert: authority.cert + other.cert, key: authority.key }, now) ?? "",
		/exactly one/,
	);
	assert.match(authorityFault({ cert: "garbage", key: authority.key }, now) ?? "", /not readable/);
	assert.match(authorityFault({ cert: authority.cert, key: "garbage" }, now) ?? "", /key is not readable/);
	assert.match(authorityFault(authority, later(366 * day)) ?? "", /expired/);
});

test("renewalTime() is two thirds into the life, and the epoch for what is no certificate", () => {
	const expected = now.getTime() - hour + ((7 * day + hour) * 2) / 3;
	assert.ok(Math.abs(renewalTime(leaf.cert).getTime() - expected) < 2000);
	assert.equal(renewalTime("garbage").getTime(), 0);
});

test("A leaf verifies in a real TLS 1.3 handshake that trusts its CA, and fails in one that does not", async () => {
	const server = createServer({ ...leaf, minVersion: "TLSv1.3" }, (socket) => socket.end("hello"));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const servername = serviceNames("waymark", "egress")[0] ?? "";
	try {
		const socket = connect({
			port,
			host: "127.0.0.1",
			servername,
			ca: joinBundle([other.cert, authority.cert]),
		});
		const [data] = await once(socket, "data");
		assert.equal(String(data), "hello");
		await assert.rejects(
			once(connect({ port, host: "127.0.0.1", servername, ca: other.cert }), "secureConnect"),
			/unable to verify|unable to get/,
		);
	} finally {
		server.close();
	}
});

test("openssl verifies the chain by the letter of X.509", (context) => {
	try {
		execFileSync("openssl", ["version"], { stdio: "ignore" });
	} catch {
		context.skip("there is no openssl on this machine");
		return;
	}
	const directory = mkdtempSync(join(tmpdir(), "waymark-authority-"));
	try {
		const [ca, cert] = [join(directory, "ca.crt"), join(directory, "tls.crt")];
		writeFileSync(ca, authority.cert);
		writeFileSync(cert, leaf.cert);
		const strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, cert];
		assert.match(execFileSync("openssl", strict).toString(), /OK/);
	} finally {
		rmSync(directory, { recursive: true });
	}
});
