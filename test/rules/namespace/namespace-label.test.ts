import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatPath } from "../../../src/core/finding.ts";
import type { Namespace } from "../../../src/core/kinds.ts";
import { boundEntry } from "../../../src/rules/examples.ts";
import { namespaceLabel as rule } from "../../../src/rules/namespace/namespace-label.ts";
import { listeners, places, team, waypoint } from "../../support/team.ts";

const ambient = { "istio.io/dataplane-mode": "ambient" };
const settings = { policyEditors: { groups: ["security-team"] } };
const mallory = { username: "mallory", groups: ["developers"] };
const alice = { username: "alice", groups: ["security-team"] };

function changed(
	labels: Readonly<Record<string, string>>,
	requester = mallory,
	old = team({}, ambient),
): readonly string[] {
	const judged: Namespace = { ...old, metadata: { ...old.metadata, labels } };
	return places(rule, judged, { given: [old], settings, old, requester });
}

describe("namespace-label", () => {
	for (const [what, labels] of [
		["istio.io/rev", { ...ambient, "istio.io/rev": "x" }],
		["istio-injection", { ...ambient, "istio-injection": "enabled" }],
		["istio.io/dataplane-mode", {}],
		["istio.io/use-waypoint", { ...ambient, "istio.io/use-waypoint": "none" }],
		["istio.io/use-waypoint-canary", { ...ambient, "istio.io/use-waypoint-canary": "mine" }],
	] as const) {
		it(`namespace-label leaves ${what} to policy editors`, () => {
			assert.deepEqual(changed(labels), [`error ${formatPath(["metadata", "labels", what])}`]);
			assert.deepEqual(
				changed(labels, alice).filter((each) => each.startsWith("error")),
				[],
			);
		});
	}

	it("namespace-label leaves labels that a waypoint or istiod selects by to policy editors", () => {
		const selecting = waypoint("istio-egress/egress", {
			spec: listeners({
				from: "Selector",
				selector: { matchExpressions: [{ key: "tier", operator: "Exists" }] },
			}),
		});
		const old = team({}, { ...ambient, tier: "a", seen: "yes", other: "x" });
		const judged = team({}, ambient);
		const mesh = { discoverySelectors: [{ matchLabels: { seen: "yes" } }] };
		const circumstances = { given: [old, selecting], settings, old, requester: mallory, mesh };
		assert.deepEqual(places(rule, judged, circumstances), [
			"error metadata.labels.tier",
			"error metadata.labels.seen",
		]);
	});

	it("namespace-label lets anybody make a namespace ambient, or write other labels", () => {
		assert.deepEqual(changed(ambient, mallory, team({}, {})), []);
		assert.deepEqual(changed({ ...ambient, color: "blue" }), []);
	});

	it("namespace-label warns of a label that loosens where nobody is named, and counts the entries", () => {
		const old = team({}, ambient);
		const judged = team({}, { ...ambient, "istio.io/rev": "x" });
		assert.deepEqual(places(rule, judged, { given: [old, boundEntry], old }), [
			'warning metadata.labels["istio.io/rev"]',
		]);
		const explicit = { ambient: "enforced" };
		assert.deepEqual(places(rule, team(explicit, {}), { old: team(explicit, ambient) }), []);
	});
});
