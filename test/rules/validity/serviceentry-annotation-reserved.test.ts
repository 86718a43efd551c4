import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry, withAnnotations } from "../../../src/rules/examples.ts";
import { serviceentryAnnotationReserved } from "../../../src/rules/validity/serviceentry-annotation-reserved.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-annotation-reserved reports each annotation, whatever its value", () => {
	const entry = withAnnotations(plainEntry, {
		"internal.istio.io/webhook-always-reject": "false",
		"internal.istio.io/parents": "",
		"example.com/owner": "payments",
	});
	assert.deepEqual(spots(serviceentryAnnotationReserved, entry), [
		'error metadata.annotations["internal.istio.io/webhook-always-reject"]',
		'error metadata.annotations["internal.istio.io/parents"]',
	]);
});
