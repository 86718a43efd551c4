import assert from "node:assert/strict";
import { it } from "node:test";
import { destinationruleEgressWorkload as rule } from "../../../src/rules/sidecar-egress/destinationrule-egress-workload.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("destinationrule-egress-workload refuses a selector for an egress gateway's pods where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.workloadSelector");
});
