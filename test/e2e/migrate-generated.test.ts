import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Plan } from "../support/generated-bundles.ts";
import { features, plansOf } from "../support/generated-bundles.ts";
import { compareBundles } from "./bundle-effects.ts";
import { useControlPlane } from "./shared.ts";

const plane = await useControlPlane();
// WAYMARK_MIGRATE_BUNDLES=200 WAYMARK_MIGRATE_SEEDS=1,2,3 is the long form.
const count = Number(process.env.WAYMARK_MIGRATE_BUNDLES ?? 24);
const seeds = (process.env.WAYMARK_MIGRATE_SEEDS ?? "1").split(",").map(Number);
const batch = 50;
// WAYMARK_MIGRATE_ALONE=PATTERN compares each feature alone in each way out where `WAY OUT: FEATURE` matches.
const alone = process.env.WAYMARK_MIGRATE_ALONE;

function plansFor(seed: number): readonly Plan[] {
	return alone === undefined
		? plansOf(seed, count)
		: features
				.flatMap((feature) => feature.bases.map((base) => ({ base, features: [feature] })))
				.filter(({ base, features: [feature] }) => new RegExp(alone).test(`${base}: ${feature?.name}`));
}

for (const seed of seeds) {
	const plans = plansFor(seed);
	for (let at = 0; at < plans.length; at += batch) {
		const part = plans.slice(at, at + batch);
		const which = `seed ${seed}, from ${at + 1} to ${at + part.length}`;
		test(`migrate keeps what istiod makes of generated bundles, or names it as not carried (${which})`, async (context) => {
			const folder = mkdtempSync(join(tmpdir(), "waymark-generated-"));
			context.after(() => rmSync(folder, { recursive: true }));
			const losses: string[] = [];
			const counts = new Map<string, number>();
			for (const { plan, result, named, detail } of await compareBundles(plane, part, folder)) {
				counts.set(result, (counts.get(result) ?? 0) + 1);
				const names = plan.features.map(({ name }) => name).join(" + ");
				if (process.env.WAYMARK_MIGRATE_VERBOSE !== undefined && result === "refused") {
					context.diagnostic(`${names}: ${detail}`);
				}
				if (result === "loss") {
					const lost = named.map(({ name }) => name).join(", ");
					losses.push(`${plan.base}: ${names} (named: ${lost})\n${detail}`);
				}
			}
			context.diagnostic([...counts].map(([result, number]) => `${number} ${result}`).join(", "));
			assert.deepEqual(losses, []);
		});
	}
}
