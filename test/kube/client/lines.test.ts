import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "../../../src/kube/client/lines.ts";
import { anyText } from "../../support/any-text.ts";

test("LineSplitter gives the same lines however the bytes are cut", () => {
	fc.assert(
		fc.property(
			fc.array(anyText.map((text) => text.replaceAll("\n", " "))),
			fc.array(fc.integer({ min: 1, max: 7 })),
			(lines, cuts) => {
				const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
				const splitter = new LineSplitter(10_000);
				const seen: string[] = [];
				let at = 0;
				for (const cut of cuts) {
					splitter.push(bytes.subarray(at, at + cut), (line) => seen.push(line));
					at += cut;
				}
				splitter.push(bytes.subarray(at), (line) => seen.push(line));
				// Lone surrogates have no UTF-8 form; the server cannot send them.
				const sent = lines.map((line) => Buffer.from(line).toString()).filter((line) => line !== "");
				assert.deepEqual(seen, sent);
				assert.equal(splitter.pending, 0);
			},
		),
	);
});

test("LineSplitter does not cut at U+2028, which JSON may carry raw", () => {
	const seen: string[] = [];
	new LineSplitter(100).push(Buffer.from('{"a":"\u2028"}\n'), (line) => seen.push(line));
	assert.deepEqual(seen, ['{"a":"\u2028"}']);
});

test("LineSplitter refuses a line that grows past its limit, and says how much of one is pending", () => {
	const splitter = new LineSplitter(10);
	splitter.push(Buffer.from("12345"), () => {});
	assert.equal(splitter.pending, 5);
	assert.throws(() => splitter.push(Buffer.from("678901"), () => {}), /longer than 10 bytes/);
});
