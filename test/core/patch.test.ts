import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { applyPatch } from "rfc6902";
import type { Edit, Path } from "../../src/core/finding.ts";
import { applyEdits, toJsonPatch } from "../../src/core/patch.ts";
import { runs } from "../support/long-form.ts";

/** What the other library makes of our patch; fails when an operation does not apply. */
function patched(object: unknown, edits: readonly Edit[]): unknown {
	const copy = structuredClone(object);
	const failures = applyPatch(copy, structuredClone([...toJsonPatch(object, edits)])).filter(
		(result) => result !== null,
	);
	assert.deepEqual(failures, []);
	return copy;
}

function set(path: Path, value: unknown): Edit {
	return { op: "set", path, value };
}

function remove(path: Path): Edit {
	return { op: "remove", path };
}

// Few keys, so that edits meet what is there and each other; with every character that a pointer escapes.
const key = fc.constantFrom("a", "b", "~", "/", "~1", "a/b", "", "0");
const step = fc.oneof(key, fc.nat(3));
const { json } = fc.letrec((tie) => ({
	json: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		fc.constantFrom(null, 0, 1, "", "x", true),
		fc.array(tie("json"), { maxLength: 3 }),
		fc.dictionary(key, tie("json"), { maxKeys: 3, noNullPrototype: true }),
	),
}));
const object = fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true });
const path = fc.array(step, { maxLength: 4 });
const edit: fc.Arbitrary<Edit> = fc.oneof(
	fc.record({ op: fc.constant("set" as const), path, value: json }),
	fc.record({ op: fc.constant("remove" as const), path }),
);
const edits = fc.array(edit, { maxLength: 5 });

describe("toJsonPatch()", () => {
	it("toJsonPatch() applied by another library makes what applyEdits() makes", () => {
		fc.assert(
			fc.property(object, edits, (before, wishes) => {
				assert.deepEqual(patched(before, wishes), applyEdits(before, wishes));
			}),
			runs(5000),
		);
	});

	it("toJsonPatch() has nothing to say about what an object is already", () => {
		fc.assert(
			fc.property(object, (before) => {
				assert.deepEqual(toJsonPatch(before, []), []);
				const wishes = Object.entries(before).map(([name, value]) => set([name], structuredClone(value)));
				assert.deepEqual(toJsonPatch(before, wishes), []);
			}),
		);
	});

	it("toJsonPatch() of one wish has nothing to say once it is granted", () => {
		const wish = edit.filter(({ path: steps, op }) => op === "set" || typeof steps.at(-1) === "string");
		fc.assert(
			fc.property(object, wish, (before, one) => {
				assert.deepEqual(toJsonPatch(patched(before, [one]), [one]), []);
			}),
			runs(2000),
		);
	});

	it("toJsonPatch() leaves the object as it was", () => {
		fc.assert(
			fc.property(object, edits, (before, wishes) => {
				const copy = structuredClone(before);
				toJsonPatch(before, wishes);
				applyEdits(before, wishes);
				assert.deepEqual(before, copy);
			}),
		);
	});

	it("toJsonPatch() never throws, whatever the object is", () => {
		fc.assert(
			fc.property(fc.jsonValue(), edits, (before, wishes) => {
				toJsonPatch(before, wishes);
			}),
		);
	});

	const both = [
		set(["metadata", "labels", "istio.io/use-waypoint"], "egress"),
		set(["metadata", "labels", "istio.io/use-waypoint-namespace"], "istio-egress"),
	];
	const labels = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };

	it("toJsonPatch() adds a missing map whole, with every wish in it", () => {
		for (const metadata of [{}, { labels: null }]) {
			assert.deepEqual(toJsonPatch({ metadata }, both), [
				{ op: "add", path: "/metadata/labels", value: labels },
			]);
		}
		for (const before of [{}, { metadata: null }]) {
			assert.deepEqual(toJsonPatch(before, both), [{ op: "add", path: "/metadata", value: { labels } }]);
		}
	});

	it("toJsonPatch() adds to a map that is there, with its pointers escaped", () => {
		assert.deepEqual(toJsonPatch({ metadata: { labels: { app: "shop" } } }, both), [
			{ op: "add", path: "/metadata/labels/istio.io~1use-waypoint", value: "egress" },
			{ op: "add", path: "/metadata/labels/istio.io~1use-waypoint-namespace", value: "istio-egress" },
		]);
		assert.deepEqual(toJsonPatch({ "~/": 1 }, [remove(["~/"])]), [{ op: "remove", path: "/~0~1" }]);
	});

	it("toJsonPatch() writes only the label that is missing", () => {
		const before = { metadata: { labels: { "istio.io/use-waypoint": "egress" } } };
		assert.deepEqual(toJsonPatch(before, both), [
			{ op: "add", path: "/metadata/labels/istio.io~1use-waypoint-namespace", value: "istio-egress" },
		]);
	});

	it("toJsonPatch() lets the last of two wishes win", () => {
		assert.deepEqual(toJsonPatch({}, [set(["a"], 1), set(["a"], 2)]), [{ op: "add", path: "/a", value: 2 }]);
		assert.deepEqual(toJsonPatch({}, [set(["a", "b"], 1), remove(["a", "b"])]), [
			{ op: "add", path: "/a", value: {} },
		]);
		assert.deepEqual(toJsonPatch({ a: 1 }, [remove(["a"]), set(["a"], 1)]), []);
	});

	it("toJsonPatch() replaces an item of a list and does not push it aside", () => {
		assert.deepEqual(toJsonPatch({ hosts: ["a", "b"] }, [set(["hosts", 0], "c")]), [
			{ op: "replace", path: "/hosts/0", value: "c" },
		]);
		assert.deepEqual(toJsonPatch({ ports: [null] }, [set(["ports", 0, "number"], 80)]), [
			{ op: "replace", path: "/ports/0", value: { number: 80 } },
		]);
	});

	it("toJsonPatch() appends to a list, and makes one that is missing", () => {
		assert.deepEqual(toJsonPatch({ hosts: ["a"] }, [set(["hosts", 1], "b")]), [
			{ op: "add", path: "/hosts/1", value: "b" },
		]);
		assert.deepEqual(toJsonPatch({}, [set(["ports", 0, "number"], 80)]), [
			{ op: "add", path: "/ports", value: [{ number: 80 }] },
		]);
	});

	it("toJsonPatch() removes several items of a list from the end", () => {
		const wishes = [remove(["hosts", 1]), remove(["hosts", 1])];
		assert.deepEqual(toJsonPatch({ hosts: ["a", "b", "c", "d"] }, wishes), [
			{ op: "remove", path: "/hosts/2" },
			{ op: "remove", path: "/hosts/1" },
		]);
	});

	for (const [what, before, wish] of [
		["below a scalar", { a: "text" }, set(["a", "b"], 1)],
		["past the end of a list", { a: [] }, set(["a", 1], 1)],
		["at a name in a list", { a: [] }, set(["a", "length"], 1)],
		["before the start of a list", { a: [1] }, set(["a", -1], 1)],
		["in a list that would begin with a gap", {}, set(["a", 1], 1)],
		["at the root", {}, set([], 1)],
		["of a field that is not there", {}, remove(["a", "b"])],
		["of an item that is not there", { a: [1] }, remove(["a", 1])],
		["of what is inherited", {}, remove(["constructor"])],
	] as const) {
		it(`toJsonPatch() leaves out an edit ${what}`, () => {
			assert.deepEqual(toJsonPatch(before, [wish]), []);
		});
	}

	it("toJsonPatch() sets a field called __proto__ like any other, and the prototype of nothing", () => {
		const after = applyEdits({}, [set(["__proto__", "polluted"], true)]);
		assert.deepEqual(Object.keys(after), ["__proto__"]);
		assert.equal("polluted" in {}, false);
		assert.equal(Object.getPrototypeOf(after), Object.prototype);
	});
});

describe("applyEdits()", () => {
	it("applyEdits() shares what it does not touch, and gives back the same object when nothing changes", () => {
		const before = { metadata: { labels: { a: "b" } }, spec: { hosts: ["x"] } };
		const after = applyEdits(before, [set(["metadata", "labels", "c"], "d")]);
		assert.equal(after.spec, before.spec);
		assert.notEqual(after.metadata, before.metadata);
		assert.equal(applyEdits(before, [set(["spec", "hosts"], ["x"]), remove(["spec", "ports"])]), before);
	});
});
