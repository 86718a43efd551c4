import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostName } from "../../../src/rules/validity/serviceentry-host-name.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-name accepts upper case, a trailing dot and a short name, as istiod does", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["API.example.com", "api.example.com.", "api", "*.example.com"] },
	};
	assert.deepEqual(spots(serviceentryHostName, entry), []);
});

it("serviceentry-host-name refuses the host * and addresses", () => {
	const entry = { ...plainEntry, spec: { hosts: ["*", "10.0.0.1", "2001:db8::1"] } };
	assert.deepEqual(spots(serviceentryHostName, entry), [
		"error spec.hosts[0]",
		"error spec.hosts[1]",
		"error spec.hosts[2]",
	]);
});

it("serviceentry-host-name decides about numeric top-level domains as Go does", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["a.+1", "a.9223372036854775807", "a.9223372036854775808"] },
	};
	assert.deepEqual(spots(serviceentryHostName, entry), ["error spec.hosts[0]", "error spec.hosts[1]"]);
});

it("serviceentry-host-name refuses a label of 64 characters and a name of 256", () => {
	const entry = { ...plainEntry, spec: { hosts: [`${"a".repeat(64)}.com`, `${"a.".repeat(127)}aa`] } };
	assert.deepEqual(spots(serviceentryHostName, entry), ["error spec.hosts[0]", "error spec.hosts[1]"]);
});
