import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { LabelSelector } from "../../../src/core/kinds.ts";
import { labelOf, selectorFault, selectorMatches } from "../../../src/istio/waypoint/label-selector.ts";

function expression(
	operator: string | null,
	values?: readonly string[] | null,
	key: string | null = "tier",
): LabelSelector {
	return { matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] };
}

// k8s.io/apimachinery pkg/labels/selector_test.go: TestRequirementConstructor, and validation_test.go: TestIsQualifiedName
const good: readonly LabelSelector[] = [
	{},
	{ matchLabels: {} },
	{ matchLabels: null, matchExpressions: null },
	{ matchLabels: { a: "" } },
	{ matchLabels: { "example.com/a": "b" } },
	{ matchLabels: { "1.2.3.4/1234": "b" } },
	{ matchLabels: { "Uppercase_Is.OK-123": "UP.per_CASE-1" } },
	{ matchLabels: { ["a".repeat(63)]: "b".repeat(63) } },
	{ matchLabels: { [`${"a".repeat(253)}/a`]: "b" } },
	expression("In", ["a"]),
	expression("In", [""]),
	expression("NotIn", ["a", "b"]),
	expression("Exists"),
	expression("Exists", []),
	expression("DoesNotExist", null),
];

const bad: readonly (readonly [LabelSelector, RegExp])[] = [
	[expression("In"), /operator In needs at least one value/],
	[expression("In", []), /needs at least one value/],
	[expression("NotIn", null), /needs at least one value/],
	[expression("Exists", ["a"]), /operator Exists takes no values/],
	[expression("DoesNotExist", [""]), /takes no values/],
	[expression("Gt", ["1"]), /"Gt" is not an operator/],
	[expression("Lt", ["1"]), /is not an operator/],
	[expression("in", ["a"]), /"in" is not an operator/],
	[expression("=", ["a"]), /is not an operator/],
	[expression("", ["a"]), /is not an operator/],
	[expression(null), /is not an operator/],
	[expression("Exists", [], ""), /"" is not a label key/],
	[expression("Exists", [], null), /is not a label key/],
	[expression("In", ["a b"]), /"a b" is not a label value/],
	[expression("In", ["ok", "x".repeat(64)]), /is not a label value/],
	[{ matchLabels: { "": "a" } }, /is not a label key/],
	[{ matchLabels: { "/a": "b" } }, /is not a label key/],
	[{ matchLabels: { "a/": "b" } }, /is not a label key/],
	[{ matchLabels: { "a/b/c": "b" } }, /is not a label key/],
	[{ matchLabels: { "Example.com/a": "b" } }, /is not a label key/],
	[{ matchLabels: { "example..com/a": "b" } }, /is not a label key/],
	[{ matchLabels: { "-a": "b" } }, /is not a label key/],
	[{ matchLabels: { "a-": "b" } }, /is not a label key/],
	[{ matchLabels: { ["a".repeat(64)]: "b" } }, /is not a label key/],
	[{ matchLabels: { [`${"a".repeat(254)}/a`]: "b" } }, /is not a label key/],
	[{ matchLabels: { a: "-b" } }, /is not a label value/],
	[{ matchLabels: { a: "b\n" } }, /is not a label value/],
];

describe("selectorFault()", () => {
	for (const selector of good) {
		it(`selectorFault() accepts ${JSON.stringify(selector).slice(0, 70)}`, () => {
			assert.equal(selectorFault(selector), undefined);
		});
	}

	for (const [selector, fault] of bad) {
		it(`selectorFault() refuses ${JSON.stringify(selector).slice(0, 70)}`, () => {
			assert.match(selectorFault(selector) ?? "", fault);
		});
	}

	it("selectorFault() accepts what is absent", () => {
		assert.equal(selectorFault(undefined), undefined);
		assert.equal(selectorFault(null), undefined);
	});
});

describe("selectorMatches()", () => {
	for (const [what, selector, labels, expected] of [
		["an absent selector", undefined, { a: "b" }, false],
		["a null selector", null, {}, false],
		["an empty selector", {}, {}, true],
		["a label that is there", { matchLabels: { a: "b" } }, { a: "b", c: "d" }, true],
		["a label of another value", { matchLabels: { a: "b" } }, { a: "c" }, false],
		["a label that is missing", { matchLabels: { a: "" } }, {}, false],
		["an empty label that is there", { matchLabels: { a: "" } }, { a: "" }, true],
		["one label of two", { matchLabels: { a: "b", c: "d" } }, { a: "b" }, false],
		["In", expression("In", ["a", "b"]), { tier: "b" }, true],
		["In of another value", expression("In", ["a"]), { tier: "b" }, false],
		["In of a missing label", expression("In", [""]), {}, false],
		["NotIn", expression("NotIn", ["a"]), { tier: "b" }, true],
		["NotIn of that value", expression("NotIn", ["a"]), { tier: "a" }, false],
		["NotIn of a missing label", expression("NotIn", ["a"]), {}, true],
		["Exists", expression("Exists"), { tier: "" }, true],
		["Exists of a missing label", expression("Exists"), {}, false],
		["DoesNotExist", expression("DoesNotExist"), {}, true],
		["DoesNotExist of a label", expression("DoesNotExist"), { tier: "" }, false],
		["both parts", { matchLabels: { a: "b" }, ...expression("Exists") }, { a: "b" }, false],
		["what a map inherits", expression("Exists", [], "constructor"), {}, false],
	] as const) {
		it(`selectorMatches() of ${what} is ${expected}`, () => {
			assert.equal(selectorMatches(selector, labels), expected);
		});
	}

	it("selectorMatches() holds for NotIn exactly where it does not for In, and likewise for Exists", () => {
		const value = fc.constantFrom("a", "b", "");
		const labels = fc.dictionary(fc.constantFrom("tier", "other"), value);
		fc.assert(
			fc.property(labels, fc.array(value, { minLength: 1 }), (own, values) => {
				const match = (operator: string, list: readonly string[]) =>
					selectorMatches(expression(operator, list), own);
				assert.equal(match("In", values), !match("NotIn", values));
				assert.equal(match("Exists", []), !match("DoesNotExist", []));
			}),
		);
	});
});

describe("labelOf()", () => {
	it("labelOf() finds an own label, and neither a missing nor an inherited one", () => {
		assert.equal(labelOf({ a: "" }, "a"), "");
		assert.equal(labelOf({ a: "b" }, "c"), undefined);
		assert.equal(labelOf({}, "toString"), undefined);
		assert.equal(labelOf(null, "a"), undefined);
		assert.equal(labelOf(undefined, "a"), undefined);
	});
});
