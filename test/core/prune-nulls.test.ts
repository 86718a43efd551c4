import assert from "node:assert/strict";
import { it } from "node:test";
import { pruneNulls } from "../../src/core/prune-nulls.ts";

it("pruneNulls() drops null fields and keeps null items", () => {
	assert.deepEqual(
		pruneNulls({ spec: { hosts: ["a", null], resolution: null, ports: [{ protocol: null }] } }),
		{
			spec: { hosts: ["a", null], ports: [{}] },
		},
	);
});

it("pruneNulls() reads a null label or annotation as an empty one", () => {
	assert.deepEqual(pruneNulls({ metadata: { labels: { a: null }, annotations: { b: null }, name: null } }), {
		metadata: { labels: { a: "" }, annotations: { b: "" } },
	});
});

it("pruneNulls() does not exhaust the stack on an object of many levels", () => {
	let deep: unknown = null;
	for (let level = 0; level < 100_000; level++) {
		deep = level % 2 === 0 ? { inner: deep } : [deep];
	}
	assert.ok(pruneNulls(deep));
});
