import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBlockYaml } from "../../src/manifests/block-yaml.ts";
import { gateOr } from "../support/long-form.ts";
import { assertBlockParity, blockTexts, mutated, randomOf } from "./block-yaml-parity.ts";

describe("readBlockYaml", () => {
	it("reads nearly all manifests of this repository, and as the parser reads them", () => {
		const isRead = blockTexts().map(assertBlockParity);
		const share = isRead.filter(Boolean).length / isRead.length;
		assert.ok(isRead[0] === true && share > 0.9, `${share}`);
	});

	// `node test/manifests/block-yaml-parity.ts 200000` is the long form.
	it("reads a changed manifest as the parser does, or leaves it to the parser", () => {
		const texts = blockTexts();
		let read = 0;
		for (let seed = 1; seed <= gateOr(500, 20_000); seed++) {
			const random = randomOf(seed);
			const text = texts[random(texts.length)] ?? "";
			read += assertBlockParity(mutated(text.slice(0, 3000), random)) ? 1 : 0;
		}
		assert.ok(read > 50, `${read}`);
	});

	for (const [what, line] of [
		["a word that YAML 1.2 reads otherwise", "a: yes"],
		["an octal number", "a: 0777"],
		["a field that is written twice", "a: 1\na: 2"],
		["an anchor", "a: &b c"],
		["an alias", "a: *b"],
		["a tag", "a: !!str 1"],
		["a text of several lines", "a: b\n  c"],
		["an escape", 'a: "\\n"'],
		["a merge", "<<: {a: b}"],
		["a tab", "a:\tb"],
		["the end of a document", "a: b\n..."],
		["JSON", '{"a": 1}'],
		["a template", "a: {{ .Values.a }}"],
	] as const) {
		it(`leaves ${what} to the parser`, () => {
			assert.equal(readBlockYaml(`${line}\n`), undefined);
		});
	}
});
