import assert from "node:assert/strict";
import { it } from "node:test";
import { virtualserviceEgressGateway as rule } from "../../../src/rules/sidecar-egress/virtualservice-egress-gateway.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("virtualservice-egress-gateway refuses the gateway of the second hop where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.gateways.1");
});
