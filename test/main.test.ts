import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { runVerb } from "./support/run-verb.ts";

test("main() answers a mistyped verb with what was meant, in one line", async () => {
	const { code, out, error } = await runVerb("lnt", "examples");
	assert.deepEqual(
		[code, out, error],
		[64, "", 'waymark: there is no verb "lnt"; did you mean waymark lint?\n'],
	);
	const strange = await runVerb("xyzzyplugh");
	assert.equal(strange.error, 'waymark: there is no verb "xyzzyplugh"; waymark --help lists them\n');
});

test("main() answers help VERB as VERB --help", async () => {
	assert.deepEqual(await runVerb("help", "config"), await runVerb("config", "--help"));
	assert.match(
		(await runVerb("help", "export", "network-policies")).out,
		/^Usage: waymark export network-policies/,
	);
	assert.equal((await runVerb("help", "nothing")).out, (await runVerb("--help")).out);
});

test("waymark says nothing when whoever reads its output has gone", {
	skip: process.platform === "win32" && "the test needs a shell with pipes",
}, () => {
	const main = join(import.meta.dirname, "../src/main.ts");
	const command = `"${process.execPath}" "${main}" rules --output json | head -c 10`;
	const { stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
	assert.equal(stderr, "");
});
