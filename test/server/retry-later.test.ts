import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecentIds } from "../../src/server/retry-later.ts";

test("createRecentIds() knows an id again, and forgets the oldest of more than a thousand", () => {
	const ids = createRecentIds();
	assert.deepEqual([ids.add("validate 0"), ids.add("validate 0")], [false, true]);
	for (let number = 1; number <= 1_000; number++) {
		assert.equal(ids.add(`validate ${number}`), false);
	}
	assert.deepEqual([ids.add("validate 1000"), ids.add("validate 0")], [true, false]);
});

test("createRecentIds() keeps no id that is longer than any of an API server, and takes it for one that came back", () => {
	const ids = createRecentIds();
	const [kept, long] = [`validate ${"x".repeat(36)}`, `validate ${"x".repeat(7_000_000)}`];
	assert.deepEqual([ids.add(kept), ids.add(long), ids.add(long)], [false, true, true]);
});
