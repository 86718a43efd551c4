import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { kinds } from "../../../src/core/kinds.ts";
import { mostKeptBytes, weightOf } from "../../../src/core/weight.ts";
import { KindStore } from "../../../src/kube/watch/kind-store.ts";
import { isCut, keepBounded, keptBytes, projectionOf } from "../../../src/kube/watch/projection.ts";
import { heavyEntry, routedService } from "../../support/heavy-objects.ts";

test("projectionOf() keeps the first part of an object that is too heavy, and says that it is cut", () => {
	const project = projectionOf(
		"ServiceEntry",
		keepBounded(1e9, () => 0),
	);
	const raw = heavyEntry(1);
	assert.ok(JSON.stringify(raw).length > 900_000);
	const kept = project(raw, "v1") as AnyObject & { spec: { hosts: string[]; endpoints: object[] } };
	assert.equal(isCut(kept), true);
	assert.ok(weightOf(kept, kinds.ServiceEntry.shape) <= mostKeptBytes);
	assert.deepEqual(kept.spec.hosts, raw.spec.hosts, "what fits is whole");
	assert.deepEqual(kept.spec.endpoints[0], raw.spec.endpoints[0]);
	assert.ok(kept.spec.endpoints.length < raw.spec.endpoints.length);
});

test("projectionOf() shares equal routes among objects, and keeps each whole", () => {
	const project = projectionOf(
		"VirtualService",
		keepBounded(1e9, () => 0),
	);
	const [one, other] = [1, 2].map((index) => project(routedService(index), "v1")) as unknown as [
		{ spec: { http: object[] } },
		{ spec: { http: object[] } },
	];
	assert.equal(one.spec.http.length, 75);
	assert.equal(one.spec.http[7], other.spec.http[7]);
	assert.ok(keptBytes(other as AnyObject) < 12_000, String(keptBytes(other as AnyObject)));
});

test("projectionOf() keeps only light objects whole while memory is tight", () => {
	let isTight = false;
	const project = projectionOf(
		"VirtualService",
		keepBounded(1e9, () => (isTight ? 2e9 : 0)),
	);
	assert.equal(isCut(project(routedService(1), "v1") as AnyObject), false);
	isTight = true;
	const cut = project(routedService(1), "v1") as AnyObject & { spec: { http: object[] } };
	assert.equal(isCut(cut), true);
	assert.ok(cut.spec.http.length > 0 && cut.spec.http.length < 75);
	const light = { metadata: { name: "x", namespace: "a" }, spec: { hosts: ["x.example"] } };
	assert.equal(isCut(project(light, "v1") as AnyObject), false);
});

test("KindStore takes an object anew whose change lies beyond what is kept of it", () => {
	const project = projectionOf(
		"ServiceEntry",
		keepBounded(1e9, () => 0),
	);
	let now: readonly AnyObject[] = [];
	const store = new KindStore((raw) => project(raw, "v1"), {
		replace(objects) {
			now = [...objects];
		},
		set() {},
		delete() {},
	});
	const list = (version: string, last: string): AnyObject | undefined => {
		const { metadata, spec, ...rest } = heavyEntry(1);
		const endpoints = [...spec.endpoints, { address: last }];
		store.begin();
		store.collect({
			...rest,
			metadata: { ...metadata, resourceVersion: version },
			spec: { ...spec, endpoints },
		});
		store.commit(version);
		return now[0];
	};
	const first = list("1", "203.0.113.1");
	assert.ok(first !== undefined && isCut(first));
	assert.equal(list("1", "203.0.113.1"), first, "nothing changed");
	const second = list("2", "203.0.113.2") as AnyObject;
	assert.notEqual(second, first);
	assert.deepEqual(
		(second as { spec?: object }).spec,
		(first as { spec?: object }).spec,
		"what is kept is the same",
	);
});

// A part of the image's heap, and a quarter of what is large in a large mesh.
for (const [what, count] of [
	["heavy", 40],
	["routed", 1750],
	["different", 1750],
] as const) {
	test(`startFeed() follows ${count} ${what} objects in a heap of 64 MB`, { timeout: 120_000 }, async () => {
		const script = join(import.meta.dirname, "../../support/follow-heavy-objects.ts");
		const args = ["--expose-gc", "--max-old-space-size=64", script, what, String(count)];
		const { stdout } = await promisify(execFile)(process.execPath, args);
		const { objects, usedMegabytes, cut } = JSON.parse(stdout) as Record<string, number>;
		assert.equal(objects, count);
		assert.ok((usedMegabytes ?? Number.NaN) < 55, stdout);
		assert.equal(cut === 0, what === "routed", stdout);
	});
}
