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
import { boundTo, judge, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

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

describe("serviceentry-waypoint-readiness", () => {
	it("serviceentry-waypoint-readiness accepts an IP address and a host name, whatever Programmed says", () => {
		assert.deepEqual(places(rule, bound, withAddress("IPAddress", "2001:db8::1")), []);
		assert.deepEqual(places(rule, bound, withAddress("Hostname", "egress.istio-egress.svc")), []);
		const conditions = [{ type: "Programmed", status: "False" }];
		const addresses = [{ type: "IPAddress", value: "10.0.0.1" }];
		assert.deepEqual(places(rule, bound, beside({ status: { addresses, conditions } })), []);
	});

	it("serviceentry-waypoint-readiness reads an address without a type as an IP address, the CRD's default", () => {
		assert.deepEqual(places(rule, bound, withAddress(null, "10.0.0.1")), []);
	});

	it("serviceentry-waypoint-readiness warns of a waypoint without an address, whatever Programmed says", () => {
		const conditions = [{ type: "Programmed", status: "True" }];
		assert.deepEqual(places(rule, bound, beside({ status: { conditions } })), warning);
		assert.deepEqual(places(rule, bound, beside({ status: { addresses: [] } })), warning);
		assert.deepEqual(places(rule, bound, beside({ status: null })), warning);
	});

	it("serviceentry-waypoint-readiness tells what to wait for: an address, not Programmed", () => {
		const [finding] = judge(rule, bound, beside({ status: null }));
		assert.match(
			finding?.hint ?? "",
			/kubectl wait -n istio-egress gateways\.gateway\.networking\.k8s\.io\/egress --for=jsonpath/,
		);
	});

	it("serviceentry-waypoint-readiness refuses an address that ztunnel cannot use: bound, and yet no waypoint", () => {
		assert.deepEqual(places(rule, bound, withAddress("acme.dev/address", "egress")), error);
		assert.deepEqual(places(rule, bound, withAddress("IPAddress", "10.0.0.300")), error);
		assert.deepEqual(places(rule, bound, withAddress("IPAddress", "10.0.0.1/32")), error);
	});

	it("serviceentry-waypoint-readiness accepts one usable address among others", () => {
		const addresses = [
			{ type: "acme.dev/address", value: "x" },
			{ type: "IPAddress", value: "10.0.0.1" },
		];
		assert.deepEqual(places(rule, bound, beside({ status: { addresses } })), []);
	});

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
		[
			"a host name in spec.addresses",
			{ spec: { addresses: [{ type: "Hostname", value: "a.example.com" }] } },
		],
	];
	for (const [what, parts] of hopeless) {
		it(`serviceentry-waypoint-readiness refuses a waypoint that ${what} keeps from ever being ready`, () => {
			assert.deepEqual(places(rule, bound, beside({ ...parts, status: null })), error);
		});
	}

	it("serviceentry-waypoint-readiness believes an address more than the reasons against one", () => {
		assert.deepEqual(places(rule, bound, beside({ labels: { "istio.io/rev": "canary" } })), []);
	});

	it("serviceentry-waypoint-readiness accepts the revisions of this mesh and an IP address asked for", () => {
		const circumstances = beside({ labels: { "istio.io/rev": "canary" }, status: {} });
		const mesh = { revisions: new Set(["canary"]) };
		assert.deepEqual(places(rule, bound, { ...circumstances, mesh }), warning);
		const spec = { addresses: [{ type: "IPAddress", value: "10.0.0.9" }] };
		assert.deepEqual(places(rule, bound, beside({ spec, status: {} })), warning);
	});

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

	it("serviceentry-waypoint-readiness speaks of the policy's waypoint before the labels are there", () => {
		assert.deepEqual(places(rule, plainEntry, beside({ status: null })), ["warning metadata.labels"]);
	});

	it("serviceentry-waypoint-readiness leaves what is missing or no waypoint to other rules", () => {
		assert.deepEqual(places(rule, bound, { given: [team()] }), []);
		assert.deepEqual(places(rule, bound, beside({ spec: { gatewayClassName: "istio" }, status: null })), []);
	});
});
