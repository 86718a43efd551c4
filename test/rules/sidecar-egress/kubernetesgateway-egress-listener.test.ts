import assert from "node:assert/strict";
import { it } from "node:test";
import { kubernetesgatewayEgressListener as rule } from "../../../src/rules/sidecar-egress/kubernetesgateway-egress-listener.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("kubernetesgateway-egress-listener refuses a listener for an external host where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.listeners.0.hostname");
});
