import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortProtocol } from "../../../src/rules/validity/serviceentry-port-protocol.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-protocol accepts every protocol of Istio in any case, and none", () => {
	const entry = {
		...plainEntry,
		spec: {
			ports: [
				{ number: 1, name: "a", protocol: "grpc-WEB" },
				{ number: 2, name: "b" },
				{ number: 3, name: "c", protocol: "" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryPortProtocol, entry), []);
});

it("serviceentry-port-protocol is not fooled by letters whose upper case is a Latin one", () => {
	const entry = {
		...plainEntry,
		spec: {
			ports: [
				{ number: 1, name: "a", protocol: "tlſ" },
				{ number: 2, name: "b", protocol: "HBONE" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryPortProtocol, entry), [
		"error spec.ports[0].protocol",
		"error spec.ports[1].protocol",
	]);
});
