// What must make no difference to a verdict, over generated entries in generated worlds. The long form is
//   WAYMARK_PARITY_WORLDS=300 WAYMARK_PARITY_SEEDS=1,2,3 node --test test/server/parity.test.ts
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { sample } from "fast-check";
import { validated } from "../../src/admission/response.ts";
import { readReview } from "../../src/admission/review.ts";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { allKinds, kindOfObject, kinds } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { rules } from "../../src/rules/table.ts";
import type { GeneratedWorld } from "../support/entry-worlds.ts";
import { anyWorld, nearlyPlain } from "../support/entry-worlds.ts";
import { reviewOf } from "../support/reviews.ts";
import { exampleDay, subjectOf } from "../support/rule-example.ts";
import { runWebhook } from "../support/webhook.ts";

const worldsOfSeed = Number(process.env.WAYMARK_PARITY_WORLDS ?? "30");
const seeds = (process.env.WAYMARK_PARITY_SEEDS ?? "13").split(",").map(Number);
const entriesOfWorld = 8;
const engine = createEngine(rules);

interface Case {
	/** Says how to make it again. */
	readonly name: string;
	readonly given: GeneratedWorld;
	readonly entries: readonly AnyObject[];
}

const cases: readonly Case[] = seeds.flatMap((seed) => {
	const entries = sample(nearlyPlain, { numRuns: worldsOfSeed * entriesOfWorld, seed });
	return sample(anyWorld, { numRuns: worldsOfSeed, seed }).map((given, index) => ({
		name: `world ${index} of seed ${seed}`,
		given,
		entries: entries.slice(index * entriesOfWorld, (index + 1) * entriesOfWorld) as readonly AnyObject[],
	}));
});

function put(state: ClusterState, objects: readonly AnyObject[]): void {
	for (const object of objects) {
		const kind = kindOfObject(object);
		if (kind !== undefined) {
			state.set(kind, object as Resources[Kind]);
		}
	}
}

function stateOf({ objects, mesh }: GeneratedWorld): ClusterState {
	const state = new ClusterState(defaultSettings);
	put(state, objects);
	state.learn(mesh);
	return state;
}

/** What a verdict says, in an order of its own. */
function said({ decision, mode, findings, fixes }: Verdict): unknown {
	return {
		decision,
		mode,
		findings: findings
			.map(({ rule, severity, path, message }) => `${rule} ${severity} ${formatPath(path)}: ${message}`)
			.toSorted(),
		fixes: fixes.map((edit) => JSON.stringify(edit, sortedKeys)).toSorted(),
	};
}

function sortedKeys(_key: string, value: unknown): unknown {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
		: value;
}

/** The same value with the keys of every map in the opposite order. */
function turned(value: unknown): unknown {
	if (Array.isArray(value)) {
		return value.map(turned);
	}
	return typeof value === "object" && value !== null
		? Object.fromEntries(
				Object.entries(value)
					.toReversed()
					.map(([key, item]) => [key, turned(item)]),
			)
		: value;
}

test("POST /validate says of every generated entry what evaluate() says of it in the same world", async () => {
	const state = new ClusterState(defaultSettings);
	const webhook = await runWebhook({ after }, { state });
	const decisions = new Set<boolean>();
	for (const { name, given, entries } of cases) {
		for (const kind of allKinds) {
			state.replace(kind, []);
		}
		put(state, given.objects);
		for (const entry of entries) {
			const body = reviewOf(entry);
			const review = readReview(JSON.parse(JSON.stringify(body)), exampleDay);
			assert.ok("subject" in review && review.subject !== undefined, name);
			const verdict = evaluate(engine, state, review.subject);
			const expected = validated(review, verdict, { isUnconfirmed: false, staleMs: undefined });
			const response = await webhook.ask("validate", body);
			decisions.add(response.allowed);
			assert.deepEqual(
				response,
				JSON.parse(JSON.stringify(expected.response)),
				`${name}: ${JSON.stringify(entry)}`,
			);
		}
	}
	assert.equal(decisions.size, 2, "some are allowed and some refused");
});

test("evaluate() says the same whatever the order of keys, in the entry and in the world", () => {
	for (const { name, given, entries } of cases) {
		const state = stateOf(given);
		const other = stateOf({ ...given, objects: given.objects.map((object) => turned(object) as AnyObject) });
		for (const entry of entries) {
			assert.deepEqual(
				said(evaluate(engine, other, subjectOf(turned(entry) as AnyObject))),
				said(evaluate(engine, state, subjectOf(entry))),
				`${name}: ${JSON.stringify(entry)}`,
			);
		}
	}
});

test("evaluate() says the same in whichever version of its kind an entry is written", () => {
	const { group, versions } = kinds.ServiceEntry;
	assert.ok(versions.length > 1);
	for (const { name, given, entries } of cases) {
		const state = stateOf(given);
		for (const entry of entries) {
			const [first, ...others] = versions.map((version) =>
				said(evaluate(engine, state, subjectOf({ ...entry, apiVersion: `${group}/${version}` }))),
			);
			for (const other of others) {
				assert.deepEqual(other, first, `${name}: ${JSON.stringify(entry)}`);
			}
		}
	}
});

test("evaluate() says the same in whatever order the events of a world came", () => {
	for (const { name, given, entries } of cases) {
		const state = stateOf(given);
		const other = new ClusterState(defaultSettings);
		other.learn(given.mesh);
		// Every object was something else before, and some that are gone were there.
		put(
			other,
			entries.map((entry, index) => ({ ...entry, metadata: { ...entry.metadata, name: `gone-${index}` } })),
		);
		put(
			other,
			given.objects.map((object) => ({ ...object, spec: {} }) as AnyObject),
		);
		put(other, given.objects.toReversed());
		for (const index of entries.keys()) {
			other.delete("ServiceEntry", "team", `gone-${index}`);
		}
		for (const entry of entries) {
			assert.deepEqual(
				said(evaluate(engine, other, subjectOf(entry))),
				said(evaluate(engine, state, subjectOf(entry))),
				`${name}: ${JSON.stringify(entry)}`,
			);
		}
	}
});
