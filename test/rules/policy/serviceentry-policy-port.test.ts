import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject, ServiceEntryPort } from "../../../src/core/kinds.ts";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyPort as rule } from "../../../src/rules/policy/serviceentry-policy-port.ts";
import { networking } from "../../support/governed-shop.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, inTeam, message, team } from "../../support/team.ts";
import type { RuleCase } from "../../support/test-rule.ts";
import { testRule } from "../../support/test-rule.ts";

function allowing(ports: string): Circumstances {
	return { given: [team({ "allowed-ports": ports })] };
}

function said(port: ServiceEntryPort, circumstances: Circumstances): Omit<RuleCase, "finds"> {
	return { object: entry({ ports: [port] }), ...inTeam(circumstances) };
}

const selecting = entry({
	resolution: "STATIC",
	ports: [{ number: 443, name: "tls", protocol: "TLS" }],
	workloadSelector: { labels: { app: "vm" } },
});

function machine(ports: Readonly<Record<string, number>>, app = "vm"): AnyObject {
	const spec = { address: "10.9.9.9", labels: { app }, ports };
	return networking("WorkloadEntry", "machine", spec, selecting.metadata?.namespace ?? "");
}

const number = ["error spec.ports[0].number"];
const targetPort = ["error spec.ports[0].targetPort"];

const location = "MESH_INTERNAL";
const ports = [{ number: 443, name: "tls", protocol: "TLS" }];
const settings = { limits: { allowedPorts: [443, "80/HTTP"] } };
const circumstances = { ...allowing("443, 8443"), settings };

testRule(rule, {
	"allows every port where no list is": [
		{ ...said({ number: 6379, protocol: "REDIS" }, { given: [team()] }), finds: [] },
		{ ...said({ number: 6379, protocol: "REDIS" }, allowing(" , ")), finds: [] },
	],
	"includes both ends of a range and nothing beyond": [
		...(
			[
				[7999, number],
				[8000, []],
				[8099, []],
				[8100, number],
			] as const
		).map(([port, expected]) => ({
			...said({ number: port, protocol: "TLS" }, allowing("8000-8099")),
			finds: expected,
		})),
	],
	"binds a port to its protocol, in any case": [
		{ ...said({ number: 443, protocol: "tls" }, allowing("443/TLS")), finds: [] },
		{ ...said({ number: 443, protocol: "Tls" }, allowing("443/tls")), finds: [] },
		{ ...said({ number: 443, protocol: "HTTP" }, allowing("443/TLS")), finds: number },
		{ ...said({ number: 443, protocol: "HTTPS" }, allowing("443/TLS")), finds: number },
		{ ...said({ number: 443, protocol: "HTTPS" }, allowing("443")), finds: [] },
	],
	"counts a port without a protocol as none of them": [
		{ ...said({ number: 443 }, allowing("443/TLS")), finds: number },
		{ ...said({ number: 443, protocol: null }, allowing("443")), finds: [] },
		{
			object: entry({ ports: [{ number: 443 }] }),
			...inTeam(allowing("443/TLS")),
			finds: ["error spec.ports[0].number"],
			says: /without a protocol/,
		},
	],
	"wants both the cluster and the namespace to allow a port": [
		{ ...said({ number: 443, protocol: "TLS" }, circumstances), finds: [] },
		{ ...said({ number: 8443, protocol: "TLS" }, circumstances), finds: number },
		{ ...said({ number: 80, protocol: "HTTP" }, circumstances), finds: number },
		{
			object: entry({ ports: [{ number: 8443, protocol: "TLS" }] }),
			...inTeam(circumstances),
			finds: ["error spec.ports[0].number"],
			says: /cluster's limits allow \(443, 80\/HTTP\)$/,
		},
	],
	"an empty list of the cluster allows nothing": {
		...said({ number: 443 }, { settings: { limits: { allowedPorts: [] } } }),
		finds: number,
	},
	"judges the port that leaves the cluster, whatever its protocol": [
		{ ...said({ number: 80, protocol: "HTTP", targetPort: 443 }, allowing("80/HTTP 443/TLS")), finds: [] },
		{ ...said({ number: 80, protocol: "HTTP", targetPort: 22 }, allowing("80/HTTP")), finds: targetPort },
		{ ...said({ number: 80, protocol: "HTTP", targetPort: 0 }, allowing("80/HTTP")), finds: [] },
		{ ...said({ number: 80, protocol: "HTTP", targetPort: null }, allowing("80/HTTP")), finds: [] },
	],
	"judges the ports of endpoints by their names": {
		object: entry({
			ports,
			endpoints: [{ address: "a.example.com", ports: { tls: 443 } }, { ports: { tls: 22, "ad-min": 23 } }],
		}),
		...inTeam(allowing("443/TLS")),
		finds: ["error spec.endpoints[1].ports.tls", "error spec.endpoints[1].ports.ad-min"],
	},
	"points at each port that is wrong": {
		object: entry({ ports: [{ number: 22 }, { number: 443 }, { number: 23, targetPort: 24 }, {}] }),
		...inTeam(allowing("443")),
		finds: [
			"error spec.ports[0].number",
			"error spec.ports[2].number",
			"error spec.ports[2].targetPort",
			"error spec.ports[3].number",
		],
	},
	"judges the ports of machines that were there before the entry": [
		{
			object: selecting,
			...inTeam(beside(allowing("443"), machine({ tls: 22 }))),
			finds: ["error spec.workloadSelector"],
		},
		{ object: selecting, ...inTeam(beside(allowing("443"), machine({ tls: 443 }))), finds: [] },
		{ object: selecting, ...inTeam(beside(allowing("443"), machine({ tls: 22 }, "other"))), finds: [] },
	],
	"judges an internal entry for a host outside the cluster, and no other": [
		{ object: entry({ ports: [{ number: 22 }], location }), ...inTeam(allowing("443")), finds: number },
		{
			object: entry({ ports: [{ number: 22 }], location, hosts: ["db.shop.svc.cluster.local"] }),
			...inTeam(beside(allowing("443"), exampleService("db", "shop", "10.96.0.9"))),
			finds: [],
		},
	],
});

describe("serviceentry-policy-port", () => {
	it("serviceentry-policy-port shows five ranges and that there are more", () => {
		const said = message(rule, entry({ ports: [{ number: 22 }] }), allowing("1 2 3 4 5 6"));
		assert.match(said, /\(1, 2, 3, 4, 5, …\)$/);
	});
});
