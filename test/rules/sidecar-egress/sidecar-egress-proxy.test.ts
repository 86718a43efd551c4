import assert from "node:assert/strict";
import { it } from "node:test";
import { sidecarEgressProxy as rule } from "../../../src/rules/sidecar-egress/sidecar-egress-proxy.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("sidecar-egress-proxy refuses an egress proxy where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.outboundTrafficPolicy.egressProxy.host");
});
