import assert from "node:assert/strict";
import { it } from "node:test";
import type { DestinationRule } from "../../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { serviceentryTlsOrigination } from "../../../src/rules/hygiene/serviceentry-tls-origination.ts";
import { spots } from "../../support/spots.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];
const port = withSpec(boundEntry, {
	ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
});
function rule(mode: string, namespace: string, host = "api.payments.example.com"): DestinationRule {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "payments", namespace },
		spec: { host, trafficPolicy: { tls: { mode } } },
	};
}

const hidden: DestinationRule = {
	...rule("SIMPLE", "team"),
	spec: { ...rule("SIMPLE", "team").spec, exportTo: ["."] },
};

it("serviceentry-tls-origination knows that ISTIO_MUTUAL has no effect at a waypoint", () => {
	assert.deepEqual(spots(serviceentryTlsOrigination, port, [...world, rule("ISTIO_MUTUAL", "team")]), [
		"warning spec.ports[0].targetPort",
	]);
});

it("serviceentry-tls-origination finds the rule in the waypoint's namespace, and one for a wildcard", () => {
	assert.deepEqual(
		spots(serviceentryTlsOrigination, port, [
			...world,
			rule("SIMPLE", "istio-egress", "*.payments.example.com"),
		]),
		[],
	);
});

it("serviceentry-tls-origination does not find a rule that is exported to nobody else", () => {
	assert.deepEqual(spots(serviceentryTlsOrigination, port, [...world, hidden]), [
		"warning spec.ports[0].targetPort",
	]);
});

it("serviceentry-tls-origination does not find the rule of a stranger's namespace", () => {
	assert.deepEqual(spots(serviceentryTlsOrigination, port, [...world, rule("SIMPLE", "stranger")]), [
		"warning spec.ports[0].targetPort",
	]);
});
