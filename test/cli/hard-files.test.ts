import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gateOr } from "../support/long-form.ts";
import { temporaryFolder } from "../support/run-verb.ts";

const root = join(import.meta.dirname, "../..");
const folder = temporaryFolder();

const head = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a, namespace: shop}\n";
const entry = `${head}spec: {hosts: [a.example.com], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}\n`;
const level = (name: string, before: string): string =>
	`  ${name}: &${name} [${`*${before}, `.repeat(9)}*${before}]\n`;

/** Files that end or hold a reader which takes YAML at its word. */
const texts: Readonly<Record<string, string | Buffer>> = {
	"aliases that multiply to a billion": `${head}x:\n  a: &a [lol]\n${["b", "c", "d", "e", "f", "g", "h", "i", "j"].map((name, index) => level(name, "abcdefghi"[index] ?? "")).join("")}`,
	"an alias that contains itself": `${head}spec: &s {hosts: [a.example.com], self: *s}\n`,
	"lists 100,000 deep": `${head}spec: ${"[".repeat(100_000)}${"]".repeat(100_000)}\n`,
	"maps 100,000 deep": `${head}spec: ${"{a: ".repeat(100_000)}1${"}".repeat(100_000)}\n`,
	"lists that never end": `kind: ${"[".repeat(100_000)}`,
	"maps that go ever deeper by indentation": `${head}spec:\n${Array.from({ length: 1_500 }, (_, depth) => `${" ".repeat(depth + 1)}a:\n`).join("")}`,
	"50,000 documents of nothing": "---\n".repeat(50_000),
	"a key of a megabyte": `${head}spec: {${"k".repeat(1_000_000)}: 1}\n`,
	"a text of a megabyte in quotes that never close": `${head}spec: {hosts: ["${"x".repeat(1_000_000)}\n`,
	"a million spaces": `${entry}#${" ".repeat(1_000_000)}x\n`,
	"bytes that are no text": Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x00, 0x00, 0x80, 0x81]),
	"UTF-16": Buffer.from(`\ufeff${entry}`, "utf16le"),
	"UTF-8 with a byte order mark and the line ends of Windows": `\ufeff${entry.replaceAll("\n", "\r\n")}`,
	"zeros where letters belong": entry.replace("a.example.com", "a\u0000b"),
	"a merge key that merges itself": `${head}spec: &s\n  <<: *s\n  hosts: [a.example.com]\n`,
	"a tag that asks for an object of some language": `${head}spec: !!js/function "function () {}"\n`,
	"a directive of another YAML": `%YAML 9.9\n%TAG ! tag:example.com,2026:\n---\n${entry}`,
};

const verbs: Readonly<Record<string, (file: string) => readonly string[]>> = {
	lint: (file) => ["lint", file],
	trace: (file) => ["trace", "--all", file],
	inventory: (file) => ["inventory", file],
	// What one file leaves behind must not stand in the way of the next.
	migrate: (file) => ["migrate", file, "--out", `${file}.out`],
	exemptions: (file) => ["exemptions", file],
	"export authorization-policies": (file) => ["export", "authorization-policies", file],
};

// Every verb reads by the same reader, so the gate asks two of them.
const asked = Object.entries(verbs).slice(0, gateOr(1, 6));

describe("a file that ends or holds many readers", () => {
	for (const [index, [what, text]] of Object.entries(texts).entries()) {
		for (const [verb, argsOf] of asked) {
			it(`waymark ends ${verb} of ${what} with an answer, in a heap of 256 MB`, () => {
				const file = join(folder.path, `file-${index}.yaml`);
				writeFileSync(file, text);
				const { status, signal, stderr, stdout } = spawnSync(
					process.execPath,
					["--max-old-space-size=256", join(root, "src/main.ts"), ...argsOf(file)],
					{ cwd: folder.path, encoding: "utf8", timeout: 60_000 },
				);
				assert.equal(signal, null);
				assert.ok([0, 1, 65].includes(status ?? -1), `${status}: ${stderr.slice(0, 2_000)}`);
				assert.doesNotMatch(stderr, /^ {4}at /m);
				// What is wrong is said of the file, and not by repeating it.
				assert.ok(stderr.length + stdout.length < 20_000, stderr.slice(0, 500));
			});
		}
	}
});
