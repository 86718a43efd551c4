import assert from "node:assert/strict";
import { test } from "node:test";
import { canaryLabel, canaryNonce, isIstiodCanary } from "../../src/core/canary.ts";

test("canaryNonce() reads a nonce of hexadecimal digits and nothing else", () => {
	const nonce = "0123456789abcdef";
	assert.equal(canaryNonce({ metadata: { labels: { [canaryLabel]: nonce } } }), nonce);
	for (const value of ["", "0123", `${nonce}\n`, `${nonce} evil`, 7, null, "z".repeat(16), "a".repeat(65)]) {
		assert.equal(canaryNonce({ metadata: { labels: { [canaryLabel]: value } } }), null);
	}
	for (const object of [null, undefined, "x", {}, { metadata: null }, { metadata: { labels: null } }]) {
		assert.equal(canaryNonce(object), null);
	}
});

test("isIstiodCanary() knows the dry run of istiod's always rejected Gateway", () => {
	const object = {
		kind: "Gateway",
		metadata: { name: "invalid-gateway", annotations: { "internal.istio.io/webhook-always-reject": "true" } },
		spec: {},
	};
	assert.equal(isIstiodCanary(object, true), true);
	assert.equal(isIstiodCanary(object, false), false, "an object that is to be kept is judged");
	assert.equal(isIstiodCanary({ metadata: { annotations: null } }, true), false);
});
