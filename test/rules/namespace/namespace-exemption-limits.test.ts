import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namespaceExemptionLimits as rule } from "../../../src/rules/namespace/namespace-exemption-limits.ts";
import { message, places, team } from "../../support/team.ts";

const exempting = (value: string) => team({ "exempt.serviceentry-policy-host": value });
const error = ['error metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'];
const today = "2026-11-23";

describe("namespace-exemption-limits", () => {
	it("namespace-exemption-limits demands nothing unless the configuration does", () => {
		assert.deepEqual(places(rule, exempting("until=2199-12-31 reason=x"), { today }), []);
	});

	it("namespace-exemption-limits wants an owner and a ticket where they are required", () => {
		const settings = { exemptions: { requireOwner: true, requireTicket: true } };
		assert.deepEqual(
			places(rule, exempting("until=2199-12-31 reason=x owner=shop ticket=A-1"), { today, settings }),
			[],
		);
		const without = exempting("until=2199-12-31 reason=x");
		assert.deepEqual(places(rule, without, { today, settings }), [...error, ...error]);
		assert.equal(
			message(rule, exempting("until=2199-12-31 reason=x ticket=A-1"), { today, settings }),
			"Names no owner, which this cluster requires of exemptions",
		);
	});

	it("namespace-exemption-limits allows the longest duration, and not a day more", () => {
		const settings = { exemptions: { longestDays: 30 } };
		assert.deepEqual(places(rule, exempting("until=2026-12-23 reason=x"), { today, settings }), []);
		assert.equal(
			message(rule, exempting("until=2026-12-24 reason=x"), { today, settings }),
			"Lasts 31 days from today, and this cluster allows 30",
		);
	});
});
