import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryEgressEndpoint as rule } from "../../../src/rules/sidecar-egress/serviceentry-egress-endpoint.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("serviceentry-egress-endpoint refuses an endpoint at an egress gateway where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.endpoints.0.address");
});
