import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pairFault, verificationFault } from "../../src/certificates/inspect.ts";
import { holdCertificate, throwAwayCertificate } from "../../src/certificates/source.ts";

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

test("holdCertificate() tells its listeners of changes only, until they leave", async () => {
	const held = holdCertificate({ cert: "a", key: "a" });
	let calls = 0;
	const leave = held.onChange(() => {
		calls += 1;
	});
	held.set({ cert: "a", key: "a" });
	assert.equal(calls, 0);
	held.set({ cert: "b", key: "b" });
	held.set({ cert: "b", key: "b", ca: "c" });
	assert.equal(calls, 2);
	leave();
	held.set({ cert: "d", key: "d" });
	assert.equal(calls, 2);
	assert.equal(held.current().cert, "d");
	await held.stop();
	assert.equal(held.current().cert, "d");
});
