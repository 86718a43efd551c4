import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namespaceExemption as rule } from "../../../src/rules/namespace/namespace-exemption.ts";
import { message, places, team } from "../../support/team.ts";

const namespace = team({ "exempt.serviceentry-policy-host": "until=2026-11-23 reason=SEC-1" });
const warning = ['warning metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'];

describe("namespace-exemption", () => {
	it("namespace-exemption is silent through the last day and warns from the day after", () => {
		assert.deepEqual(places(rule, namespace, { today: "2026-11-22" }), []);
		assert.deepEqual(places(rule, namespace, { today: "2026-11-23" }), []);
		assert.deepEqual(places(rule, namespace, { today: "2026-11-24" }), warning);
		assert.deepEqual(places(rule, namespace, { today: "2027-01-01" }), warning);
	});

	it("namespace-exemption names the day and the rule", () => {
		assert.equal(
			message(rule, namespace, { today: "2027-01-01" }),
			"Ran out on 2026-11-23: the rule serviceentry-policy-host denies again in this namespace",
		);
	});

	it("namespace-exemption leaves what cannot be read to another rule", () => {
		assert.deepEqual(
			places(rule, team({ "exempt.serviceentry-policy-host": "until=2020-13-01 reason=x" })),
			[],
		);
	});
});
