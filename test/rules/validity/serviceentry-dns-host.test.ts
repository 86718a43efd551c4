import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryDnsHost } from "../../../src/rules/validity/serviceentry-dns-host.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-dns-host says it once for an object, as istiod does", () => {
	const entry = { ...plainEntry, spec: { hosts: ["*.a.com", "*.b.com"], resolution: "DNS_ROUND_ROBIN" } };
	assert.deepEqual(spots(serviceentryDnsHost, entry), ["error spec.hosts[0]"]);
});

it("serviceentry-dns-host accepts a wildcard with endpoints", () => {
	const entry = {
		...plainEntry,
		spec: { hosts: ["*.a.com"], resolution: "DNS", endpoints: [{ address: "a.com" }] },
	};
	assert.deepEqual(spots(serviceentryDnsHost, entry), []);
});
