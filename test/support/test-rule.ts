import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import { exampleWorld, gapsAround, subjectOf, world } from "./rule-example.ts";
import type { Circumstances } from "./team.ts";

/** One judgement of one rule. */
export interface RuleCase extends Circumstances {
	/** What is judged; its fields may have any type. */
	readonly object: object;
	/** Where the rule finds something and how bad that is, such as `error spec.hosts[0]`; nothing for an object that it accepts. */
	readonly finds: readonly string[];
	/** What the message of the first finding says: the whole of it, or what it matches. */
	readonly says?: string | RegExp;
	/** What its hint says, likewise. */
	readonly hints?: string | RegExp;
}

/**
 * Tests a rule by a table: each key goes on as a sentence from the rule's id, holds for one case or for several, and each
 * failure names both. The cluster is that of the rule's own examples where a case gives none.
 */
export function testRule(
	rule: Rule<never> | Rule,
	cases: Readonly<Record<string, RuleCase | readonly RuleCase[]>>,
): void {
	const { id } = rule;
	describe(id, () => {
		for (const [what, one] of Object.entries(cases)) {
			const all = [one].flat();
			it(`${id} ${what}`, () => {
				assert.ok(all.length > 0, `${id} ${what}: no case`);
				for (const [index, each] of all.entries()) {
					check(rule as Rule, each, `${id} ${what}${all.length > 1 ? `, case ${index + 1}` : ""}`);
				}
			});
		}
	});
}

function check(rule: Rule, each: RuleCase, name: string): void {
	const findings = judgeCase(rule, each);
	const found = findings.map(({ severity, path }) => `${severity} ${formatPath(path)}`);
	assert.deepEqual(found, each.finds, `${name}: it finds ${JSON.stringify(found)}`);
	assertText(findings[0]?.message, each.says, name);
	assertText(findings[0]?.hint, each.hints, name);
}

function assertText(text: string | undefined, expected: string | RegExp | undefined, name: string): void {
	if (typeof expected === "string") {
		assert.equal(text, expected, name);
	} else if (expected !== undefined) {
		assert.match(text ?? "", expected, name);
	}
}

function judgeCase(rule: Rule, each: RuleCase): ReturnType<typeof evaluate>["findings"] {
	const { object, given, settings, mesh, old, requester, today } = each;
	const isOwnWorld = given === undefined && settings === undefined;
	const state = isOwnWorld ? exampleWorld(rule) : world(given, settings);
	state.learn(mesh ?? {});
	const verdict = evaluate(createEngine([rule]), state, {
		...subjectOf(object as AnyObject, old),
		...gapsAround(rule, object as AnyObject, state),
		...(requester === undefined ? {} : { requester }),
		...(today === undefined ? {} : { today }),
	});
	if (verdict.faults[0] !== undefined) {
		throw verdict.faults[0].error;
	}
	return verdict.findings;
}
