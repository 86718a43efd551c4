import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceEntryPort } from "../../../src/core/kinds.ts";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyPort as rule } from "../../../src/rules/policy/serviceentry-policy-port.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, message, places, team } from "../../support/team.ts";

function allowing(ports: string): Circumstances {
	return { given: [team({ "allowed-ports": ports })] };
}

function said(port: ServiceEntryPort, circumstances: Circumstances): readonly string[] {
	return places(rule, entry({ ports: [port] }), circumstances);
}

const number = ["error spec.ports[0].number"];
const targetPort = ["error spec.ports[0].targetPort"];

describe("serviceentry-policy-port", () => {
	it("serviceentry-policy-port allows every port where no list is", () => {
		assert.deepEqual(said({ number: 6379, protocol: "REDIS" }, { given: [team()] }), []);
		assert.deepEqual(said({ number: 6379, protocol: "REDIS" }, allowing(" , ")), []);
	});

	it("serviceentry-policy-port includes both ends of a range and nothing beyond", () => {
		for (const [port, expected] of [
			[7999, number],
			[8000, []],
			[8099, []],
			[8100, number],
		] as const) {
			assert.deepEqual(
				said({ number: port, protocol: "TLS" }, allowing("8000-8099")),
				expected,
				String(port),
			);
		}
	});

	it("serviceentry-policy-port binds a port to its protocol, in any case", () => {
		assert.deepEqual(said({ number: 443, protocol: "tls" }, allowing("443/TLS")), []);
		assert.deepEqual(said({ number: 443, protocol: "Tls" }, allowing("443/tls")), []);
		assert.deepEqual(said({ number: 443, protocol: "HTTP" }, allowing("443/TLS")), number);
		assert.deepEqual(said({ number: 443, protocol: "HTTPS" }, allowing("443/TLS")), number);
		assert.deepEqual(said({ number: 443, protocol: "HTTPS" }, allowing("443")), []);
	});

	it("serviceentry-policy-port counts a port without a protocol as none of them", () => {
		assert.deepEqual(said({ number: 443 }, allowing("443/TLS")), number);
		assert.deepEqual(said({ number: 443, protocol: null }, allowing("443")), []);
		assert.match(
			message(rule, entry({ ports: [{ number: 443 }] }), allowing("443/TLS")),
			/without a protocol/,
		);
	});

	it("serviceentry-policy-port wants both the cluster and the namespace to allow a port", () => {
		const settings = { limits: { allowedPorts: [443, "80/HTTP"] } };
		const circumstances = { ...allowing("443, 8443"), settings };
		assert.deepEqual(said({ number: 443, protocol: "TLS" }, circumstances), []);
		assert.deepEqual(said({ number: 8443, protocol: "TLS" }, circumstances), number);
		assert.deepEqual(said({ number: 80, protocol: "HTTP" }, circumstances), number);
		const ports = [{ number: 8443, protocol: "TLS" }];
		assert.match(message(rule, entry({ ports }), circumstances), /cluster's limits allow \(443, 80\/HTTP\)$/);
	});

	it("serviceentry-policy-port: an empty list of the cluster allows nothing", () => {
		assert.deepEqual(said({ number: 443 }, { settings: { limits: { allowedPorts: [] } } }), number);
	});

	it("serviceentry-policy-port judges the port that leaves the cluster, whatever its protocol", () => {
		assert.deepEqual(
			said({ number: 80, protocol: "HTTP", targetPort: 443 }, allowing("80/HTTP 443/TLS")),
			[],
		);
		assert.deepEqual(said({ number: 80, protocol: "HTTP", targetPort: 22 }, allowing("80/HTTP")), targetPort);
		assert.deepEqual(said({ number: 80, protocol: "HTTP", targetPort: 0 }, allowing("80/HTTP")), []);
		assert.deepEqual(said({ number: 80, protocol: "HTTP", targetPort: null }, allowing("80/HTTP")), []);
	});

	it("serviceentry-policy-port judges the ports of endpoints by their names", () => {
		const endpoints = [
			{ address: "a.example.com", ports: { tls: 443 } },
			{ ports: { tls: 22, "ad-min": 23 } },
		];
		const ports = [{ number: 443, name: "tls", protocol: "TLS" }];
		assert.deepEqual(places(rule, entry({ ports, endpoints }), allowing("443/TLS")), [
			"error spec.endpoints[1].ports.tls",
			"error spec.endpoints[1].ports.ad-min",
		]);
	});

	it("serviceentry-policy-port points at each port that is wrong", () => {
		const ports = [{ number: 22 }, { number: 443 }, { number: 23, targetPort: 24 }, {}];
		assert.deepEqual(places(rule, entry({ ports }), allowing("443")), [
			"error spec.ports[0].number",
			"error spec.ports[2].number",
			"error spec.ports[2].targetPort",
			"error spec.ports[3].number",
		]);
	});

	it("serviceentry-policy-port judges an internal entry for a host outside the cluster, and no other", () => {
		const ports = [{ number: 22 }];
		const location = "MESH_INTERNAL";
		assert.deepEqual(places(rule, entry({ ports, location }), allowing("443")), number);
		const own = entry({ ports, location, hosts: ["db.shop.svc.cluster.local"] });
		const known = beside(allowing("443"), exampleService("db", "shop", "10.96.0.9"));
		assert.deepEqual(places(rule, own, known), []);
	});

	it("serviceentry-policy-port shows five ranges and that there are more", () => {
		const said = message(rule, entry({ ports: [{ number: 22 }] }), allowing("1 2 3 4 5 6"));
		assert.match(said, /\(1, 2, 3, 4, 5, …\)$/);
	});
});
