import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { kubectlYaml } from "../../src/manifests/kubectl-yaml.ts";
import { parseManifests } from "../../src/manifests/read.ts";
import {
	configMapWith,
	kubectlObjects,
	kubectlReadings,
	kubectlRefusals,
	kubectlRefusedObjects,
} from "../support/kubectl-readings.ts";

function readingOf(text: string): unknown {
	const { manifests } = parseManifests(text, "a.yaml");
	return (manifests[0]?.object as { readonly value?: unknown } | undefined)?.value;
}

describe("contentOf", () => {
	for (const [written, read] of kubectlReadings) {
		it(`reads ${written} as kubectl does`, () => {
			assert.deepEqual(readingOf(configMapWith(written)), read);
		});
	}

	for (const written of kubectlRefusals) {
		it(`refuses ${written} as kubectl does`, () => {
			const { manifests, unreadable } = parseManifests(configMapWith(written), "a.yaml");
			assert.deepEqual(manifests, []);
			assert.deepEqual(
				unreadable.map(({ line }) => line),
				[4],
			);
		});
	}

	it("refuses a few lines that unfold into billions", () => {
		const lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"];
		for (let level = 1; level < 12; level++) {
			lines.push(
				`b${level}: &a${level} [${Array(10)
					.fill(`*a${level - 1}`)
					.join(", ")}]`,
			);
		}
		const started = performance.now();
		const { unreadable } = parseManifests(lines.join("\n"), "a.yaml");
		assert.match(unreadable[0]?.message ?? "", /unfolds without measure/);
		assert.ok(performance.now() - started < 5_000);
	});

	it("refuses what is nested without end, and ends", () => {
		const { unreadable } = parseManifests(
			configMapWith(`${"[".repeat(3_000)}${"]".repeat(3_000)}`),
			"a.yaml",
		);
		assert.equal(unreadable.length, 1);
	});

	it("keeps a key named __proto__", () => {
		assert.deepEqual(Object.keys(readingOf(configMapWith("{__proto__: 1}")) as object), ["__proto__"]);
	});
});

describe("parseManifests", () => {
	for (const [what, text, read] of kubectlObjects) {
		it(`parseManifests() reads of ${what} the objects that kubectl reads`, () => {
			const { manifests, unreadable } = parseManifests(text, "a.yaml");
			assert.deepEqual(unreadable, []);
			assert.deepEqual(
				manifests.map(({ object }) => `${object.kind}/${object.metadata?.name}`),
				read,
			);
		});
	}

	for (const [what, text] of kubectlRefusedObjects) {
		it(`parseManifests() names ${what}, which kubectl refuses`, () => {
			assert.equal(parseManifests(text, "a.yaml").unreadable.length, 1);
		});
	}

	it("parseManifests() knows the place of what follows a byte order mark", () => {
		const text = "kind: A\n---\n\u{FEFF}kind: B\nmetadata: {name: b}\n";
		const [, manifest] = parseManifests(text, "a.yaml").manifests;
		assert.deepEqual(manifest?.position(["kind"]), { line: 3, column: 1 });
		assert.deepEqual(manifest?.position(["metadata", "name"]), { line: 4, column: 12 });
	});

	it("parseManifests() takes the file of another program for no list, and names lists without end", () => {
		const menu = parseManifests("kind: Menu\nitems: [soup, bread]\n", "a.yaml");
		assert.deepEqual([menu.manifests.length, menu.unreadable], [1, []]);
		const nested = `${"{kind: List, items: [".repeat(6)}{kind: A}${"]}".repeat(6)}`;
		const { manifests, unreadable } = parseManifests(nested, "a.yaml");
		assert.deepEqual(
			[manifests, unreadable.map(({ message }) => message)],
			[[], ["is a list in more than 4 lists"]],
		);
	});
});

describe("stringify with kubectlYaml", () => {
	for (const text of ["off", "y", "0443", "0o17", "1_000", "1e3", ".5", "null", "~", "", "1.30", ".inf"]) {
		it(`quotes ${JSON.stringify(text)}, which kubectl would read as something else`, () => {
			assert.equal(readingOf(configMapWith(stringify(text, kubectlYaml))), text);
		});
	}
});

describe("parseManifests", () => {
	it("refuses a directive before the first ---, as kubectl does, and takes a % elsewhere", () => {
		const object = "kind: Namespace\nmetadata: {name: a}\n";
		for (const head of ["%YAML 1.1\n---\n", "# first\n\n%YAML 1.2\n---\n"]) {
			const { unreadable } = parseManifests(head + object, "a.yaml");
			assert.deepEqual(
				unreadable.map(({ line, message }) => [line, message]),
				[[head.indexOf("%") === 0 ? 1 : 3, "kubectl takes no YAML directive: leave the line out"]],
			);
		}
		assert.deepEqual(parseManifests(`${object}data: |\n  %YAML 1.1\n`, "a.yaml").unreadable, []);
	});

	it("names what stands after ... and does not judge it, as kubectl reads nothing there", () => {
		const { manifests, unreadable } = parseManifests("kind: A\n...\nkind: B\n--- # c\nkind: C\n", "a.yaml");
		assert.deepEqual(
			manifests.map(({ object }) => object.kind),
			["A", "C"],
		);
		assert.deepEqual(unreadable, [
			{ file: "a.yaml", line: 3, message: "kubectl reads nothing after ..., until the next ---" },
		]);
	});

	it("names an object on the line of ---, which kubectl refuses", () => {
		const { unreadable } = parseManifests("kind: A\n--- {kind: B}\n", "a.yaml");
		assert.deepEqual(
			unreadable.map(({ line }) => line),
			[2],
		);
	});

	it("notes words of a known kind that YAML 1.2 reads otherwise, and no others", () => {
		const text = [
			"apiVersion: networking.istio.io/v1",
			"kind: ServiceEntry",
			"metadata: {name: a}",
			'spec: {hosts: ["off"], ports: [{number: 0443, name: tls}], resolution: DNS}',
		].join("\n");
		const { notes } = parseManifests(text, "a.yaml");
		assert.equal(notes.length, 1);
		assert.match(notes[0]?.message ?? "", /^"0443" without quotes is 291 to kubectl/);
		assert.deepEqual(parseManifests(configMapWith("0443"), "a.yaml").notes, []);
	});
});
