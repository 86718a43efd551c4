import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gathered, withConstants } from "../../src/export/admission-records.ts";

describe("withConstants", () => {
	it("puts literals where they are asked for, in words and expressions", () => {
		const { words, rewrite } = withConstants([
			{ name: "least", expression: "2", isConstant: true },
			{ name: "few", expression: "size < variables.least" },
		]);
		assert.deepEqual(words, [{ name: "few", expression: "size < 2" }]);
		assert.equal(rewrite("variables.few && variables.leastOf"), "variables.few && variables.leastOf");
		assert.equal(rewrite("variables.least > 1"), "2 > 1");
	});
});

describe("gathered", () => {
	const words = [
		{ name: "given", expression: "1" },
		{ name: "own", expression: "variables.given" },
		{ name: "double", expression: "variables.own + variables.own" },
		{ name: "after", expression: "variables.double + variables.given" },
	];

	it("makes one word of several, those that ask for others of them after them", () => {
		const { words: fewer, rewrite } = gathered("both", new Set(["own", "double"]), words);
		assert.deepEqual(
			fewer.map(({ name, expression }) => [name, expression.replaceAll(/\s+/g, " ")]),
			[
				["given", "1"],
				[
					"both",
					"[{ 'own': dyn(variables.given)}] .map(known, { 'own': dyn(known.own), 'double': dyn(known.own + known.own)})[0]",
				],
				["after", "variables.both.double + variables.given"],
			],
		);
		assert.equal(
			rewrite("variables.double > variables.doubled"),
			"variables.both.double > variables.doubled",
		);
	});

	it("leaves a single word as it is", () => {
		assert.deepEqual(gathered("both", new Set(["own", "absent"]), words).words, words);
	});
});
