import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pairFault, verificationFault } from "../../src/certificates/inspect.ts";

const root = join(import.meta.dirname, "../..");
const script = join(root, "certs/generate.ts");

test("certs/generate.ts writes pairs that their CAs verify, with keys for nobody else to read", async (context) => {
	const directory = await mkdtemp(join(tmpdir(), "waymark-certs-"));
	context.after(() => rm(directory, { recursive: true }));
	execFileSync(process.execPath, [script, "--directory", directory, "--name", "10.0.0.7"]);
	const read = (file: string): Promise<string> => readFile(join(directory, file), "utf8");
	const serving = { cert: await read("tls.crt"), key: await read("tls.key") };
	const client = { cert: await read("client.crt"), key: await read("client.key") };
	assert.deepEqual([pairFault(serving), pairFault(client)], [null, null]);
	const bundle = await read("ca.crt");
	for (const name of ["localhost", "10.0.0.7", "waymark.waymark-system.svc"]) {
		assert.equal(verificationFault(serving.cert, { now: new Date(), bundle, name }), null);
	}
	for (const file of (await readdir(directory)).filter((name) => name.endsWith(".key"))) {
		assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600, file);
	}
});

test("git ignores whatever lies in certs/ and is not listed", (context) => {
	const ignored = ["certs/dev/tls.key", "certs/dev/ca.crt", "certs/tls.crt", "certs/cert-manager/secret.key"];
	let output: string;
	try {
		output = execFileSync("git", ["check-ignore", ...ignored], { cwd: root }).toString();
	} catch (error) {
		if ((error as { readonly status?: number }).status === 1) {
			throw error;
		}
		context.skip("this is no git checkout, or there is no git");
		return;
	}
	assert.deepEqual(output.trim().split("\n"), ignored);
});
