import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryNamespacePolicy as rule } from "../../../src/rules/namespace/serviceentry-namespace-policy.ts";
import { serviceentryPolicyHost } from "../../../src/rules/policy/serviceentry-policy-host.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import { entry, inTeam, judge, places, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const at = ["error metadata.namespace"];

const given = [team({ "allowed-ports": "443, https" })];

testRule(rule, {
	"refuses every entry while an annotation of its namespace cannot be read": [
		{
			object: plainEntry,
			given,
			finds: at,
			says: /^Namespace team has the malformed annotation egress\.waymark\.dev\/allowed-ports, which item 2 at/,
			hints: /^On the namespace: Each item must be a port/,
		},
		{ object: entry({ location: "MESH_INTERNAL" }), given, finds: at },
	],
	"names every bad annotation": {
		object: plainEntry,
		given: [team({ mode: "x", "allowed-hosts": "a b://c" })],
		finds: [...at, ...at],
	},
	"has nothing against a namespace without faults, or one that nobody knows": [
		{ object: plainEntry, ...inTeam(), finds: [] },
		{ object: plainEntry, given: [], finds: [] },
	],
});

describe("serviceentry-namespace-policy", () => {
	it("serviceentry-namespace-policy denies by the cluster's mode where the mode itself cannot be read", () => {
		const engine = createEngine([rule as unknown as Rule]);
		const decision = (mode: string) =>
			evaluate(engine, world([team({ mode: "Off" })], { defaults: { mode } }), subjectOf(plainEntry))
				.decision;
		assert.equal(decision("enforce"), "deny");
		assert.equal(decision("warn"), "allow");
	});

	it("serviceentry-namespace-policy leaves the other annotations in force", () => {
		const given = [team({ "allowed-ports": "https", "allowed-hosts": "*.example.org" })];
		assert.deepEqual(places(serviceentryPolicyHost, plainEntry, { given }), ["error spec.hosts[0]"]);
	});

	it("serviceentry-namespace-policy quotes an annotation's name that could forge a line", () => {
		const [finding] = judge(rule, plainEntry, { given: [team({ "mode\n: ok": "x" })] });
		assert.doesNotMatch(finding?.message ?? "", /\n/);
	});
});
