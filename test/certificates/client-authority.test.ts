import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { createAuthority } from "../../src/certificates/authority.ts";
import { watchClientAuthority } from "../../src/certificates/client-authority.ts";

const [first, second] = await Promise.all([
	createAuthority({ now: new Date() }),
	createAuthority({ now: new Date() }),
]);

async function fileOf(context: TestContext, content: string): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), "waymark-client-ca-"));
	context.after(() => rm(directory, { recursive: true }));
	const file = join(directory, "ca.crt");
	await writeFile(file, content);
	return file;
}

test("watchClientAuthority() follows its file and keeps the last good CAs through a bad one", async (context) => {
	const file = await fileOf(context, first.cert);
	const faults: (string | null)[] = [];
	const authority = await watchClientAuthority(file, {
		pollMs: 30,
		onFault: (fault) => faults.push(fault),
	});
	context.after(() => authority.stop());
	assert.equal(authority.current(), first.cert);
	const changed = new Promise<void>((resolve) => authority.onChange(resolve));
	await writeFile(`${file}.new`, "nothing");
	await rename(`${file}.new`, file);
	while (faults.length === 0) {
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
	assert.match(faults[0] ?? "", /Cannot use the client CA .*holds no certificate/);
	assert.equal(authority.current(), first.cert);
	await writeFile(`${file}.new`, second.cert);
	await rename(`${file}.new`, file);
	await changed;
	assert.equal(authority.current(), second.cert);
	assert.equal(faults.at(-1), null);
});

test("watchClientAuthority() rejects a file that holds no certificate, or is not there", async (context) => {
	const file = await fileOf(context, "nothing");
	await assert.rejects(watchClientAuthority(file), /holds no certificate/);
	await assert.rejects(watchClientAuthority(`${file}.gone`), /Cannot read the client CA .*ENOENT/);
});
