import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyProtocol as rule } from "../../../src/rules/policy/serviceentry-policy-protocol.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, message, places, team } from "../../support/team.ts";

function allowing(protocols: string): Circumstances {
	return { given: [team({ "allowed-protocols": protocols })] };
}

function said(protocol: string | null, circumstances: Circumstances): readonly string[] {
	return places(rule, entry({ ports: [{ number: 443, protocol }] }), circumstances);
}

const refused = ["error spec.ports[0].protocol"];

describe("serviceentry-policy-protocol", () => {
	it("serviceentry-policy-protocol allows every protocol, and none, where no list is", () => {
		assert.deepEqual(said("REDIS", { given: [team()] }), []);
		assert.deepEqual(said(null, { given: [team()] }), []);
		assert.deepEqual(said("REDIS", allowing("")), []);
	});

	for (const protocol of ["TLS", "tls", "Tls"]) {
		it(`serviceentry-policy-protocol reads ${protocol} as Istio does`, () => {
			assert.deepEqual(said(protocol, allowing("tls")), []);
			assert.deepEqual(said(protocol, allowing("HTTP, HTTPS")), refused);
		});
	}

	it("serviceentry-policy-protocol refuses what names no protocol, or none that Istio knows", () => {
		for (const protocol of [null, "", "QUIC", "tcp "]) {
			assert.deepEqual(said(protocol, allowing("TCP")), refused, String(protocol));
		}
		const ports = [{ number: 443 }];
		assert.match(message(rule, entry({ ports }), allowing("tcp")), /^Names no protocol, .* allows only TCP$/);
	});

	it("serviceentry-policy-protocol wants both the cluster and the namespace to allow a protocol", () => {
		const settings = { limits: { allowedProtocols: ["tls", "http"] } };
		assert.deepEqual(said("TLS", { ...allowing("TLS, TCP"), settings }), []);
		assert.deepEqual(said("TCP", { ...allowing("TLS, TCP"), settings }), refused);
		assert.deepEqual(said("HTTP", { ...allowing("TLS, TCP"), settings }), refused);
	});

	it("serviceentry-policy-protocol points at each port", () => {
		const ports = [{ protocol: "TLS" }, { protocol: "UDP" }, { protocol: "MYSQL" }];
		assert.deepEqual(places(rule, entry({ ports }), allowing("TLS")), [
			"error spec.ports[1].protocol",
			"error spec.ports[2].protocol",
		]);
	});

	it("serviceentry-policy-protocol leaves internal entries for the cluster's own names alone", () => {
		const internal = { location: "MESH_INTERNAL", hosts: ["db.shop.svc.cluster.local"] };
		const ports = [{ number: 3306, protocol: "MYSQL" }];
		const known = beside(allowing("TLS"), exampleService("db", "shop", "10.96.0.9"));
		assert.deepEqual(places(rule, entry({ ports, ...internal }), known), []);
		assert.deepEqual(places(rule, entry({ ports: null }), allowing("TLS")), []);
	});
});
