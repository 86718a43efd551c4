import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { applyPatch } from "rfc6902";
import { stale } from "../../scripts/generate.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { kinds } from "../../src/core/kinds.ts";
import { toJsonPatch } from "../../src/core/patch.ts";
import { rules } from "../../src/rules/table.ts";
import { exampleWorld, findExample, judgeExample } from "../support/rule-example.ts";

const root = join(import.meta.dirname, "../..");
const sentence = /^[A-Z"0-9][^\n]*[^.\n]$/;

it("the generated table and pages are fresh", async () => {
	assert.deepEqual(await stale(), [], "run npm run generate");
});

it("rule ids are unique", () => {
	assert.equal(new Set(rules.map((rule) => rule.id)).size, rules.length);
});

for (const rule of rules) {
	describe(rule.id, () => {
		it("has a file and a test of its name, which starts with its kind and fits an annotation", () => {
			assert.match(rule.id, /^[a-z]+(-[a-z0-9]+)+$/);
			const subject = rule.everyKind === true ? "object" : rule.kind.toLowerCase();
			assert.ok(rule.id.startsWith(`${subject}-`), `${rule.id} judges ${rule.kind}`);
			assert.ok(rule.id.length <= 56, "exempt.ID must fit the 63 characters of an annotation's name");
			assert.ok(existsSync(join(root, `src/rules/${rule.family}/${rule.id}.ts`)));
			assert.ok(
				existsSync(join(root, `test/rules/${rule.family}/${rule.id}.test.ts`)),
				"has no test of its own",
			);
		});

		it("accepts its good example and reports its bad one", () => {
			assert.deepEqual(findExample(rule, rule.docs.good), []);
			assert.notDeepEqual(findExample(rule, rule.docs.bad), []);
		});

		it("speaks in sentences of one line without a final period", () => {
			assert.match(rule.docs.summary, sentence);
			for (const finding of findExample(rule, rule.docs.bad)) {
				assert.match(finding.message, sentence);
				assert.ok(finding.message.length <= 400, finding.message);
				if (finding.hint !== undefined) {
					assert.match(finding.hint, sentence);
				}
			}
		});

		it("is fixed by its own fix, applied by another library", () => {
			const { fixes } = judgeExample(rule, rule.docs.bad);
			assert.ok(rule.fixable || rule.sentWhen === undefined, "says in sentWhen what it cannot fix");
			if (!rule.fixable) {
				assert.deepEqual(fixes, []);
				return;
			}
			assert.notDeepEqual(fixes, [], "says that it is fixable");
			const patched = structuredClone(rule.docs.bad);
			const results = applyPatch(patched, [...toJsonPatch(rule.docs.bad, fixes)]);
			assert.deepEqual(
				results.filter((result) => result !== null),
				[],
			);
			assert.deepEqual(findExample(rule, patched), []);
			assert.deepEqual(toJsonPatch(patched, fixes), [], "a second time, the fix changes nothing");
		});
	});
}

it("no verdict of an example depends on the order of the rules", () => {
	const backwards = createEngine(rules.toReversed());
	const forwards = createEngine(rules);
	for (const rule of rules) {
		const subject = {
			kind: rule.kind,
			namespace: kinds[rule.kind].namespaced ? "team" : "",
			name: "example",
			object: rule.docs.bad,
			today: "2026-11-23",
		};
		const inventory = exampleWorld(rule);
		const one = evaluate(forwards, inventory, subject);
		const other = evaluate(backwards, inventory, subject);
		assert.equal(one.decision, other.decision);
		assert.deepEqual(sorted(one.findings), sorted(other.findings));
	}
});

it("the CHANGELOG names every rule", {
	skip: !existsSync(join(root, "CHANGELOG.md")) && "no CHANGELOG yet",
}, () => {
	const text = readFileSync(join(root, "CHANGELOG.md"), "utf8");
	assert.deepEqual(
		rules.map((rule) => rule.id).filter((id) => !text.includes(`\`${id}\``)),
		[],
	);
});

function sorted(findings: readonly { readonly rule: string; readonly message: string }[]): readonly string[] {
	return findings.map((each) => JSON.stringify(each)).toSorted();
}
