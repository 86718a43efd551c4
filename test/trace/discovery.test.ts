import assert from "node:assert/strict";
import { it } from "node:test";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { traceAll } from "../../src/trace/hosts.ts";
import { traceRoute } from "../../src/trace/route.ts";
import { world } from "../support/rule-example.ts";

const allocated = {
	...boundEntry,
	status: { addresses: [{ host: "api.payments.example.com", value: "240.240.0.1" }] },
};
const question = { host: "api.payments.example.com", port: 443, from: "team" };

it("traceRoute() knows that istiod ignores namespaces which discoverySelectors leave out", () => {
	const state = world([teamNamespace, egressNamespace, egressWaypoint, allocated]);
	state.learn({ discoverySelectors: [{ matchLabels: { mesh: "yes" } }] });
	const { outcome, steps } = traceRoute(question, state);
	assert.equal(outcome.kind, "unknown");
	assert.match(steps.at(-1)?.details.join() ?? "", /discoverySelectors of the mesh leave out its namespace/);
	assert.deepEqual(
		traceAll(state).map(({ binding, capture }) => [binding.status, capture.captured]),
		[["None", false]],
	);
});

it("traceRoute() goes through where one of the discoverySelectors has the namespace", () => {
	const state = world([teamNamespace, egressNamespace, egressWaypoint, allocated]);
	const discoverySelectors = [
		{ matchLabels: { mesh: "yes" } },
		{ matchLabels: { "kubernetes.io/metadata.name": "team" } },
	];
	state.learn({ discoverySelectors });
	assert.equal(traceRoute(question, state).outcome.kind, "waypoint");
});
