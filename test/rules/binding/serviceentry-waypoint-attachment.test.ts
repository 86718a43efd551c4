import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubernetesGateway } from "../../../src/core/kinds.ts";
import { serviceentryWaypointAttachment as rule } from "../../../src/rules/binding/serviceentry-waypoint-attachment.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, listeners, nameLabelPath, places, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

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

const spec = listeners({ from: "Selector", selector: { matchLabels: { egress: "allowed" } } });
const selector = { matchLabels: { egress: "allowed" } };
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
const own = boundTo("local");
const given = [team({}), waypoint("team/local", { spec: listeners(undefined) })];

testRule(rule, {
	"accepts from: All": { object: bound, ...inTeam(beside(listeners({ from: "All" }))), finds: [] },
	...Object.fromEntries(
		(
			[
				["no allowedRoutes", undefined],
				["no from", {}],
				["from: Same", { from: "Same" }],
				["from: None, which istiod reads as Same", { from: "None" }],
			] as const
		).map(([what, namespaces]) => [
			`refuses another namespace where there is ${what}`,
			{ object: bound, ...inTeam(beside(listeners(namespaces))), finds: error },
		]),
	),
	"accepts the waypoint's own namespace where nothing else is said": [
		{ object: own, given, finds: [] },
		{ object: own, given: [team({}), waypoint("team/local", { spec: { listeners: null } })], finds: [] },
	],
	...Object.fromEntries(
		(
			[
				["another port", { port: 15009 }],
				["another protocol", { protocol: "HTTP" }],
				["hbone in lower case", { protocol: "hbone" }],
			] as const
		).map(([what, parts]) => [
			`ignores from: All of a listener with ${what}`,
			{ object: bound, ...inTeam(beside(listeners({ from: "All" }, parts))), finds: error },
		]),
	),
	"goes by the first HBONE listener on 15008": [
		{ object: bound, ...inTeam(beside({ listeners: [closed, open] })), finds: error },
		{ object: bound, ...inTeam(beside({ listeners: [open, closed] })), finds: [] },
	],
	"matches a selector with the labels of the entry's namespace": [
		{ object: bound, ...inTeam(selecting(selector, { egress: "allowed" })), finds: [] },
		{ object: bound, ...inTeam(selecting(selector, { egress: "no" })), finds: error },
	],
	"knows the name that the API server writes on every namespace": {
		object: bound,
		...inTeam(selecting({ matchLabels: { "kubernetes.io/metadata.name": "team" } })),
		finds: [],
	},
	"an empty selector matches all, an absent one nothing": [
		{ object: bound, ...inTeam(selecting({})), finds: [] },
		{ object: bound, ...inTeam(selecting(undefined)), finds: error },
	],
	"a selector governs the waypoint's own namespace too": {
		object: boundTo("local"),
		given: [team({}), waypoint("team/local", { spec })],
		finds: error,
	},
	"speaks of the policy's waypoint before the labels are there": {
		object: plainEntry,
		...inTeam(beside(listeners(undefined))),
		finds: ["error metadata.labels"],
	},
	"leaves a malformed selector and a missing Gateway to other rules": [
		{
			object: bound,
			...inTeam(selecting({ matchExpressions: [{ key: "a", operator: "In", values: [] }] })),
			finds: [],
		},
		{ object: bound, given: [team()], finds: [] },
	],
});

describe("serviceentry-waypoint-attachment", () => {
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
});
