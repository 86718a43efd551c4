import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostPartialWildcard } from "../../../src/rules/validity/serviceentry-host-partial-wildcard.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-partial-wildcard is silent about whole labels and DYNAMIC_DNS", () => {
	const entry = { ...plainEntry, spec: { hosts: ["*.example.com"], resolution: "NONE" } };
	assert.deepEqual(spots(serviceentryHostPartialWildcard, entry), []);
});

it("serviceentry-host-partial-wildcard warns of a wildcard inside a label", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["*foo.example.com", "*-foo.example.com"], resolution: "NONE" },
	};
	assert.deepEqual(spots(serviceentryHostPartialWildcard, entry), [
		"warning spec.hosts[0]",
		"warning spec.hosts[1]",
	]);
});
