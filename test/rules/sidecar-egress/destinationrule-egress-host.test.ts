import assert from "node:assert/strict";
import { it } from "node:test";
import { destinationruleEgressHost as rule } from "../../../src/rules/sidecar-egress/destinationrule-egress-host.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("destinationrule-egress-host refuses the host of an egress gateway where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.host");
});
