import assert from "node:assert/strict";
import { it } from "node:test";
import { asmegresstrafficpolicyEgressGateway as rule } from "../../../src/rules/sidecar-egress/asmegresstrafficpolicy-egress-gateway.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("asmegresstrafficpolicy-egress-gateway refuses the egress gateway that it names where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.byEgressGateway.name");
});
