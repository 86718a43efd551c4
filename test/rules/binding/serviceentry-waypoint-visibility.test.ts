import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LabelSelector } from "../../../src/core/kinds.ts";
import type { ServiceEntryVisibility } from "../../../src/core/mesh.ts";
import { serviceentryWaypointVisibility as rule } from "../../../src/rules/binding/serviceentry-waypoint-visibility.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

const bound = boundTo("istio-egress/egress");
const error = [`error ${nameLabelPath}`];

function mesh(serviceEntryVisibility: ServiceEntryVisibility, istioMinor = 31) {
	return { mesh: { serviceEntryVisibility, istioMinor } };
}

function policy(visibility: "PUBLIC" | "NAMESPACE", ...selectors: (LabelSelector | undefined)[]) {
	return { visibility, rules: selectors.map((namespaceSelector) => ({ namespaceSelector })) };
}

const everyone = mesh({ defaultVisibility: "NAMESPACE", policies: [] });
const ambient = { matchLabels: { "istio.io/dataplane-mode": "ambient" } };

describe("serviceentry-waypoint-visibility", () => {
	it("serviceentry-waypoint-visibility refuses a waypoint of another namespace under visibility NAMESPACE", () => {
		assert.deepEqual(places(rule, bound, everyone), error);
		assert.deepEqual(places(rule, plainEntry, everyone), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-visibility accepts a waypoint of the same namespace", () => {
		const given = [team({}), waypoint("team/local")];
		assert.deepEqual(places(rule, boundTo("local"), { given, ...everyone }), []);
	});

	it("serviceentry-waypoint-visibility knows nothing of it before Istio 1.31 or without configuration", () => {
		assert.deepEqual(places(rule, bound, mesh({ defaultVisibility: "NAMESPACE", policies: [] }, 30)), []);
		assert.deepEqual(places(rule, bound), []);
	});

	it("serviceentry-waypoint-visibility accepts PUBLIC, and NONE, which istiod binds to nothing at all", () => {
		for (const defaultVisibility of ["PUBLIC", "NONE"] as const) {
			assert.deepEqual(places(rule, bound, mesh({ defaultVisibility, policies: [] })), []);
		}
	});

	it("serviceentry-waypoint-visibility lets the first policy decide of which every rule matches", () => {
		const first = mesh({
			defaultVisibility: "NAMESPACE",
			policies: [policy("PUBLIC", ambient), policy("NAMESPACE", ambient)],
		});
		assert.deepEqual(places(rule, bound, first), []);
		const both: ServiceEntryVisibility = {
			defaultVisibility: "PUBLIC",
			policies: [policy("NAMESPACE", ambient, { matchLabels: { a: "b" } })],
		};
		assert.deepEqual(places(rule, bound, mesh(both)), []);
	});

	it("serviceentry-waypoint-visibility: a policy without rules matches all, a rule without a selector nothing", () => {
		const all = mesh({ defaultVisibility: "PUBLIC", policies: [policy("NAMESPACE")] });
		assert.deepEqual(places(rule, bound, all), error);
		const nobody = mesh({ defaultVisibility: "PUBLIC", policies: [policy("NAMESPACE", undefined)] });
		assert.deepEqual(places(rule, bound, nobody), []);
	});

	it("serviceentry-waypoint-visibility is silent of a waypoint that does not exist", () => {
		assert.deepEqual(places(rule, bound, { given: [team()], ...everyone }), []);
	});
});
