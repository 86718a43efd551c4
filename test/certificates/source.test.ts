import assert from "node:assert/strict";
import { test } from "node:test";
import { holdCertificate } from "../../src/certificates/source.ts";

test("holdCertificate() tells its listeners of changes only, until they leave", async () => {
	const held = holdCertificate({ cert: "a", key: "a" });
	let calls = 0;
	const leave = held.onChange(() => {
		calls += 1;
	});
	held.set({ cert: "a", key: "a" });
	assert.equal(calls, 0);
	held.set({ cert: "b", key: "b" });
	held.set({ cert: "b", key: "b", ca: "c" });
	assert.equal(calls, 2);
	leave();
	held.set({ cert: "d", key: "d" });
	assert.equal(calls, 2);
	assert.equal(held.current().cert, "d");
	await held.stop();
	assert.equal(held.current().cert, "d");
});
