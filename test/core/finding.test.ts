import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatPath, isNameLike, jsonPointer, mention, quote } from "../../src/core/finding.ts";
import { anyText } from "../support/any-text.ts";

describe("formatPath() and jsonPointer()", () => {
	for (const [path, text, pointer] of [
		[[], "", ""],
		[["spec", "hosts", 0], "spec.hosts[0]", "/spec/hosts/0"],
		[
			["metadata", "labels", "istio.io/use-waypoint"],
			'metadata.labels["istio.io/use-waypoint"]',
			"/metadata/labels/istio.io~1use-waypoint",
		],
		[["a~/b"], '["a~/b"]', "/a~0~1b"],
		[["", "0"], '[""]["0"]', "//0"],
		[['a"b\n'], '["a\\"b\\n"]', '/a"b\n'],
	] as const) {
		it(`formatPath() and jsonPointer() write ${JSON.stringify(path)}`, () => {
			assert.equal(formatPath(path), text);
			assert.equal(jsonPointer(path), pointer);
		});
	}

	it("formatPath() makes one printable line of keys of any length and any letters", () => {
		assert.equal(formatPath(["spec", "k".repeat(1_000_000)]), `spec["${"k".repeat(60)}…"]`);
		assert.equal(formatPath(["\u202e\u2028\u{e0001}"]), '["\\u202e\\u2028\\udb40\\udc01"]');
		const longest = `${"a".repeat(253)}/${"b".repeat(63)}`;
		assert.equal(formatPath([longest]), `["${longest}"]`);
	});

	it("jsonPointer() is never the same for two paths of strings", () => {
		const path = fc.array(fc.string({ unit: fc.constantFrom("~", "/", "0", "1", "a"), maxLength: 4 }), {
			maxLength: 3,
		});
		fc.assert(
			fc.property(path, path, (one, other) => {
				const isSame = JSON.stringify(one) === JSON.stringify(other);
				assert.equal(jsonPointer(one) === jsonPointer(other), isSame);
			}),
		);
	});
});

describe("quote() and mention()", () => {
	it("quote() makes one printable line of any text, at most as long as asked", () => {
		fc.assert(
			fc.property(fc.oneof(anyText, fc.jsonValue()), fc.integer({ min: 2, max: 90 }), (value, limit) => {
				const quoted = quote(value, limit);
				assert.ok(quoted.length <= limit + 2);
				assert.doesNotMatch(quoted, /[\p{Cc}\p{Zl}\p{Zp}\p{Cf}\p{Cs}]/u);
			}),
		);
	});

	it("quote() shows where something was hidden or cut", () => {
		assert.equal(quote("a\u001B[31m\u202Eb\u2028"), '"a\uFFFD[31m\uFFFDb\uFFFD"');
		assert.equal(quote("x".repeat(81)), `"${"x".repeat(79)}…"`);
		assert.equal(quote("x".repeat(80)), `"${"x".repeat(80)}"`);
		assert.equal(quote("\u{1F600}".repeat(3), 4), '"\u{1F600}…"');
		assert.equal(quote(undefined), '"undefined"');
		assert.equal(quote({ a: 1 }), '"{"a":1}"');
	});

	it("mention() leaves a name alone and quotes everything else", () => {
		assert.equal(mention("istio-egress/egress.v1"), "istio-egress/egress.v1");
		for (const text of ["", "a b", "a\nb", "$(id)", "`id`", "a;b", "x".repeat(254)]) {
			assert.equal(isNameLike(text), false, text);
			assert.match(mention(text), /^"/);
		}
	});
});
