import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pairFault, verificationFault } from "../../src/certificates/inspect.ts";
import { throwAwayCertificate } from "../../src/certificates/throw-away.ts";

test("throwAwayCertificate() makes a pair that the CA it writes verifies, and writes no key", async (context) => {
	const root = await mkdtemp(join(tmpdir(), "waymark-source-"));
	context.after(() => rm(root, { recursive: true }));
	const directory = join(root, "certificates");
	const source = await throwAwayCertificate({ names: ["localhost", "127.0.0.1"], directory });
	const { cert, key, ca } = source.current();
	assert.equal(source.caFile, join(directory, "ca.crt"));
	const written = await readFile(source.caFile ?? "", "utf8");
	assert.equal(written, ca);
	assert.equal(pairFault({ cert, key }), null);
	for (const name of ["localhost", "127.0.0.1"]) {
		assert.equal(verificationFault(cert, { now: new Date(), bundle: written, name }), null);
	}
	assert.deepEqual(await readdir(directory), ["ca.crt"]);
});

test("throwAwayCertificate() writes nothing when it is given no directory", async () => {
	const source = await throwAwayCertificate({ names: ["localhost"] });
	assert.equal(source.caFile, null);
});

test("throwAwayCertificate() per process takes its folder away at its end, and what killed processes left", async (context) => {
	const directory = await mkdtemp(join(tmpdir(), "waymark-throw-away-"));
	context.after(() => rm(directory, { recursive: true }));
	const leave = async (name: string, ageHours: number, more?: string): Promise<void> => {
		await mkdir(join(directory, name));
		for (const file of ["ca.crt", ...(more === undefined ? [] : [more])]) {
			await writeFile(join(directory, name, file), "");
		}
		const time = new Date(Date.now() - ageHours * 3_600_000);
		await utimes(join(directory, name, "ca.crt"), time, time);
	};
	// No process has these numbers: Linux ends at 4194304.
	await leave("99999991", 25);
	await leave("99999992", 23);
	await leave("99999993", 25, "of-somebody-else");
	await leave(String(process.ppid), 25);
	await leave("reports", 25);
	const source = await throwAwayCertificate({ names: ["localhost"], directory, perProcess: true });
	assert.equal(source.caFile, join(directory, String(process.pid), "ca.crt"));
	assert.equal(existsSync(source.caFile), true);
	const kept = ["99999992", "99999993", String(process.ppid), "reports"];
	assert.deepEqual((await readdir(directory)).toSorted(), [...kept, String(process.pid)].toSorted());
	await source.stop();
	assert.deepEqual((await readdir(directory)).toSorted(), kept.toSorted());
});
