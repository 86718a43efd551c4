import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Kind, Resources } from "../../src/core/kinds.ts";
import { allKinds, conformsToKind, kindOf, kindOfObject, kinds } from "../../src/core/kinds.ts";
import type { Shape } from "../../src/core/shape.ts";
import { conforms, pick, resolveShape } from "../../src/core/shape.ts";
import { rules } from "../../src/rules/table.ts";

interface Sample {
	readonly text?: string | null;
	readonly count?: number | null;
	readonly list?: readonly string[] | null;
	readonly map?: Readonly<Record<string, number>> | null;
	readonly inner?: { readonly flag?: boolean | null } | null;
}

const sample: Shape = {
	fields: {
		text: "string",
		count: "number",
		list: { list: "string" },
		map: { map: "number" },
		inner: { fields: { flag: "boolean" } },
	},
};

describe("conforms()", () => {
	for (const value of [
		{},
		{ text: null, count: null, list: null, map: null, inner: null },
		{ text: "", count: 0, list: [], map: {}, inner: {} },
		{ text: "a", count: 1.5, list: ["a"], map: { a: 1 }, inner: { flag: false } },
		{ unknown: { deep: [null] }, list: [] },
		JSON.parse('{"map": {"__proto__": 1}}'),
	]) {
		it(`conforms() accepts ${JSON.stringify(value)}`, () => {
			assert.equal(conforms<Sample>(value, sample), true);
		});
	}

	for (const value of [
		null,
		undefined,
		"text",
		7,
		[],
		{ text: 1 },
		{ count: "1" },
		{ list: "a" },
		{ list: [null] },
		{ list: ["a", 1] },
		{ list: { 0: "a", length: 1 } },
		{ map: [] },
		{ map: [1] },
		{ map: { a: null } },
		{ map: { a: "1" } },
		{ inner: [] },
		{ inner: { flag: "true" } },
		JSON.parse('{"map": {"__proto__": "x"}}'),
	]) {
		it(`conforms() refuses ${JSON.stringify(value)}`, () => {
			assert.equal(conforms<Sample>(value, sample), false);
		});
	}

	it("conforms() looks at what an object inherits, as whoever reads it will", () => {
		assert.equal(conforms<Sample>(Object.create({ text: 1 }), sample), false);
	});

	it("conforms() never throws on any JSON, for any kind", () => {
		fc.assert(
			fc.property(fc.jsonValue(), fc.constantFrom(...allKinds), (value, kind) => {
				assert.equal(typeof conformsToKind(kind, value), "boolean");
			}),
		);
	});
});

describe("pick()", () => {
	it("pick() keeps the fields of the shape and drops everything else, nulls too", () => {
		const value = { text: "a", other: 1, inner: { flag: true, more: 2 }, list: null, map: { a: 1 } };
		assert.deepEqual(pick<Sample>(value, sample), { text: "a", inner: { flag: true }, map: { a: 1 } });
	});

	it("pick() copies a key __proto__ of a map as an entry", () => {
		const copy = pick<Sample>(JSON.parse('{"map": {"__proto__": 1}}'), sample);
		assert.deepEqual(Object.keys(copy.map ?? {}), ["__proto__"]);
	});

	it("pick() shares nothing with the original but asks to share every string and every object of a list", () => {
		const kept: string[] = [];
		const value: Sample = { text: "a", list: ["b"], map: { c: 1 } };
		const sharing = {
			text(text: string): string {
				kept.push(text);
				return text;
			},
			item: (item: object) => ({ ...item, shared: true }),
		};
		const copy = pick<Sample>(value, sample, sharing);
		assert.deepEqual(copy, value);
		assert.notEqual(copy.list, value.list);
		assert.deepEqual(kept.toSorted(), ["a", "b", "c"]);
		const list = pick([{ a: "x", b: "y" }], { list: { fields: { a: "string" } } }, sharing);
		assert.deepEqual(list, [{ a: "x", shared: true }]);
	});

	it("pick() leaves every example of every rule as it is judged", () => {
		for (const { kind, docs } of rules) {
			for (const example of [docs.good, docs.bad]) {
				const copy = pick<unknown>(example, kinds[kind].shape);
				assert.equal(conformsToKind(kind, copy), conformsToKind(kind, example));
			}
		}
	});
});

describe("resolveShape()", () => {
	const names = { Port: { fields: { number: "number" } }, Ports: { list: "Port" } };

	it("resolveShape() replaces names by what they name, at any depth", () => {
		assert.deepEqual(resolveShape({ fields: { ports: "Ports", byName: { map: "Port" } } }, names), {
			fields: {
				ports: { list: { fields: { number: "number" } } },
				byName: { map: { fields: { number: "number" } } },
			},
		});
	});

	for (const shape of ["Unknown", "toString", { list: "Unknown" }, 7, null]) {
		it(`resolveShape() refuses ${JSON.stringify(shape)}, which nothing is named`, () => {
			assert.throws(() => resolveShape(shape, names), /nothing has this name/);
		});
	}
});

describe("kinds", () => {
	it("kinds infer the type of an object from its shape", () => {
		const entry: Resources["ServiceEntry"] = {
			metadata: { labels: null },
			spec: { hosts: ["a.example"], ports: [{ number: 443, name: null }] },
		};
		assert.ok(conformsToKind("ServiceEntry", entry));
		// @ts-expect-error A host is a text, for the compiler as for the guard.
		const wrong: Resources["ServiceEntry"] = { spec: { hosts: [1] } };
		assert.ok(!conformsToKind("ServiceEntry", wrong));
	});

	it("kindOf() finds every kind by its group and name, and keeps the two Gateways apart", () => {
		for (const kind of allKinds) {
			assert.equal(kindOf(kinds[kind].group, kinds[kind].kind), kind);
		}
		assert.equal(kindOf("networking.istio.io", "Gateway"), "IstioGateway");
		assert.equal(kindOf("gateway.networking.k8s.io", "Gateway"), "KubernetesGateway");
		assert.equal(kindOf("", "Gateway"), undefined);
		assert.equal(kindOf("constructor", "prototype"), undefined);
	});

	for (const [apiVersion, kind, expected] of [
		["v1", "Namespace", "Namespace"],
		["networking.istio.io/v1", "ServiceEntry", "ServiceEntry"],
		["networking.istio.io/v1alpha3", "ServiceEntry", "ServiceEntry"],
		["networking.istio.io/v99", "ServiceEntry", "ServiceEntry"],
		["networking.istio.io", "ServiceEntry", undefined],
		["apps/v1", "Namespace", undefined],
		["v1", "ServiceEntry", undefined],
		[null, "Namespace", undefined],
		["v1", 7, undefined],
	] as const) {
		it(`kindOfObject() of ${apiVersion} ${kind} is ${expected ?? "not ours"}`, () => {
			assert.equal(kindOfObject({ apiVersion, kind }), expected satisfies Kind | undefined);
		});
	}

	it("kindOfObject() of what is no object is undefined", () => {
		for (const value of [null, undefined, "text", 1, []]) {
			assert.equal(kindOfObject(value), undefined);
		}
	});
});
