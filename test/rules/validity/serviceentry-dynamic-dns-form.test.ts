import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryDynamicDnsForm } from "../../../src/rules/validity/serviceentry-dynamic-dns-form.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-dynamic-dns-form reports every reason against DYNAMIC_DNS", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com"],
			resolution: "DYNAMIC_DNS",
			addresses: ["203.0.113.1"],
			endpoints: [{ address: "a.com" }],
			ports: [{ number: 1, name: "a" }],
		},
	};
	assert.deepEqual(spots(serviceentryDynamicDnsForm, entry), [
		"error spec.hosts[0]",
		"error spec.addresses",
		"error spec.endpoints",
		"error spec.ports[0].protocol",
	]);
});

it("serviceentry-dynamic-dns-form accepts MESH_INTERNAL as long as no waypoint is asked for", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["*.a.com"], resolution: "DYNAMIC_DNS", location: "MESH_INTERNAL" },
	};
	assert.deepEqual(spots(serviceentryDynamicDnsForm, entry), []);
});
