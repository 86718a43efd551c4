import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryEndpointSocket as rule } from "../../../src/rules/capture/serviceentry-endpoint-socket.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { findings } from "../../support/rule-example.ts";
import { spots } from "../../support/spots.ts";

const cluster = [teamNamespace, egressNamespace, egressWaypoint];
const socket = { resolution: "STATIC", endpoints: [{ address: "unix:///run/app.sock" }] };
const permitted = { ...teamNamespace, metadata: { name: "team" } };

it("serviceentry-endpoint-socket names the waypoint that would open the socket, and abstract sockets too", () => {
	const [finding] = findings([rule], rule.docs.bad, cluster);
	assert.match(finding?.message ?? "", /^The waypoint istio-egress\/egress would open "unix:/);
	const abstract = withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "unix://@app" }] });
	assert.deepEqual(spots(rule, abstract, cluster), ["error spec.endpoints[0].address"]);
});

it("serviceentry-endpoint-socket refuses a socket where ambient is enforced, bound or not", () => {
	const optedOut = withLabels(withSpec(plainEntry, socket), { "istio.io/use-waypoint": "none" });
	assert.deepEqual(spots(rule, optedOut, cluster), ["error spec.endpoints[0].address"]);
});

it("serviceentry-endpoint-socket leaves sidecars their sockets", () => {
	assert.deepEqual(spots(rule, withSpec(plainEntry, socket), [permitted]), []);
	assert.deepEqual(spots(rule, withSpec(boundEntry, socket), [permitted]), [
		"error spec.endpoints[0].address",
	]);
});

it("serviceentry-endpoint-socket is silent about addresses, names and endpoints without either", () => {
	const endpoints = [{ address: "10.0.0.7" }, { address: "unix.example.com" }, { address: null }, {}];
	assert.deepEqual(spots(rule, withSpec(boundEntry, { endpoints }), cluster), []);
});
