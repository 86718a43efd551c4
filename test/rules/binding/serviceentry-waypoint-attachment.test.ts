import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubernetesGateway } from "../../../src/core/kinds.ts";
import { serviceentryWaypointAttachment as rule } from "../../../src/rules/binding/serviceentry-waypoint-attachment.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, listeners, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

const bound = boundTo("istio-egress/egress");
const error = [`error ${nameLabelPath}`];

function beside(
	spec: KubernetesGateway["spec"],
	annotations = {},
	labels = { "istio.io/dataplane-mode": "ambient" },
) {
	return { given: [team(undefined, labels), waypoint("istio-egress/egress", { spec, annotations })] };
}

function selecting(selector: object | undefined, labels: Record<string, string> = {}) {
	const namespaces = { from: "Selector", ...(selector === undefined ? {} : { selector }) };
	return {
		given: [team(undefined, labels), waypoint("istio-egress/egress", { spec: listeners(namespaces) })],
	};
}

describe("serviceentry-waypoint-attachment", () => {
	it("serviceentry-waypoint-attachment accepts from: All", () => {
		assert.deepEqual(places(rule, bound, beside(listeners({ from: "All" }))), []);
	});

	for (const [what, namespaces] of [
		["no allowedRoutes", undefined],
		["no from", {}],
		["from: Same", { from: "Same" }],
		["from: None, which istiod reads as Same", { from: "None" }],
	] as const) {
		it(`serviceentry-waypoint-attachment refuses another namespace where there is ${what}`, () => {
			assert.deepEqual(places(rule, bound, beside(listeners(namespaces))), error);
		});
	}

	it("serviceentry-waypoint-attachment accepts the waypoint's own namespace where nothing else is said", () => {
		const own = boundTo("local");
		const given = [team({}), waypoint("team/local", { spec: listeners(undefined) })];
		assert.deepEqual(places(rule, own, { given }), []);
		const closed = waypoint("team/local", { spec: { listeners: null } });
		assert.deepEqual(places(rule, own, { given: [team({}), closed] }), []);
	});

	for (const [what, parts] of [
		["another port", { port: 15009 }],
		["another protocol", { protocol: "HTTP" }],
		["hbone in lower case", { protocol: "hbone" }],
	] as const) {
		it(`serviceentry-waypoint-attachment ignores from: All of a listener with ${what}`, () => {
			assert.deepEqual(places(rule, bound, beside(listeners({ from: "All" }, parts))), error);
		});
	}

	it("serviceentry-waypoint-attachment goes by the first HBONE listener on 15008", () => {
		const closed = {
			name: "a",
			port: 15008,
			protocol: "HBONE",
			allowedRoutes: { namespaces: { from: "Same" } },
		};
		const open = {
			name: "b",
			port: 15008,
			protocol: "HBONE",
			allowedRoutes: { namespaces: { from: "All" } },
		};
		assert.deepEqual(places(rule, bound, beside({ listeners: [closed, open] })), error);
		assert.deepEqual(places(rule, bound, beside({ listeners: [open, closed] })), []);
	});

	it("serviceentry-waypoint-attachment matches a selector with the labels of the entry's namespace", () => {
		const selector = { matchLabels: { egress: "allowed" } };
		assert.deepEqual(places(rule, bound, selecting(selector, { egress: "allowed" })), []);
		assert.deepEqual(places(rule, bound, selecting(selector, { egress: "no" })), error);
	});

	it("serviceentry-waypoint-attachment knows the name that the API server writes on every namespace", () => {
		const selector = { matchLabels: { "kubernetes.io/metadata.name": "team" } };
		assert.deepEqual(places(rule, bound, selecting(selector)), []);
	});

	it("serviceentry-waypoint-attachment: an empty selector matches all, an absent one nothing", () => {
		assert.deepEqual(places(rule, bound, selecting({})), []);
		assert.deepEqual(places(rule, bound, selecting(undefined)), error);
	});

	it("serviceentry-waypoint-attachment: a selector governs the waypoint's own namespace too", () => {
		const spec = listeners({ from: "Selector", selector: { matchLabels: { egress: "allowed" } } });
		const given = [team({}), waypoint("team/local", { spec })];
		assert.deepEqual(places(rule, boundTo("local"), { given }), error);
	});

	it("serviceentry-waypoint-attachment goes by the bound listener of a sandwiched waypoint", () => {
		const all = { namespaces: { from: "All" } };
		const spec = {
			listeners: [
				{ name: "mesh", port: 15008, protocol: "HBONE" },
				{ name: "proxy", port: 15088, protocol: "istio.io/PROXY", allowedRoutes: all },
			],
		};
		const bindingOf = (value: string) => ({ "ambient.istio.io/waypoint-inbound-binding": value });
		assert.deepEqual(places(rule, bound, beside(spec, bindingOf("PROXY/15088"))), []);
		assert.deepEqual(places(rule, bound, beside(spec, bindingOf("NONE/15088"))), []);
		assert.deepEqual(places(rule, bound, beside(spec, bindingOf("PROXY"))), []);
		for (const value of ["PROXY/15099", "NONE", "proxy/15088", "PROXY/15088/1", "PROXY/x", ""]) {
			const expected = value === "PROXY/x" ? [] : error;
			assert.deepEqual(places(rule, bound, beside(spec, bindingOf(value))), expected, value);
		}
	});

	it("serviceentry-waypoint-attachment speaks of the policy's waypoint before the labels are there", () => {
		assert.deepEqual(places(rule, plainEntry, beside(listeners(undefined))), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-attachment leaves a malformed selector and a missing Gateway to other rules", () => {
		const selector = { matchExpressions: [{ key: "a", operator: "In", values: [] }] };
		assert.deepEqual(places(rule, bound, selecting(selector)), []);
		assert.deepEqual(places(rule, bound, { given: [team()] }), []);
	});
});
