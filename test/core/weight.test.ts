import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kinds } from "../../src/core/kinds.ts";
import { firstOf, weightOf } from "../../src/core/weight.ts";
import { plainEntry } from "../../src/rules/examples.ts";

const { shape } = kinds.ServiceEntry;

describe("weightOf()", () => {
	it("weightOf() counts what the shape names and nothing else", () => {
		const bytes = weightOf(plainEntry, shape);
		assert.ok(bytes > 300 && bytes < 1500, String(bytes));
		assert.equal(weightOf({ ...plainEntry, other: "x".repeat(10_000) }, shape), bytes);
	});

	it("weightOf() grows with every text, list and map", () => {
		const bytes = weightOf(plainEntry, shape);
		for (const part of [
			{ metadata: { labels: { ["k".repeat(1000)]: "v" } } },
			{ spec: { hosts: Array.from({ length: 20 }, (_, index) => `h${index}.example.com`) } },
			{ spec: { endpoints: Array.from({ length: 20 }, () => ({ address: "10.0.0.1" })) } },
		]) {
			assert.ok(weightOf({ ...plainEntry, ...part }, shape) > bytes);
		}
	});

	it("weightOf() throws for nothing", () => {
		for (const value of [null, 1, "x", [], { spec: 1 }, { spec: { hosts: { a: 1 } } }, { metadata: [] }]) {
			assert.ok(weightOf(value, shape) >= 0);
		}
	});
});

describe("firstOf()", () => {
	it("firstOf() keeps the first items of lists and maps, the first characters of texts, and no other field", () => {
		const map = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, "v"]));
		const shape = {
			fields: { list: { list: "number" }, map: { map: "string" }, text: "string", n: "string" },
		} as const;
		const value = { list: [1, 2, 3, 4, 5], map, text: "x".repeat(2000), n: null, unread: "y" };
		const first = firstOf(value, shape, 4) as { list: number[]; map: object; text: string; n: null };
		assert.deepEqual(Object.keys(first), ["list", "map", "text", "n"]);
		assert.deepEqual(first.list, [1, 2, 3, 4]);
		assert.equal(Object.keys(first.map).length, 32);
		assert.equal(first.text.length, 1024);
		assert.equal(first.n, null);
	});
});
