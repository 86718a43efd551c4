import assert from "node:assert/strict";
import { it } from "node:test";
import { storedForm } from "../../src/core/prune-nulls.ts";

it("storedForm() drops null fields and keeps null items", () => {
	assert.deepEqual(
		storedForm({ spec: { hosts: ["a", null], resolution: null, ports: [{ protocol: null }] } }),
		{
			spec: { hosts: ["a", null], ports: [{}] },
		},
	);
});

it("storedForm() reads a null label or annotation as an empty one", () => {
	assert.deepEqual(storedForm({ metadata: { labels: { a: null }, annotations: { b: null }, name: null } }), {
		metadata: { labels: { a: "" }, annotations: { b: "" } },
	});
});

it("storedForm() does not exhaust the stack on an object of many levels", () => {
	let deep: unknown = null;
	for (let level = 0; level < 100_000; level++) {
		deep = level % 2 === 0 ? { inner: deep } : [deep];
	}
	assert.ok(storedForm(deep));
});
