import assert from "node:assert/strict";
import { it } from "node:test";
import { namespaceAnnotationList as rule } from "../../../src/rules/namespace/namespace-annotation-list.ts";
import { places, team } from "../../support/team.ts";

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

it("namespace-annotation-list points out a denied suffix without its own name, by any spelling", () => {
	assert.deepEqual(places(rule, team({ "denied-hosts": "*.evil.example" })), at("denied-hosts"));
	assert.deepEqual(places(rule, team({ "denied-hosts": "*.evil.example EVIL.example." })), []);
	assert.deepEqual(places(rule, team({ "allowed-hosts": "*.good.example" })), []);
});
