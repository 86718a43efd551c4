import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { annotationPrefix, namespaceAnnotations } from "../../src/core/annotations.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import { applyEdits } from "../../src/core/patch.ts";
import { egressNamespace, egressWaypoint } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { readSettings } from "../../src/settings/read.ts";
import { subjectOf, world } from "../support/rule-example.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/policies.md"), "utf8");
const engine = createEngine(rules);

interface Block {
	readonly heading: string;
	readonly promise: string;
	readonly yaml: string;
}

function blocksOf(markdown: string): readonly Block[] {
	let heading = "";
	const blocks: Block[] = [];
	for (const [, title, promise = "", yaml = ""] of markdown.matchAll(
		/^## (.+)$|^```yaml\n# (.+)\n([\s\S]*?)^```$/gm,
	)) {
		heading = title ?? heading;
		if (title === undefined) {
			blocks.push({ heading, promise, yaml });
		}
	}
	return blocks;
}

describe("docs/policies.md", () => {
	const blocks = blocksOf(text);

	it("has examples of every annotation", () => {
		assert.equal(
			blocks.length,
			[...text.matchAll(/^```yaml$/gm)].length,
			"every example says what it promises",
		);
		const names = [...Object.keys(namespaceAnnotations), "exempt."];
		for (const name of names) {
			const annotation = annotationPrefix + name;
			// The examples of a rule run as well, and stand on its page.
			const isShown =
				blocks.some(({ yaml }) => yaml.includes(annotation)) ||
				rules.some(({ docs }) => JSON.stringify(docs).includes(`"${annotation}"`));
			assert.ok(isShown, `no example has ${annotation}: write one here or into the rule that asks for it`);
		}
	});

	for (const [index, { heading, promise, yaml }] of blocks.entries()) {
		it(`${heading}, example ${index + 1}: ${promise}`, () => {
			if (promise === "configuration") {
				readSettings(yaml, "docs/policies.md", engine.ids);
				assert.ok(Object.keys(parse(yaml)).length > 0);
				return;
			}
			const objects = parseAllDocuments(yaml).map((document) => document.toJS() as AnyObject);
			const judged = objects.at(-1);
			assert.ok(judged !== undefined);
			const state = world([egressNamespace, egressWaypoint, ...objects.slice(0, -1)]);
			const subject = subjectOf(judged);
			const { fixes } = evaluate(engine, state, subject);
			const fixed = applyEdits(judged, fixes) as AnyObject;
			const verdict = evaluate(engine, state, { ...subject, object: fixed });
			const denying = [...new Set(verdict.denials.map(({ rule }) => rule))];
			const refused = /^refused by (.+)$/.exec(promise)?.[1]?.split(", ");
			if (refused !== undefined) {
				assert.deepEqual(
					refused.filter((rule) => !denying.includes(rule)),
					[],
					`denied by ${denying.join(", ") || "nothing"}`,
				);
				return;
			}
			assert.deepEqual(denying, [], JSON.stringify(verdict.denials));
			const bound = /^bound to (.+)\/(.+)$/.exec(promise);
			if (bound !== null) {
				assert.equal(fixed.metadata?.labels?.["istio.io/use-waypoint-namespace"], bound[1]);
				assert.equal(fixed.metadata?.labels?.["istio.io/use-waypoint"], bound[2]);
			} else if (promise.startsWith("warned of by ")) {
				const warning = verdict.warnings.map(({ rule }) => rule);
				assert.ok(warning.includes(promise.slice("warned of by ".length)), warning.join(", "));
			} else {
				assert.equal(promise, "accepted");
			}
		});
	}
});
