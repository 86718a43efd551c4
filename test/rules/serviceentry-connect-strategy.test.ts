import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry, withAnnotations } from "../../src/istio/examples.ts";
import { serviceentryConnectStrategy } from "../../src/rules/serviceentry-connect-strategy.ts";
import { spots } from "../support/spots.ts";

it("serviceentry-connect-strategy is silent about the default strategy", () => {
	assert.deepEqual(
		spots(
			serviceentryConnectStrategy,
			withAnnotations(plainEntry, { "istio.io/connect-strategy": "DEFAULT" }),
		),
		[],
	);
});
