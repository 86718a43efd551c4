import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryPolicyWildcard as rule } from "../../../src/rules/policy/serviceentry-policy-wildcard.ts";
import { entry, inTeam, message } from "../../support/team.ts";
import type { RuleCase } from "../../support/test-rule.ts";
import { testRule } from "../../support/test-rule.ts";

const refused = ["error spec.hosts[0]"];

function said(host: string, least?: number, location = "MESH_EXTERNAL"): Omit<RuleCase, "finds"> {
	const settings = least === undefined ? {} : { limits: { wildcardMinimumLabels: least } };
	return { object: entry({ hosts: [host], location }), ...inTeam({ settings }) };
}

testRule(rule, {
	...Object.fromEntries(
		["*.com", "*.COM.", "*com", "*example.com", "*"].map((host) => [
			`refuses ${host}, which fixes fewer than two labels`,
			{ ...said(host), finds: refused },
		]),
	),
	...Object.fromEntries(
		["*.example.com", "*.example.com.", "*-eu.example.com", "com", "api.example.com"].map((host) => [
			`accepts ${host}`,
			{ ...said(host), finds: [] },
		]),
	),
	"goes by the configuration": [
		{ ...said("*.com", 1), finds: [] },
		{ ...said("*", 1), finds: refused },
		{ ...said("*", 0), finds: [] },
		{ ...said("*.example.com", 3), finds: refused },
		{ ...said("api.example.com", 9), finds: [] },
	],
	"sees through MESH_INTERNAL, but not into the cluster's own domain": [
		{ ...said("*.com", undefined, "MESH_INTERNAL"), finds: refused },
		{ ...said("*com", undefined, "MESH_INTERNAL"), finds: refused },
		{ ...said("*.shop.svc.cluster.local", undefined, "MESH_INTERNAL"), finds: [] },
	],
});

describe("serviceentry-policy-wildcard", () => {
	it("serviceentry-policy-wildcard counts one label and several in words", () => {
		const of = (host: string) =>
			message(rule, entry({ hosts: [host] }), { settings: { limits: { wildcardMinimumLabels: 3 } } });
		assert.match(of("*.com"), /fixes 1 label, and the cluster wants at least 3$/);
		assert.match(of("*.example.com"), /fixes 2 labels,/);
	});
});
