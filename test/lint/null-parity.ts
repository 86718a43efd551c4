import assert from "node:assert/strict";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject, Resources } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { judgeManifests } from "../../src/lint/judge.ts";
import { parseManifests, worldOf } from "../../src/manifests/read.ts";
import { rules } from "../../src/rules/table.ts";
import { nullWorld } from "../support/null-worlds.ts";
import { exampleDay, subjectOf } from "../support/rule-example.ts";

const engine = createEngine(rules);

/** The world as a watch would fill it, judged as far as files can be. */
function asOffline(objects: readonly AnyObject[], file: SettingsFile): ClusterState {
	const state = new ClusterState(parseSettings(file).settings, { offline: true });
	for (const object of objects) {
		const kind = kindOfObject(object);
		if (kind !== undefined) {
			state.set(kind, object as Resources[typeof kind]);
		}
	}
	return state;
}

/** Holds what lint says of a world with nulls to what the webhook says of the world that the API server stores. */
export function assertNullParity(seed: number): void {
	const { rule, written, stored } = nullWorld(seed);
	const file = rule.docs.settings ?? {};
	const text = JSON.stringify({ apiVersion: "v1", kind: "List", items: written });
	const reading = parseManifests(text, "world.json");
	const inventory = worldOf(reading.manifests, parseSettings(file).settings);
	const { judged, report } = judgeManifests(reading, {
		rules,
		inventory,
		today: exampleDay,
		withReplacements: false,
	});
	const unsure = report.findings.filter(({ message }) => message.includes("is not among the files"));
	const skipped = new Set([...report.skipped, ...unsure].map((each) => each.rule));
	const said = (judged.at(-1)?.findings ?? [])
		.filter(({ severity }) => severity === "error")
		.map(({ rule: id, path, message }) => `${id} ${path} ${message}`);
	const object = stored.at(-1) as AnyObject;
	const verdict = evaluate(engine, asOffline(stored, file), subjectOf(object));
	const denied = verdict.findings
		.filter(({ severity, rule: id }) => severity === "error" && !skipped.has(id))
		.map(({ rule: id, path, message }) => `${id} ${formatPath(path)} ${message}`);
	assert.deepEqual(said.toSorted(), denied.toSorted(), `seed ${seed}: ${text}`);
	// A shape that several kinds share has fields that the CRD of one of them lacks.
	const misread = report.unreadable.filter(({ message }) => !message.includes("there is no such field"));
	assert.deepEqual(misread, [], `seed ${seed}: ${text}`);
}

if (import.meta.main) {
	// node test/lint/null-parity.ts [HOW MANY] [FIRST SEED]
	const [count = 20_000, first = 1] = process.argv.slice(2).map(Number);
	for (let seed = first; seed < first + count; seed++) {
		assertNullParity(seed);
	}
	process.stdout.write(`${count} worlds from seed ${first}: no difference\n`);
}
