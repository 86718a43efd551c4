import assert from "node:assert/strict";
import { it } from "node:test";
import { namespaceAnnotationList as rule } from "../../../src/rules/namespace/namespace-annotation-list.ts";
import { inTeam, places, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const at = (name: string): readonly string[] => [
	`warning metadata.annotations["egress.waymark.dev/${name}"]`,
];

it("namespace-annotation-list points out every list that is empty", () => {
	for (const name of [
		"allowed-hosts",
		"denied-hosts",
		"allowed-ports",
		"allowed-protocols",
		"allowed-service-accounts",
	]) {
		for (const text of ["", ",", " , \n"]) {
			assert.deepEqual(places(rule, team({ [name]: text })), at(name), `${name} ${JSON.stringify(text)}`);
		}
	}
	assert.deepEqual(places(rule, team({ "allowed-hosts": "a.example" })), []);
});

testRule(rule, {
	"points out a denied suffix without its own name, by any spelling": [
		{ object: team({ "denied-hosts": "*.evil.example" }), ...inTeam(), finds: at("denied-hosts") },
		{ object: team({ "denied-hosts": "*.evil.example EVIL.example." }), ...inTeam(), finds: [] },
		{ object: team({ "allowed-hosts": "*.good.example" }), ...inTeam(), finds: [] },
	],
});
