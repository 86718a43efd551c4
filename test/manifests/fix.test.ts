import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Edit } from "../../src/core/finding.ts";
import { fixedText } from "../../src/manifests/fix.ts";
import type { Unreadable } from "../../src/manifests/read.ts";
import { filesOf, parseManifests, readManifestFile } from "../../src/manifests/read.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();

const host: Edit = { op: "set", path: ["spec", "hosts", 0], value: "a.example" };
const scope: Edit = { op: "set", path: ["spec", "exportTo"], value: [".", "b"] };
const label: Edit = { op: "set", path: ["metadata", "labels", "x"], value: "y" };
const noLabel: Edit = { op: "remove", path: ["metadata", "labels", "x"] };

/** A text with the edits made to each of its objects; undefined where one had to be left. */
function fixed(text: string, ...edits: readonly Edit[]): string | undefined {
	const { manifests } = parseManifests(text, "a.yaml");
	const fixes = manifests.map((manifest) => ({ manifest, edits }));
	const result = fixedText(
		manifests[0]?.source ?? { text, positionAt: () => ({ line: 1, column: 1 }) },
		fixes,
	);
	return result.unfixed.length === 0 ? result.text : undefined;
}

describe("fixedText", () => {
	for (const [what, before, after, edit] of [
		[
			"a plain item",
			"spec:\n  hosts:\n  - A.example   # c\n",
			"spec:\n  hosts:\n  - a.example   # c\n",
			host,
		],
		["a quoted item", 'spec:\n  hosts: ["A.example"]\n', 'spec:\n  hosts: ["a.example"]\n', host],
		["a single-quoted item", "spec: {hosts: ['A.example']}\n", "spec: {hosts: ['a.example']}\n", host],
		[
			"a folded item",
			"spec:\n  hosts:\n  - >-\n    A.example\n  x: y\n",
			"spec:\n  hosts:\n  - a.example\n  x: y\n",
			host,
		],
		[
			"a tagged item",
			"spec:\n  hosts:\n  - !!str A.example\n",
			"spec:\n  hosts:\n  - !!str a.example\n",
			host,
		],
		[
			"an alias, and not its anchor",
			"a: &h A.example\nspec: {hosts: [*h]}\n",
			"a: &h A.example\nspec: {hosts: [a.example]}\n",
			host,
		],
		[
			"lines that end as on Windows",
			"spec:\r\n  hosts:\r\n  - A.example # c\r\n",
			"spec:\r\n  hosts:\r\n  - a.example # c\r\n",
			host,
		],
		[
			"a file with a byte order mark",
			"\uFEFFspec:\n  hosts: [A.example]\n",
			"\uFEFFspec:\n  hosts: [a.example]\n",
			host,
		],
		[
			"a list in a block",
			"spec:\n  exportTo:\n    - b\n    - b\n  # c\n",
			"spec:\n  exportTo:\n    - .\n    - b\n  # c\n",
			scope,
		],
		["a list in JSON", '{"spec": {"exportTo": ["b"]}}\n', '{"spec": {"exportTo": [".","b"]}}\n', scope],
		[
			"a map that is not there",
			"metadata:\n  name: a # c\n# d\n",
			'metadata:\n  name: a # c\n  labels:\n    x: "y"\n# d\n',
			label,
		],
		[
			"a map without content",
			"metadata:\n  labels:\n  name: a\n",
			'metadata:\n  labels: {x: "y"}\n  name: a\n',
			label,
		],
		["an empty map", "metadata:\n  labels: {}\n", 'metadata:\n  labels: {"x": "y"}\n', label],
		[
			"a map on Windows",
			"metadata:\r\n  name: a\r\n",
			'metadata:\r\n  name: a\r\n  labels:\r\n    x: "y"\r\n',
			label,
		],
		[
			"no new line at the end",
			"metadata:\n  name: a",
			'metadata:\n  name: a\n  labels:\n    x: "y"\n',
			label,
		],
		[
			"a removal",
			"metadata:\n  labels:\n    a: b # c\n    x: y\n",
			"metadata:\n  labels:\n    a: b # c\n",
			noLabel,
		],
		[
			"a removal at the front",
			"metadata:\n  labels: {x: y, a: b}\n",
			"metadata:\n  labels: {a: b}\n",
			noLabel,
		],
		[
			"a removal at the back",
			"metadata:\n  labels: {a: b, x: y}\n",
			"metadata:\n  labels: {a: b}\n",
			noLabel,
		],
		[
			"the removal of all there is",
			"metadata:\n  labels:\n    x: y\n  name: a\n",
			"metadata:\n  labels:\n    {}\n  name: a\n",
			noLabel,
		],
		[
			"every document of several",
			"spec:\n  hosts: [A.example]\n--- # c\nspec: {hosts: [B.example]}\n",
			"spec:\n  hosts: [a.example]\n--- # c\nspec: {hosts: [a.example]}\n",
			host,
		],
	] as const) {
		it(`changes ${what} and nothing else`, () => {
			assert.equal(fixed(before, edit), after);
		});
	}

	it("leaves what it could only change together with something else", () => {
		assert.equal(fixed("spec:\n  hosts: [&h A.example]\n  x: [*h]\n", host), undefined);
		assert.equal(fixed("spec:\n  hosts: [B.example]\nspec:\n  hosts: [A.example]\n", host), undefined);
		assert.equal(fixed("a: &a {hosts: [A.example]}\nspec:\n  <<: *a\n", host), undefined);
	});

	it("fixes the others where one has to be left", () => {
		const text = "spec:\n  hosts: [&h A.example]\n  x: [*h]\n---\nspec:\n  hosts: [A.example]\n";
		const { manifests } = parseManifests(text, "a.yaml");
		const [one, two] = manifests.map((manifest) => ({ manifest, edits: [host] }));
		assert.ok(one !== undefined && two !== undefined);
		const result = fixedText(one.manifest.source, [one, two]);
		assert.equal(result.text, text.replace(/A\.example\]\n$/, "a.example]\n"));
		assert.deepEqual(result.unfixed, [one]);
	});
});

describe("fixFiles", () => {
	it("says what it left, and why", async () => {
		const entry = (spec: string): string =>
			`apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a, namespace: shop}\nspec:\n  ${spec}\n  ports: [{number: 443, name: tls, protocol: TLS}]\n  resolution: DNS\n`;
		const anchored = folder.write("anchored.yaml", entry("hosts: [&h A.example]\n  subjectAltNames: [*h]"));
		assert.match(
			(await runVerb("lint", "--fix", anchored)).error,
			/anchored\.yaml:1: not fixed, since its form/,
		);
		const locked = folder.write("locked.yaml", entry("hosts: [A.example]"));
		chmodSync(locked, 0o444);
		const before = readFileSync(locked, "utf8");
		const { error } = await runVerb("lint", "--fix", locked);
		// The superuser may write everything.
		if (process.getuid?.() !== 0) {
			assert.match(error, /locked\.yaml: not fixed, since it cannot be written \(EACCES\)/);
			assert.equal(readFileSync(locked, "utf8"), before);
		}
	});
});

describe("filesOf", () => {
	it("follows links, reads nothing twice, and survives a circle", () => {
		const root = join(folder.path, "tree");
		const real = folder.write("tree/real/a.yaml", "");
		folder.write("tree/node_modules/b.yaml", "");
		folder.write("elsewhere/c.yaml", "");
		symlinkSync(root, join(root, "real", "circle"));
		symlinkSync(real, join(root, "twice.yaml"));
		symlinkSync(join(folder.path, "elsewhere", "c.yaml"), join(root, "linked.yaml"));
		symlinkSync("/nowhere/at/all", join(root, "broken.yaml"));
		mkdirSync(join(root, "folder.yaml"));
		const unreadable: Unreadable[] = [];
		assert.deepEqual(filesOf(root, unreadable), [join(root, "linked.yaml"), real]);
		assert.deepEqual(
			unreadable.map(({ file, message }) => `${file} ${message}`),
			[`${join(root, "broken.yaml")} no such file or directory`],
		);
	});
});

describe("readManifestFile", () => {
	it("reports what is not UTF-8 instead of reading something else", () => {
		for (const bytes of [
			[0xff, 0xfe, 0x6b, 0x00],
			[0x6b, 0x3a, 0x20, 0xff, 0x0a],
		]) {
			const file = folder.write("bytes.yaml", "");
			writeFileSync(file, Uint8Array.from(bytes));
			const { manifests, unreadable } = readManifestFile(file);
			assert.equal(manifests.length, 0);
			assert.match(unreadable[0]?.message ?? "", /^is not UTF-8/);
		}
	});
});
