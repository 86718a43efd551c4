import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryDynamicDnsProtocol } from "../../../src/rules/capture/serviceentry-dynamic-dns-protocol.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-dynamic-dns-protocol warns of TLS, which hangs on a flag", () => {
	assert.deepEqual(
		spots(
			serviceentryDynamicDnsProtocol,
			withSpec(boundEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.ports[0].protocol"],
	);
});

it("serviceentry-dynamic-dns-protocol refuses HTTP2 in any case", () => {
	assert.deepEqual(
		spots(
			serviceentryDynamicDnsProtocol,
			withSpec(boundEntry, {
				hosts: ["*.a.example.com"],
				resolution: "DYNAMIC_DNS",
				ports: [
					{ number: 80, name: "a", protocol: "http2" },
					{ number: 81, name: "b", protocol: "http" },
				],
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["error spec.ports[0].protocol"],
	);
});
