import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bounded } from "../../src/cli/mcp-answer.ts";

const item = { text: "x".repeat(1000) };

describe("bounded", () => {
	it("leaves an answer that fits as it is", () => {
		const content = { version: 1, hosts: [item] };
		assert.deepEqual(bounded(content), { content, left: [] });
	});

	it("cuts the longest list, keeps the others, and says how much it left out", () => {
		const found = bounded({ summary: { errors: 500 }, findings: Array(500).fill(item), notes: [item] });
		assert.deepEqual(found?.content.summary, { errors: 500 });
		assert.deepEqual(found?.content.notes, [item]);
		const [left, ...others] = found?.left ?? [];
		assert.deepEqual(others, []);
		assert.equal(left?.of, 500);
		assert.ok(left.shown > 55 && left.shown < 65, String(left.shown));
		assert.ok(Buffer.byteLength(JSON.stringify(found?.content)) <= 64 * 1024);
	});

	it("cuts a list of one item that is too large, and gives up where no list can be cut", () => {
		assert.deepEqual(bounded({ hosts: ["x".repeat(70_000)] })?.content, { hosts: [] });
		assert.equal(bounded({ text: "x".repeat(70_000) }), undefined);
	});
});
