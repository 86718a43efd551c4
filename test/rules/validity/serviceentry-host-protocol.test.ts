import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostProtocol } from "../../../src/rules/validity/serviceentry-host-protocol.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-protocol accepts several hosts with HTTP and TLS, and with any protocol under NONE", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com", "b.com"],
			resolution: "NONE",
			ports: [{ number: 1, name: "a", protocol: "TCP" }],
		},
	};
	assert.deepEqual(spots(serviceentryHostProtocol, entry), []);
});

it("serviceentry-host-protocol refuses a port without a protocol for several hosts", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com", "b.com"],
			resolution: "DNS",
			ports: [
				{ number: 80, name: "http", protocol: "http" },
				{ number: 1, name: "a" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryHostProtocol, entry), ["error spec.ports[1].protocol"]);
});

it("serviceentry-host-protocol warns of shared addresses on a TCP port", () => {
	const entry = {
		...plainEntry,
		spec: {
			hosts: ["a.com", "b.com"],
			addresses: ["203.0.113.1"],
			resolution: "DNS",
			ports: [{ number: 1, name: "a", protocol: "TLS" }],
		},
	};
	assert.deepEqual(spots(serviceentryHostProtocol, entry), ["warning spec.hosts"]);
});
