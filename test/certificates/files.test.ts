import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import type { CertificateFileSource } from "../../src/certificates/files.ts";
import { watchCertificateFiles } from "../../src/certificates/files.ts";
import type { CertificatePair } from "../../src/certificates/inspect.ts";
import { pairFault } from "../../src/certificates/inspect.ts";
import { until } from "../support/until.ts";

const now = new Date();
const authority = await createAuthority({ now });
const issue = (lifetimeMs?: number): Promise<CertificatePair> =>
	issueCertificate(authority, {
		names: ["waymark"],
		now,
		...(lifetimeMs === undefined ? {} : { lifetimeMs }),
	});
const [first, second, third] = await Promise.all([issue(), issue(), issue()]);

async function directory(context: TestContext): Promise<string> {
	const path = await mkdtemp(join(tmpdir(), "waymark-files-"));
	context.after(() => rm(path, { recursive: true }));
	return path;
}

/** Swaps a mounted Secret the way the kubelet does (pkg/volume/util/atomic_writer.go). */
async function swap(mount: string, version: string, pair: CertificatePair): Promise<void> {
	const fresh = join(mount, `..${version}`);
	await mkdir(fresh);
	await writeFile(join(fresh, "tls.crt"), pair.cert);
	await writeFile(join(fresh, "tls.key"), pair.key);
	await writeFile(join(fresh, "ca.crt"), authority.cert);
	await symlink(`..${version}`, join(mount, "..data_tmp"));
	await rename(join(mount, "..data_tmp"), join(mount, "..data"));
}

async function mountSecret(context: TestContext, pair: CertificatePair): Promise<string> {
	const mount = await directory(context);
	await swap(mount, "v0", pair);
	for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
		await symlink(`..data/${name}`, join(mount, name));
	}
	return mount;
}

function files(mount: string): { certFile: string; keyFile: string; caFile: string } {
	return { certFile: join(mount, "tls.crt"), keyFile: join(mount, "tls.key"), caFile: join(mount, "ca.crt") };
}

async function changed(source: CertificateFileSource): Promise<void> {
	await new Promise<void>((resolve) => {
		const unsubscribe = source.onChange(() => {
			unsubscribe();
			resolve();
		});
	});
}

test("watchCertificateFiles() follows every swap of a mounted Secret, not only the first", async (context) => {
	const mount = await mountSecret(context, first);
	const source = await watchCertificateFiles({ ...files(mount), pollMs: 60_000 });
	context.after(() => source.stop());
	assert.equal(source.current().cert, first.cert);
	assert.equal(source.current().ca, authority.cert);
	for (const [version, pair] of [
		["v1", second],
		["v2", third],
	] as const) {
		const change = changed(source);
		await swap(mount, version, pair);
		await change;
		assert.equal(source.current().cert, pair.cert);
	}
});

test("watchCertificateFiles() follows plain files that are written one after the other", async (context) => {
	const mount = await directory(context);
	const { certFile, keyFile } = files(mount);
	await writeFile(certFile, first.cert);
	await writeFile(keyFile, first.key);
	const faults: (string | null)[] = [];
	const source = await watchCertificateFiles({
		certFile,
		keyFile,
		pollMs: 60_000,
		onFault: (fault) => faults.push(fault),
	});
	context.after(() => source.stop());
	const change = changed(source);
	await writeFile(certFile, second.cert);
	await until("the certificate without its key is told", () => faults.length > 0, 20_000);
	assert.equal(source.current().cert, first.cert, "a certificate without its key is not taken");
	await writeFile(keyFile, second.key);
	await change;
	assert.equal(source.current().cert, second.cert);
	assert.equal(faults.length, 2);
	assert.match(faults[0] ?? "", /belongs to another certificate/);
	assert.equal(faults[1], null);
});

test("watchCertificateFiles() by its poll alone notices a change within the interval", async (context) => {
	const mount = await mountSecret(context, first);
	const source = await watchCertificateFiles({ ...files(mount), pollMs: 50 });
	context.after(() => source.stop());
	// The directory is gone for the watch, as after a remount.
	const change = changed(source);
	await rename(mount, `${mount}-away`);
	await swap(await mkdir(mount).then(() => mount), "v1", second);
	for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
		await symlink(`..data/${name}`, join(mount, name));
	}
	context.after(() => rm(`${mount}-away`, { recursive: true }));
	await change;
	assert.equal(source.current().cert, second.cert);
});

test("watchCertificateFiles() keeps the good pair when the new one is garbage, expired or gone", async (context) => {
	const mount = await mountSecret(context, first);
	const source = await watchCertificateFiles({ ...files(mount), pollMs: 60_000 });
	context.after(() => source.stop());
	await swap(mount, "v1", { cert: "garbage", key: "garbage" });
	await source.refresh();
	assert.match(source.fault() ?? "", /not readable PEM/);
	await swap(mount, "v2", await issue(-60_000));
	await source.refresh();
	assert.match(source.fault() ?? "", /expired at/);
	await rm(join(mount, "..data"));
	await source.refresh();
	assert.match(source.fault() ?? "", /ENOENT/);
	assert.equal(source.current().cert, first.cert);
	await swap(mount, "v3", second);
	await source.refresh();
	assert.equal(source.fault(), null);
	assert.equal(source.current().cert, second.cert);
});

test("watchCertificateFiles() rejects when the first pair is unusable", async (context) => {
	const mount = await mountSecret(context, { cert: first.cert, key: second.key });
	await assert.rejects(
		watchCertificateFiles(files(mount)),
		/Cannot read the certificate .*another certificate/,
	);
});

test("watchCertificateFiles() never yields a torn pair while a Secret is swapped all the time", async (context) => {
	const mount = await mountSecret(context, first);
	const source = await watchCertificateFiles({ ...files(mount), pollMs: 60_000 });
	context.after(() => source.stop());
	let yielded = 0;
	source.onChange(() => {
		yielded += 1;
		assert.equal(pairFault(source.current()), null);
	});
	const until = Date.now() + 700;
	let version = 1;
	const writing = (async () => {
		while (Date.now() < until) {
			await swap(mount, `v${version}`, version % 2 === 0 ? first : second);
			await rm(join(mount, `..v${version - 1}`), { recursive: true });
			version += 1;
		}
	})();
	while (Date.now() < until) {
		await source.refresh();
	}
	await writing;
	await source.refresh();
	assert.ok(yielded > 3, `only ${yielded} changes were seen in ${version} swaps`);
	assert.equal(source.current().cert, ((version - 1) % 2 === 0 ? first : second).cert);
});
