import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../support/run-verb.ts";

const root = join(import.meta.dirname, "../..");
const folder = temporaryFolder();
const good = folder.write("good.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
mkdirSync(join(folder.path, "folder"));
symlinkSync("nowhere", join(folder.path, "broken.yaml"));

function waymark(args: readonly string[], input = ""): ReturnType<typeof spawnSync> {
	return spawnSync(process.execPath, [join(root, "src/main.ts"), ...args], {
		cwd: folder.path,
		encoding: "utf8",
		input,
		timeout: 60_000,
	});
}

/** Each verb with a file that is not there, or is none. */
const commands: readonly (readonly string[])[] = [
	["lint", "missing.yaml"],
	["lint", "broken.yaml"],
	["lint", "--config", "missing.yaml", good],
	["lint", "--config", "folder", good],
	["lint", "--baseline", "missing.json", good],
	["lint", "--baseline", "folder", "--write-baseline", good],
	["lint", "--cluster", "--kubeconfig", "missing"],
	["trace", "a.example.com", "--from", "shop", "missing.yaml"],
	["trace", "--all", "--cluster", "--kubeconfig", "folder"],
	["inventory", "broken.yaml"],
	["inventory", "--diff", "missing.json", good],
	["inventory", "--diff", "folder", good],
	["inventory", "--merge", "--output", "json", "missing.json", "folder"],
	["inventory", "--merge", "--output", "json", "folder", "folder"],
	["migrate", "missing.yaml"],
	["migrate", "broken.yaml"],
	["exemptions", "missing.yaml"],
	["export", "authorization-policies", "missing.yaml"],
	["export", "network-policies", "missing.yaml"],
	["export", "admission-policies", "--config", "missing.yaml"],
	["config", "check", "missing.yaml"],
	["config", "check", "folder"],
	["mcp", "missing"],
	["rules", "--config", "missing.yaml"],
	["explain", "serviceentry-schema", "--config", "missing.yaml"],
	["serve", "--kubeconfig", "missing", "--operations", "127.0.0.1:0"],
];

describe("a file that is not there, or is none", () => {
	for (const command of commands) {
		it(`waymark ${command.map((word) => (word === good ? "good.yaml" : word)).join(" ")}: one line and 65`, () => {
			const { status, stdout, stderr } = waymark(command);
			assert.equal(stdout, "");
			// One line for each file, and none for a stack.
			assert.match(String(stderr), command.includes("--merge") ? /^(?:[^\n]+\n){2}$/ : /^[^\n]+\n$/);
			assert.doesNotMatch(String(stderr), /^ {4}at /m);
			assert.equal(status, 65, String(stderr));
			assert.ok(!existsSync(join(folder.path, "waymark-migration")));
		});
	}

	it("is said in words", () => {
		for (const [command, words] of [
			[["config", "check", "folder"], /folder: is a directory\n$/],
			[["inventory", "--diff", "folder", good], /folder: is a directory\n$/],
			[["trace", "--all", "--cluster", "--kubeconfig", "folder"], /kubeconfig folder: is a directory\n$/],
			[["config", "chek", good], /config has no "chek"; did you mean config check\?\n$/],
		] as const) {
			assert.match(String(waymark(command).stderr), words);
		}
	});

	it("is in the report of a program all the same", () => {
		const { status, stdout } = waymark(["lint", "missing.yaml", "--output", "json"]);
		assert.equal(status, 65);
		assert.deepEqual((JSON.parse(String(stdout)) as { unreadable: unknown }).unreadable, [
			{ file: "missing.yaml", line: 1, message: "no such file or directory" },
		]);
	});
});
