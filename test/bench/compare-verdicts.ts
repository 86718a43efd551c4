// Compares the verdicts of another checkout with those of this one, and says where they differ:
//   node test/bench/compare-verdicts.ts BEFORE [--now CHECKOUT] [FOLDER|FILE …]
// over every example in the world of every rule, generated entries in generated worlds, and the manifests of a folder,
// each file as a cluster of its own, and all together as one. Only what both checkouts know is compared: their common
// rules and kinds. Exit code 1: some verdict differs.
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { sample } from "fast-check";
import type { Verdict } from "../../src/core/evaluate.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import { namespaceOf, readManifests } from "../../src/manifests/read.ts";
import { anyWorld, nearlyPlain } from "../support/entry-worlds.ts";
import { graftsOf } from "../support/graft.ts";
import { subjectOf } from "../support/rule-example.ts";
import { serviceEntry } from "../support/service-entry-arbitrary.ts";
import type { Given, Tree } from "./tree.ts";
import { loadTree } from "./tree.ts";

interface Case {
	readonly name: string;
	readonly object: AnyObject;
	readonly old?: AnyObject;
}

const { values: flags, positionals } = parseArgs({
	allowPositionals: true,
	// Another checkout in place of this one, so that a step of the past can be compared by itself.
	options: { now: { type: "string", default: join(import.meta.dirname, "../..") } },
});
const [before, ...paths] = positionals;
if (before === undefined) {
	throw new Error(
		"Cannot compare: name the other checkout, as in node test/bench/compare-verdicts.ts BEFORE",
	);
}
const trees = [await loadTree(before), await loadTree(flags.now)] as const;
const [{ rules: oldRules }, { rules }] = trees;
const known = new Set(oldRules.map(({ id }) => id));
const common = new Set(rules.map(({ id }) => id).filter((id) => known.has(id)));
const engines = trees.map((tree) => {
	const engine = tree.createEngine(tree.rules.filter(({ id }) => common.has(id)));
	return [engine, tree.fixingPart(engine)] as const;
});
let compared = 0;
const differing = new Map<string, string[]>();

/** What a verdict says to people, the API server and the one who confirms it. */
function said(verdict: Verdict): unknown {
	const { decision, mode, findings, denials, warnings, fixes, faults, absences } = verdict;
	const whole = {
		decision,
		mode,
		findings,
		denials,
		warnings,
		fixes,
		faults: faults.map(({ rule, error }) => `${rule}: ${error}`),
		absences: absences.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`).toSorted(),
	};
	// What nobody is shown was called otherwise once.
	return JSON.parse(JSON.stringify(whole).replaceAll('"said":', '"istiodMessage":'));
}

function compare(group: string, given: Given, cases: Iterable<Case>): void {
	const states = trees.map((tree: Tree) => tree.world(given));
	for (const { name, object, old } of cases) {
		if (!trees.every((tree) => tree.knows(object))) {
			continue;
		}
		const subject = subjectOf(object, old);
		for (const part of [0, 1] as const) {
			const [one, other] = trees.map((tree, index) => {
				const engine = engines[index]?.[part];
				const state = states[index];
				return engine === undefined || state === undefined
					? undefined
					: said(tree.evaluate(engine, state, subject));
			});
			compared++;
			if (!isDeepStrictEqual(one, other)) {
				const text = `${name}\n  before ${JSON.stringify(one)}\n  now    ${JSON.stringify(other)}`;
				differing.set(group, [...(differing.get(group) ?? []), text]);
			}
		}
	}
}

function report(group: string, from: number): void {
	const wrong = differing.get(group) ?? [];
	console.log(`${group}: ${compared - from} verdicts, ${wrong.length} differ`);
	for (const text of wrong.slice(0, 5)) {
		console.log(`  ${text}`);
	}
}

function run(group: string, work: () => void): void {
	const from = compared;
	work();
	report(group, from);
}

const examples = rules.flatMap(({ id, docs }) => [
	{ name: `good example of ${id}`, object: docs.good as AnyObject },
	{ name: `bad example of ${id}`, object: docs.bad as AnyObject },
]);

run("examples in all worlds", () => {
	for (const { docs, id } of rules.filter((rule) => known.has(rule.id))) {
		const given = {
			objects: docs.given ?? [],
			settings: docs.settings ?? {},
			mesh: docs.mesh ?? {},
		};
		const updates = [
			{ name: `update of ${id}: bad to good`, object: docs.good as AnyObject, old: docs.bad as AnyObject },
			{ name: `update of ${id}: good to bad`, object: docs.bad as AnyObject, old: docs.good as AnyObject },
			{ name: `update of ${id}: bad to bad`, object: docs.bad as AnyObject, old: docs.bad as AnyObject },
		];
		const grafted = [...graftsOf(docs.bad, docs.good)].map(({ path, object }) => ({
			name: `${path.join(".")} of ${id}`,
			object,
		}));
		compare("examples in all worlds", given, [
			...examples.filter(({ object }) => kindOfObject(object) !== undefined),
			...updates,
			...grafted.filter(({ object }) => kindOfObject(object) !== undefined),
		]);
	}
});

run("generated worlds", () => {
	const worlds = sample(anyWorld, { numRuns: 2_000, seed: 18 });
	for (const [index, entry] of sample(nearlyPlain, { numRuns: 20_000, seed: 17 }).entries()) {
		const given = worlds[index % worlds.length];
		if (given !== undefined) {
			compare("generated worlds", given, [{ name: JSON.stringify(entry), object: entry }]);
		}
	}
	const [given] = worlds;
	if (given !== undefined) {
		const entries = sample(serviceEntry, { numRuns: 6_000, seed: 19 });
		compare(
			"generated worlds",
			given,
			entries.map((entry, index) => ({
				name: JSON.stringify(entry),
				object: entry as unknown as AnyObject,
				...(index > 0 ? { old: entries[index - 1] as unknown as AnyObject } : {}),
			})),
		);
	}
});

if (paths.length > 0) {
	const { manifests } = readManifests(paths);
	const judged = manifests.filter(({ kind }) => kind !== undefined);
	const placed = (manifest: (typeof judged)[number]): AnyObject => {
		const { kind, object } = manifest;
		const namespace = kind === undefined ? "" : namespaceOf(kind, object);
		return namespace === "" ? object : { ...object, metadata: { ...object.metadata, namespace } };
	};
	const toCase = (manifest: (typeof judged)[number]): Case => ({
		name: `${manifest.file} ${JSON.stringify(manifest.object.metadata?.name)}`,
		object: placed(manifest),
	});
	for (const offline of [true, false]) {
		const group = offline ? "manifests, offline" : "manifests, as a cluster";
		run(group, () => {
			for (const list of Map.groupBy(judged, ({ file }) => file).values()) {
				compare(group, { objects: list.map(placed), offline }, list.map(toCase));
			}
			compare(group, { objects: judged.map(placed), offline }, judged.map(toCase));
		});
	}
}

console.log(`${common.size} rules are known to both checkouts, of ${oldRules.length} and ${rules.length}`);
console.log(`${compared} verdicts compared, ${[...differing.values()].flat().length} differ`);
process.exitCode = differing.size > 0 ? 1 : 0;
