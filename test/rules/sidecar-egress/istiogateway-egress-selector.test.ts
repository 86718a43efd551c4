import assert from "node:assert/strict";
import { it } from "node:test";
import { istiogatewayEgressSelector as rule } from "../../../src/rules/sidecar-egress/istiogateway-egress-selector.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("istiogateway-egress-selector refuses the selector of an egress gateway where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.selector.istio");
});
