import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import { namespaceAnnotation as rule } from "../../../src/rules/namespace/namespace-annotation.ts";
import { rules } from "../../../src/rules/table.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import { inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function at(annotation: string): string {
	return `error metadata.annotations["egress.waymark.dev/${annotation}"]`;
}

const annotations = {
	mode: "warn",
	ambient: "permitted",
	waypoint: "istio-egress/egress",
	"allowed-hosts": "api.example.com *.example.org, ${namespace}.example.net",
	"denied-hosts": "",
	"allowed-ports": "443, 8000-8099, 443/TLS, 80/HTTP",
	"allowed-protocols": "tls HTTP",
	"exempt.serviceentry-policy-host": "until=2026-12-31 reason=SEC-1",
};

testRule(rule, {
	"accepts every annotation in its accepted form": [
		{ object: team(annotations), ...inTeam(), finds: [] },
		{ object: team({}), ...inTeam(), finds: [] },
		{ object: { ...team(), metadata: { name: "team", annotations: null } }, ...inTeam(), finds: [] },
	],
	...Object.fromEntries(
		(
			[
				["mode", "Enforce"],
				["mode", ""],
				["ambient", "yes"],
				["waypoint", "a/b/c"],
				["waypoint", ""],
				["waypoint", "istio-egress/None"],
				["waypoint", "istio-egress/none"],
				["waypoint", `istio-egress/${"x".repeat(64)}`],
				["allowed-hosts", "https://example.com"],
				["allowed-hosts", "*"],
				["allowed-hosts", "*foo.com"],
				["denied-hosts", "a..b"],
				["allowed-ports", "443-80"],
				["allowed-ports", "0"],
				["allowed-ports", "443/QUIC"],
				["allowed-protocols", "QUIC"],
				["exempt.serviceentry-policy-host", "until=2026-02-30 reason=x"],
				["exempt.serviceentry-policy-host", "2026-12-31"],
				["modes", "enforce"],
				["exempt", "until=2026-12-31 reason=x"],
			] as const
		).map(([annotation, value]) => [
			`refuses ${annotation}: "${value.slice(0, 30)}"`,
			{ object: team({ [annotation]: value }), ...inTeam(), finds: [at(annotation)] },
		]),
	),
	"names the bad item, where it stands, and the accepted form": {
		object: team({ "allowed-ports": "443/TLS,\n99999" }),
		...inTeam(),
		finds: ['error metadata.annotations["egress.waymark.dev/allowed-ports"]'],
		says: /^Item 2 at character 10, "99999", cannot be read$/,
		hints: /443, 8000-8099, 443\/TLS/,
	},
	"reports each bad annotation at once": {
		object: team({ mode: "x", ambient: "y", waypoint: "none" }),
		...inTeam(),
		finds: [at("mode"), at("ambient")],
	},
	"leaves the annotations of others alone": {
		object: {
			...team(),
			metadata: {
				name: "team",
				annotations: {
					"waymark.dev/mode": "x",
					"egress.waymark.dev": "y",
					"a.egress.waymark.dev/mode": "z",
				},
			},
		},
		...inTeam(),
		finds: [],
	},
});

describe("namespace-annotation", () => {
	it("namespace-annotation refuses an exemption from a rule that does not exist", () => {
		const verdictOf = (id: string) => {
			const namespace = team({ [`exempt.${id}`]: "until=2026-12-31 reason=x" });
			return evaluate(createEngine(rules), world([namespace]), subjectOf(namespace)).decision;
		};
		assert.equal(verdictOf("serviceentry-policy-hots"), "deny");
		assert.equal(verdictOf("serviceentry-policy-host"), "allow");
	});

	for (const mode of ["warn", "audit", "off"]) {
		it(`namespace-annotation denies in mode ${mode} too: the one who writes it is there to fix it`, () => {
			const namespace = team({ mode, ambient: "yes" });
			const engine = createEngine([rule as never]);
			assert.equal(evaluate(engine, world(), subjectOf(namespace)).decision, "deny");
		});
	}

	it("namespace-annotation lets an update pass that keeps an old mistake, and refuses a new one", () => {
		const old = team({ mode: "x" });
		const decision = (annotations: Record<string, string>) =>
			evaluate(createEngine([rule as never]), world(), subjectOf(team(annotations), old)).decision;
		assert.equal(decision({ mode: "x", ambient: "permitted" }), "allow");
		assert.equal(decision({ mode: "y" }), "deny");
	});
});
