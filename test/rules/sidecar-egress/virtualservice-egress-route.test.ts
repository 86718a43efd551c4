import assert from "node:assert/strict";
import { it } from "node:test";
import { virtualserviceEgressRoute as rule } from "../../../src/rules/sidecar-egress/virtualservice-egress-route.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("virtualservice-egress-route refuses the route from the sidecars where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.tls.0.route.0.destination.host");
});
