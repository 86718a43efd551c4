import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointList } from "../../../src/rules/validity/serviceentry-endpoint-list.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-endpoint-list refuses endpoints beside a selector, even none", () => {
	const entry = { ...plainEntry, spec: { ...plainEntry.spec, endpoints: [], workloadSelector: {} } };
	assert.deepEqual(spots(serviceentryEndpointList, entry), ["error spec.endpoints"]);
});

it("serviceentry-endpoint-list refuses a second endpoint for DNS_ROUND_ROBIN", () => {
	const entry = {
		...plainEntry,
		spec: {
			...plainEntry.spec,
			resolution: "DNS_ROUND_ROBIN",
			endpoints: [{ address: "a.com" }, { address: "b.com" }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointList, entry), ["error spec.endpoints"]);
});
