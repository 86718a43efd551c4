import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { subjectOf, world } from "../support/rule-example.ts";

const engine = createEngine(rules);
const settings: SettingsFile = {
	limits: { deniedHosts: ["*.evil.example"] },
	restorers: { users: ["velero"], groups: ["restorers"] },
};
const evil = withSpec(boundEntry, { hosts: ["www.evil.example"] });

function judged(more: Partial<Subject>, username: string, groups: readonly string[] = []): Verdict {
	const inventory = world([teamNamespace, egressNamespace, egressWaypoint], settings);
	return evaluate(engine, inventory, { ...subjectOf(evil), requester: { username, groups }, ...more });
}

describe("evaluate() of what a restorer sends", () => {
	it("admits what it creates, says what anybody else would be refused for, and marks it", () => {
		const refused = judged({}, "alice");
		assert.deepEqual([refused.decision, refused.isRestored], ["deny", undefined]);
		for (const verdict of [judged({}, "velero"), judged({}, "eve", ["restorers"])]) {
			assert.deepEqual([verdict.decision, verdict.isRestored, verdict.denials], ["allow", true, []]);
			assert.deepEqual(
				verdict.warnings.map(({ rule, severity }) => [rule, severity]),
				[["serviceentry-policy-host", "error"]],
			);
		}
	});

	it("does not mark what anybody may create", () => {
		const verdict = judged({ object: boundEntry }, "velero");
		assert.deepEqual([verdict.decision, verdict.isRestored], ["allow", undefined]);
	});

	it("refuses its updates like anybody's, and what is too large or misshapen to be judged", () => {
		assert.equal(judged({ old: boundEntry }, "velero").decision, "deny");
		assert.equal(
			judged({ object: withSpec(evil, { hosts: ["a.".repeat(20_000)] }) }, "velero").decision,
			"deny",
		);
		assert.equal(judged({ object: { ...evil, spec: { hosts: "x" } } }, "velero").decision, "deny");
	});
});
