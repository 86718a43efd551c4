import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { readUsage } from "../../src/cli/completion.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { runVerb } from "../support/run-verb.ts";

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

/** What bash offers for a line that ends where the cursor is. */
async function offered(line: string): Promise<readonly string[]> {
	const { out } = await runVerb("completion", "bash");
	const words = line.split(" ");
	const script = `${out}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_waymark
printf '%s\\n' "\${COMPREPLY[@]}"`;
	const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
	assert.equal(stderr, "");
	return stdout.split("\n").filter((each) => each !== "");
}

describe("waymark completion bash", { skip: !has("bash") && "no bash on this machine" }, () => {
	it("offers every verb, and those that begin so", async () => {
		assert.deepEqual(
			(await offered("waymark ")).filter((each) => !each.startsWith("-")),
			[...verbs.keys()],
		);
		assert.deepEqual(await offered("waymark expl"), ["explain"]);
	});

	it("offers a verb's flags, and the words of a flag", async () => {
		const flags = await offered("waymark lint --");
		assert.ok(flags.includes("--strict") && flags.includes("--output"), flags.join(" "));
		assert.ok((await offered("waymark lint --output ")).includes("sarif"));
		assert.deepEqual(await offered("waymark trace --output j"), ["json"]);
	});

	it("leaves files to bash", async () => {
		assert.deepEqual(await offered("waymark lint manif"), []);
	});
});

for (const [shell, flags] of [
	["zsh", ["-n"]],
	["fish", ["--no-execute"]],
] as const) {
	it(`waymark completion ${shell} is a script that ${shell} can read`, {
		skip: !has(shell) && `no ${shell} on this machine`,
	}, async () => {
		const { out } = await runVerb("completion", shell);
		const { status, stderr } = spawnSync(shell, [...flags, "/dev/stdin"], { input: out, encoding: "utf8" });
		assert.equal(status, 0, stderr);
	});
}

it("waymark completion names every verb for every shell", async () => {
	for (const shell of ["bash", "zsh", "fish"]) {
		const { code, out } = await runVerb("completion", shell);
		assert.equal(code, 0);
		for (const verb of verbs.keys()) {
			assert.match(out, new RegExp(`\\b${verb}\\b`), `${shell}: ${verb}`);
		}
	}
});

it("waymark completion refuses a shell that it does not know", async () => {
	assert.equal((await runVerb("completion", "csh")).code, 64);
	assert.equal((await runVerb("completion")).code, 64);
});

it("readUsage() finds the flags of every verb", async () => {
	for (const [verb, load] of verbs) {
		const { usage } = await load();
		const { flags } = readUsage(verb, await load());
		for (const [flag] of usage.matchAll(/(?<=^ {2})--[a-z-]+/gm)) {
			assert.ok(
				flags.some((each) => each.flag === flag),
				`${verb} ${flag}`,
			);
		}
	}
});
