import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { celList, celTemplate, celText } from "../../src/core/cel.ts";

describe("celText", () => {
	it("escapes what would end the literal or begin another line", () => {
		assert.equal(celText("it's \\ a\nb"), "'it\\'s \\\\ a\\nb'");
	});
});

describe("celList", () => {
	it("writes texts as a list, an empty one too", () => {
		assert.equal(celList(["a", "b'"]), "['a', 'b\\'']");
		assert.equal(celList([]), "[]");
	});
});

describe("celTemplate", () => {
	it("joins literals and the expressions between braces", () => {
		assert.equal(celTemplate('Host "{h}" is denied'), "'Host \"' +\nh +\n'\" is denied'");
	});

	it("makes an empty text of nothing", () => {
		assert.equal(celTemplate(""), "''");
	});

	it("keeps every character of a long text, in literals that fit a line", () => {
		const text = "a word and another ".repeat(20);
		const expression = celTemplate(text);
		assert.ok(expression.split("\n").every((line) => line.length <= 100));
		const joined = expression
			.split(" +\n")
			.map((line) => line.slice(1, -1))
			.join("");
		assert.equal(joined, text);
	});
});
