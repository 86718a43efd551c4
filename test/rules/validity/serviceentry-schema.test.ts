import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentrySchema } from "../../../src/rules/validity/serviceentry-schema.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-schema accepts nulls of optional fields, which the API server prunes", () => {
	const entry = { ...plainEntry, spec: { ...plainEntry.spec, resolution: null, endpoints: null } };
	assert.deepEqual(spots(serviceentrySchema, entry), []);
});

it("serviceentry-schema reports wrong types wherever they are", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: "api.example.com",
			ports: [{ number: "443", name: "tls" }, null],
			endpoints: [{ weight: -1 }],
		},
	};
	assert.deepEqual(spots(serviceentrySchema, entry), [
		"error spec.endpoints[0].weight",
		"error spec.hosts",
		"error spec.ports[0].number",
		"error spec.ports[1]",
	]);
});

it("serviceentry-schema reports what is missing", () => {
	const entry = { ...plainEntry, spec: { ports: [{ protocol: "TLS" }] } };
	assert.deepEqual(spots(serviceentrySchema, entry), [
		"error spec.hosts",
		"error spec.ports[0].number",
		"error spec.ports[0].name",
	]);
});

it("serviceentry-schema counts code points, not bytes", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["a.example.com"], addresses: ["ü".repeat(64), "ü".repeat(65)] },
	};
	assert.deepEqual(spots(serviceentrySchema, entry), ["error spec.addresses[1]"]);
});

it("serviceentry-schema judges a spec that is no map", () => {
	const entry = { ...plainEntry, spec: "hosts" };
	assert.deepEqual(spots(serviceentrySchema, entry), ["error spec"]);
});

it("serviceentry-schema refuses a name that no object can have", () => {
	const entry = { ...plainEntry, metadata: { ...plainEntry.metadata, name: "PAYMENTS" } };
	assert.deepEqual(spots(serviceentrySchema, entry), ["error metadata.name"]);
});
