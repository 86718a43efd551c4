import assert from "node:assert/strict";
import { it } from "node:test";
import { tlsrouteEgressBackend as rule } from "../../../src/rules/sidecar-egress/tlsroute-egress-backend.ts";
import { assertRefusedOnlyWhereEnforced } from "../../support/egress-rules.ts";

it("tlsroute-egress-backend refuses a backend that is an egress gateway where ambient is enforced, tells it where permitted", () => {
	const finding = assertRefusedOnlyWhereEnforced(rule);
	assert.equal(finding.path.join("."), "spec.rules.0.backendRefs.0.name");
});
