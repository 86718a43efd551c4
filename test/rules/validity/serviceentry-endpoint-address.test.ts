import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointAddress } from "../../../src/rules/validity/serviceentry-endpoint-address.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-endpoint-address accepts names for DNS and sockets for STATIC", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com"],
			ports: [{ number: 1, name: "a" }],
			resolution: "STATIC",
			endpoints: [{ address: "unix:///run/a.sock" }, { address: "unix://@a" }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointAddress, entry), []);
});

it("serviceentry-endpoint-address refuses what the resolution cannot use", () => {
	const entry = {
		...plainEntry,
		spec: {
			resolution: "STATIC",
			ports: [{ number: 1, name: "a" }],
			endpoints: [{ address: "a.com" }, {}, { address: "" }, { address: "unix://run" }, { network: "n" }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointAddress, entry), [
		"error spec.endpoints[0].address",
		"error spec.endpoints[1].address",
		"error spec.endpoints[2].address",
		"error spec.endpoints[3].address",
		"warning spec.endpoints[4].address",
	]);
});

it("serviceentry-endpoint-address refuses a Unix socket with ports of its own", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com"],
			ports: [{ number: 1, name: "a" }],
			resolution: "STATIC",
			endpoints: [{ address: "unix:///run/a.sock", ports: { a: 2 } }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointAddress, entry), ["error spec.endpoints[0].ports"]);
});

it("serviceentry-endpoint-address refuses wildcards for DNS", () => {
	const entry = {
		...plainEntry,
		spec: { resolution: "DNS", endpoints: [{ address: "*.a.com" }, { address: "1.2.3.4" }] },
	};
	assert.deepEqual(spots(serviceentryEndpointAddress, entry), ["error spec.endpoints[0].address"]);
});
