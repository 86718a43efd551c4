import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import { allKinds } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { judgeManifests } from "../../src/lint/judge.ts";
import type { Reading } from "../../src/manifests/read.ts";
import { parseManifests, worldOf } from "../../src/manifests/read.ts";
import { rules } from "../../src/rules/table.ts";
import { reviewOf } from "../support/reviews.ts";
import { exampleDay } from "../support/rule-example.ts";
import type { RunningWebhook } from "../support/webhook.ts";
import { runWebhook } from "../support/webhook.ts";

/** What lint says about the last object of a file in a world, and the rules that it skips for want of objects. */
function lintLast(
	reading: Reading,
	inventory: ClusterState,
): { readonly errors: readonly string[]; readonly skipped: ReadonlySet<string> } {
	const judging = { rules, inventory, today: exampleDay, withReplacements: false };
	const { judged, report } = judgeManifests(reading, judging);
	const errors = (judged.at(-1)?.findings ?? [])
		.filter(({ severity }) => severity === "error")
		.map(({ rule, path, message }) => `${rule} ${path} ${message}`);
	// What is not among files is a warning of lint, and an error where the world is whole.
	const unsure = report.findings.filter(({ message }) => message.includes("is not among the files"));
	const skipped = new Set([...report.skipped, ...unsure].map(({ rule }) => rule));
	// lint says line by line what has the wrong type, and judges the rest as its author meant it.
	return { errors, skipped: report.unreadable.length > 0 ? skipped.add("object-shape") : skipped };
}

const running = new Map<string, RunningWebhook>();
const stops: (() => Promise<void>)[] = [];
after(() => Promise.all(stops.map((stop) => stop())));

/** A webhook in this world: one for all worlds of the same configuration. */
async function webhookOf(configuration: object, world: ClusterState): Promise<RunningWebhook> {
	const key = JSON.stringify(configuration);
	const webhook =
		running.get(key) ?? (await runWebhook({ after: (stop) => stops.push(stop) }, { state: world }));
	running.set(key, webhook);
	if (webhook.state !== world) {
		for (const kind of allKinds) {
			webhook.state.replace(kind, world.all(kind) as Iterable<never>);
		}
	}
	return webhook;
}

describe("lint and POST /validate say the same", () => {
	for (const rule of rules) {
		const { docs } = rule as Rule<Kind>;
		// An update and its author exist only where somebody asks an API server for one.
		const onlyAtAdmission = docs.old !== undefined || docs.requester !== undefined;
		it(`about the examples of ${rule.id}`, {
			skip: onlyAtAdmission && "its examples are updates or depend on who asks",
		}, async () => {
			for (const object of [docs.bad, docs.good] as readonly AnyObject[]) {
				const settings = parseSettings(docs.settings ?? {}).settings;
				const given = [...(docs.given ?? []), object];
				const text = JSON.stringify({ apiVersion: "v1", kind: "List", items: given });
				const reading = parseManifests(text, "example.json");
				const world = worldOf(reading.manifests, settings);
				const webhook = await webhookOf(docs.settings ?? {}, world);
				const response = await webhook.ask("validate", reviewOf(object));
				const { errors, skipped } = lintLast(reading, world);
				const denied = (response.status?.details.causes ?? [])
					.filter(({ reason }) => !skipped.has(reason))
					.map(({ reason, field, message }) => `${reason} ${field} ${message}`);
				assert.deepEqual(denied.toSorted(), errors.toSorted());
			}
		});
	}
});
