import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { stringify } from "yaml";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import type { CertificatePair } from "../../src/certificates/inspect.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { post } from "../support/https.ts";
import { reviewOf } from "../support/reviews.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { runScript, startServe } from "../support/serve-process.ts";

const now = new Date();
const [authority, renewed] = await Promise.all([createAuthority({ now }), createAuthority({ now })]);

function makeFolder(context: TestContext): { readonly cwd: string; readonly clientCa: string } {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-clients-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	mkdirSync(join(cwd, "world"));
	const objects = [egressNamespace, egressWaypoint, teamNamespace];
	writeFileSync(join(cwd, "world/all.yaml"), objects.map((object) => stringify(object)).join("---\n"));
	const clientCa = join(cwd, "client-ca.crt");
	writeFileSync(clientCa, authority.cert);
	return { cwd, clientCa };
}

const client = (issuer: CertificatePair, name: string): Promise<CertificatePair> =>
	issueCertificate(issuer, { names: [name], now, purpose: "client" });

/** The status of a review that is sent with this client certificate; rejects when TLS does. */
async function statusWith(server: ServeProcess, pair: CertificatePair | undefined): Promise<number> {
	const { hostname, port } = new URL(server.url);
	const agent = new Agent({ ca: readFileSync(server.caFile), ...(pair ?? {}) });
	const body = JSON.stringify(reviewOf(boundEntry));
	return (await post({ host: hostname, port: Number(port), path: "/validate", agent, body })).status;
}

test("serve --client-ca --client-name answers the API server alone, and follows its CA", async (context) => {
	const { cwd, clientCa } = makeFolder(context);
	const flags = ["--client-ca", clientCa, "--client-name", "kube-apiserver"];
	const server = await startServe(context, ["--world", join(cwd, "world"), ...flags], { cwd });
	const apiServer = await client(authority, "kube-apiserver");
	assert.equal(await statusWith(server, apiServer), 200);
	assert.equal(await statusWith(server, await client(authority, "somebody")), 403);
	await assert.rejects(statusWith(server, undefined));
	const after = await client(renewed, "kube-apiserver");
	await assert.rejects(statusWith(server, after));
	writeFileSync(`${clientCa}.new`, renewed.cert);
	renameSync(`${clientCa}.new`, clientCa);
	const deadline = Date.now() + 5000;
	while ((await statusWith(server, after).catch(() => 0)) !== 200) {
		assert.ok(Date.now() < deadline, "the renewed CA is not applied");
	}
	await assert.rejects(statusWith(server, apiServer));
	const metrics = await (await fetch(`${server.operations}/metrics`)).text();
	assert.match(metrics, /^waymark_certificate_expiry_timestamp_seconds \d{10}$/m);
	assert.match(metrics, /^waymark_certificate_faults_total 0$/m);
	assert.match(metrics, /^waymark_http_turned_away_total\{reason="draining"\} 0$/m);
});

test("serve refuses client names without a CA, unknown TLS versions and an empty CA file", async (context) => {
	const { cwd, clientCa } = makeFolder(context);
	const world = [
		"serve",
		"--world",
		join(cwd, "world"),
		"--listen",
		"127.0.0.1:0",
		"--operations",
		"127.0.0.1:0",
	];
	const run = (...flags: readonly string[]): ReturnType<typeof runScript> =>
		runScript("src/main.ts", [...world, ...flags], { cwd });
	const nameless = await run("--client-name", "kube-apiserver");
	assert.deepEqual([nameless.code, /needs --client-ca/.test(nameless.error)], [64, true]);
	const old = await run("--tls-min-version", "1.1");
	assert.deepEqual([old.code, /must be 1\.2 or 1\.3/.test(old.error)], [64, true]);
	writeFileSync(clientCa, "");
	const empty = await run("--client-ca", clientCa);
	assert.equal(empty.code, 65);
	assert.match(empty.error, /holds no certificate/);
	const missing = await run("--client-ca", join(cwd, "none.crt"));
	assert.equal(missing.code, 65, missing.error);
	assert.match(missing.error, /^waymark: Cannot read the client CA [^\n]*none\.crt: [^\n]*\n$/m);
	assert.doesNotMatch(missing.error, /^ {4}at /m);
});
