import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exemptionNotices } from "../../src/audit/events.ts";
import { countExemptions, listExemptions } from "../../src/audit/exemptions.ts";
import { teamNamespace, withAnnotations } from "../../src/rules/examples.ts";
import { world } from "../support/rule-example.ts";

const today = "2026-11-23";
const listed = listExemptions(
	world([
		withAnnotations(teamNamespace, {
			"egress.waymark.dev/exempt.serviceentry-policy-host": "until=2026-11-22 reason=x",
			"egress.waymark.dev/exempt.serviceentry-policy-port": "until=2026-12-07 reason=x owner=shop",
			"egress.waymark.dev/exempt.serviceentry-wildcard-resolution": "until=2026-12-08 reason=x",
			"egress.waymark.dev/exempt.destinationrule-egress-host": "until=2199-12-31 reason=x",
		}),
	]),
	today,
);

describe("countExemptions()", () => {
	test("counts each once, by how long it still holds", () => {
		assert.deepEqual(countExemptions(listed), {
			ended: 1,
			"14 days": 1,
			"30 days": 1,
			"90 days": 0,
			longer: 1,
		});
	});
});

describe("exemptionNotices()", () => {
	test("tells a Namespace of those that have ended or end within 14 days, and of no other", () => {
		const [notice, ...rest] = exemptionNotices(listed);
		assert.deepEqual(rest, []);
		assert.equal(notice?.reason, "ExemptionEnds");
		assert.equal(notice?.about.name, "team");
		assert.equal(
			notice?.note,
			'Exemption from serviceentry-policy-host ended on 2026-11-22; serviceentry-policy-port ends on 2026-12-07, in 14 days ("shop"); afterwards the rule denies again',
		);
	});
});
