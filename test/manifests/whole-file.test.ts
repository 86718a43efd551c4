import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readWhole } from "../../src/manifests/whole-file.ts";
import { temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const root = join(import.meta.dirname, "../..");

function makePipe(name: string): string {
	const pipe = join(folder.path, name);
	execFileSync("mkfifo", [pipe]);
	return pipe;
}

/** What `waymark lint` says where a shell has put the file together. */
function lintBy(script: string): { readonly status: number; readonly text: string } {
	const waymark = `${process.execPath} ${join(root, "src/main.ts")}`;
	try {
		const text = execFileSync("bash", ["-c", script.replaceAll("WAYMARK", waymark)], {
			encoding: "utf8",
			timeout: 30_000,
			stdio: ["ignore", "pipe", "pipe"],
		});
		return { status: 0, text };
	} catch (error) {
		const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
		return { status, text: `${stdout}${stderr}` };
	}
}

describe("readWhole()", () => {
	it("gives up a pipe with a name into which nobody writes", () => {
		const pipe = makePipe("silent");
		assert.throws(() => readWhole(pipe, 50), /^Error: is a pipe into which nobody has written for 0\.05 s$/);
	});

	it("gives up a pipe whose writer falls silent", (context) => {
		const pipe = makePipe("stalled");
		const writer = spawn("bash", ["-c", `exec 3<>${pipe}; echo a >&3; sleep 60`]);
		context.after(() => writer.kill("SIGKILL"));
		assert.throws(() => readWhole(pipe, 1_500), /nobody has written/);
	});

	it("reads a pipe with a name to its end where somebody writes", (context) => {
		const pipe = makePipe("written");
		const text = "x".repeat(300_000);
		const file = folder.write("text", text);
		const writer = spawn("bash", ["-c", `cat ${file} > ${pipe}`]);
		context.after(() => writer.kill("SIGKILL"));
		assert.equal(readWhole(pipe, 20_000).toString(), text);
	});

	it("reads a file as it is, and an empty one", () => {
		const file = folder.write("plain", "a");
		assert.equal(readWhole(file).toString(), "a");
		appendFileSync(file, "é");
		assert.equal(readWhole(file).toString(), "aé");
		assert.equal(readWhole(folder.write("empty", "")).length, 0);
		assert.equal(readWhole("/dev/null").length, 0);
	});

	it("ends where something never ends", () => {
		assert.throws(() => readWhole("/dev/zero"), /^Error: is longer than 256 MiB$/);
	});
});

describe("waymark lint", () => {
	const example = join(root, "examples");

	it("reads what a shell pipes to it, however late: -, /dev/stdin and <( )", () => {
		const slow = `(cat ${example}/istio-egress.yaml; sleep 0.3; echo ---; cat ${example}/shop.yaml)`;
		for (const script of [
			`${slow} | WAYMARK lint -`,
			`${slow} | WAYMARK lint /dev/stdin`,
			`WAYMARK lint <(${slow})`,
			`WAYMARK lint <(cat ${example}/istio-egress.yaml) <(sleep 0.3; cat ${example}/shop.yaml)`,
			`WAYMARK lint --config <(echo 'defaults: {mode: warn}') ${example}`,
		]) {
			const { status, text } = lintBy(script);
			assert.equal(status, 0, `${script}\n${text}`);
			assert.match(text, /4 objects|judged/i);
		}
	});

	it("names a pipe among the manifests of a folder instead of waiting for it", () => {
		folder.write("tree/a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n");
		makePipe("tree/b.yaml");
		makePipe("tree/other");
		const { status, text } = lintBy(`WAYMARK lint ${join(folder.path, "tree")}`);
		assert.equal(status, 65, text);
		assert.match(text, /b\.yaml:1 +unreadable\n +is no regular file$/m);
		assert.doesNotMatch(text, /other/);
	});

	it("says that nobody writes into a pipe, by 65 and the pipe's name", () => {
		const pipe = makePipe("lint.yaml");
		const { status, text } = lintBy(`WAYMARK lint ${pipe}`);
		assert.equal(status, 65, text);
		assert.match(text, /lint\.yaml:1 +unreadable\n +is a pipe into which nobody has written for 5 s$/m);
	});
});
