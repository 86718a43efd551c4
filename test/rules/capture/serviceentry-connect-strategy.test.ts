import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryConnectStrategy } from "../../../src/rules/capture/serviceentry-connect-strategy.ts";
import { plainEntry, withAnnotations } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-connect-strategy is silent about the default strategy", () => {
	assert.deepEqual(
		spots(
			serviceentryConnectStrategy,
			withAnnotations(plainEntry, { "istio.io/connect-strategy": "DEFAULT" }),
		),
		[],
	);
});
