import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClusterState } from "../../../src/core/cluster-state.ts";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { KubernetesGateway } from "../../../src/core/kinds.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { defaultSettings } from "../../../src/core/settings.ts";
import { serviceentryWaypointReadiness as rule } from "../../../src/rules/binding/serviceentry-waypoint-readiness.ts";
import { egressWaypoint, plainEntry } from "../../../src/rules/examples.ts";
import { subjectOf } from "../../support/rule-example.ts";
import { boundTo, inTeam, nameLabelPath, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const bound = boundTo("istio-egress/egress");

function beside(parts: Parameters<typeof waypoint>[1]) {
	return { given: [team(), waypoint("istio-egress/egress", parts)] };
}

function withAddress(type: string | null, value: string) {
	return beside({ status: { addresses: [{ type, value }] } });
}

const warning = [`warning ${nameLabelPath}`];
const error = [`error ${nameLabelPath}`];
const hbone = { port: 15008, protocol: "HBONE" };

const hopeless: readonly [string, Parameters<typeof waypoint>[1]][] = [
	["a foreign revision", { labels: { "istio.io/rev": "canary" } }],
	["an empty revision", { labels: { "istio.io/rev": "" } }],
	[
		"two HBONE listeners",
		{
			spec: {
				listeners: [
					{ name: "a", hostname: "a.example.com", ...hbone },
					{ name: "b", hostname: "b.example.com", ...hbone },
				],
			},
		},
	],
	["a host name in spec.addresses", { spec: { addresses: [{ type: "Hostname", value: "a.example.com" }] } }],
];

testRule(rule, {
	"accepts an IP address and a host name, whatever Programmed says": [
		{ object: bound, ...inTeam(withAddress("IPAddress", "2001:db8::1")), finds: [] },
		{ object: bound, ...inTeam(withAddress("Hostname", "egress.istio-egress.svc")), finds: [] },
		{
			object: bound,
			...inTeam(
				beside({
					status: {
						addresses: [{ type: "IPAddress", value: "10.0.0.1" }],
						conditions: [{ type: "Programmed", status: "False" }],
					},
				}),
			),
			finds: [],
		},
	],
	"reads an address without a type as an IP address, the CRD's default": {
		object: bound,
		...inTeam(withAddress(null, "10.0.0.1")),
		finds: [],
	},
	"warns of a waypoint without an address, whatever Programmed says": [
		{
			object: bound,
			...inTeam(beside({ status: { conditions: [{ type: "Programmed", status: "True" }] } })),
			finds: warning,
		},
		{ object: bound, ...inTeam(beside({ status: { addresses: [] } })), finds: warning },
		{ object: bound, ...inTeam(beside({ status: null })), finds: warning },
	],
	"tells what to wait for: an address, not Programmed": {
		object: bound,
		...inTeam(beside({ status: null })),
		finds: ['warning metadata.labels["istio.io/use-waypoint"]'],
		hints: /kubectl wait -n istio-egress gateways\.gateway\.networking\.k8s\.io\/egress --for=jsonpath/,
	},
	"refuses an address that ztunnel cannot use: bound, and yet no waypoint": [
		{ object: bound, ...inTeam(withAddress("acme.dev/address", "egress")), finds: error },
		{ object: bound, ...inTeam(withAddress("IPAddress", "10.0.0.300")), finds: error },
		{ object: bound, ...inTeam(withAddress("IPAddress", "10.0.0.1/32")), finds: error },
	],
	"accepts one usable address among others": {
		object: bound,
		...inTeam(
			beside({
				status: {
					addresses: [
						{ type: "acme.dev/address", value: "x" },
						{ type: "IPAddress", value: "10.0.0.1" },
					],
				},
			}),
		),
		finds: [],
	},
	...Object.fromEntries(
		hopeless.map(([what, parts]) => [
			`refuses a waypoint that ${what} keeps from ever being ready`,
			{ object: bound, ...inTeam(beside({ ...parts, status: null })), finds: error },
		]),
	),
	"believes an address more than the reasons against one": {
		object: bound,
		...inTeam(beside({ labels: { "istio.io/rev": "canary" } })),
		finds: [],
	},
	"accepts the revisions of this mesh and an IP address asked for": [
		{
			object: bound,
			...inTeam({
				...beside({ labels: { "istio.io/rev": "canary" }, status: {} }),
				mesh: { revisions: new Set(["canary"]) },
			}),
			finds: warning,
		},
		{
			object: bound,
			...inTeam(beside({ spec: { addresses: [{ type: "IPAddress", value: "10.0.0.9" }] }, status: {} })),
			finds: warning,
		},
	],
	"speaks of the policy's waypoint before the labels are there": {
		object: plainEntry,
		...inTeam(beside({ status: null })),
		finds: ["warning metadata.labels"],
	},
	"leaves what is missing or no waypoint to other rules": [
		{ object: bound, given: [team()], finds: [] },
		{ object: bound, ...inTeam(beside({ spec: { gatewayClassName: "istio" }, status: null })), finds: [] },
	],
});

describe("serviceentry-waypoint-readiness", () => {
	it("serviceentry-waypoint-readiness takes a waypoint without a status for ready where manifests are read", () => {
		const { status: _, ...manifest } = egressWaypoint;
		const readiness = (gateway: KubernetesGateway): number => {
			const state = new ClusterState(defaultSettings, { offline: true });
			state.set("Namespace", team());
			state.set("KubernetesGateway", gateway);
			return evaluate(createEngine([rule as unknown as Rule]), state, subjectOf(bound)).findings.length;
		};
		assert.equal(readiness(manifest), 0);
		assert.equal(readiness({ ...manifest, status: null }), 0);
		assert.equal(readiness({ ...manifest, status: { addresses: [] } }), 1);
		const ofRevision = (revision: string): KubernetesGateway => ({
			...manifest,
			metadata: { ...manifest.metadata, labels: { "istio.io/rev": revision } },
		});
		assert.deepEqual([readiness(ofRevision("x")), readiness(ofRevision(""))], [0, 1]);
	});
});
