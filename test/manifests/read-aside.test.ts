import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { readPlain } from "../../src/manifests/plain-reading.ts";
import { readAside } from "../../src/manifests/read-aside.ts";

const document = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n";

test("readAside() reads what readPlain() does", async () => {
	const bytes = Buffer.from(`${document.repeat(3)}apiVersion: v1\nkind: Namespace\nmetadata: [\n`);
	const reading = await readAside(bytes, "a.yaml", new AbortController().signal);
	assert.equal(reading.count, 3);
	assert.equal(reading.unreadable.length, 1);
	assert.deepEqual(reading, readPlain(bytes, "a.yaml"));
});

test("readAside() ends with its signal", async () => {
	const ended = await readAside(Buffer.from(document), "a.yaml", AbortSignal.abort());
	assert.deepEqual(ended.objects, []);
	assert.match(ended.unreadable[0]?.message ?? "", /reading was ended/);
});

test("readAside() says of a file that memory is too small for it, and the process lives on", async () => {
	const file = JSON.stringify(join(import.meta.dirname, "../../src/manifests/read-aside.ts"));
	const script = `
		const { readAside } = await import(${file});
		const bytes = Buffer.from(${JSON.stringify(document)}.repeat(60_000));
		const { unreadable } = await readAside(bytes, "a.yaml", new AbortController().signal);
		console.log(unreadable[0].message);`;
	const { stdout } = await promisify(execFile)(process.execPath, [
		"--max-old-space-size=40",
		"--input-type=module",
		"--eval",
		script,
	]);
	assert.equal(stdout, "is too large for the memory of this process: split the file\n");
});
