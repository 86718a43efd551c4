import assert from "node:assert/strict";
import { it } from "node:test";
import type { DestinationRule } from "../../../src/core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../../src/rules/examples.ts";
import { serviceentryTlsWrap } from "../../../src/rules/hygiene/serviceentry-tls-wrap.ts";
import { spots } from "../../support/spots.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];
const level: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		host: "api.payments.example.com",
		trafficPolicy: { tls: { mode: "SIMPLE" }, portLevelSettings: [{ port: { number: 443 } }] },
	},
};

it("serviceentry-tls-wrap is silent where the settings of the port replace those of the host", () => {
	assert.deepEqual(spots(serviceentryTlsWrap, boundEntry, [...world, level]), []);
});
