import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { leavesOf } from "../../src/migrate/fields.ts";
import { unaccounted } from "../../src/migrate/ledger.ts";
import { features, makeBundle, plansOf } from "../support/generated-bundles.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();

interface Json {
	readonly bundles: readonly {
		readonly ledger: readonly {
			readonly object: { readonly kind: string; readonly name: string };
			readonly path: string;
			readonly fate: string;
			readonly note: string;
		}[];
	}[];
	readonly withheld: readonly unknown[];
}

it("migrate accounts for every field of generated bundles, and its exit code says whether something is lost", async () => {
	for (const [index, { base, features: chosen }] of plansOf(7, features.length, features).entries()) {
		const bundle = makeBundle("way", base, chosen);
		const out = join(folder.path, String(index));
		const file = folder.write(`${index}.yaml`, bundle.text);
		const run = await runVerb("migrate", file, "--waypoint", "edge/out", "--out", out, "--output", "json");
		const what = `${base}: ${chosen.map(({ name }) => name).join(" + ")}`;
		assert.ok(run.code < 2, `${what}: ${run.error}`);
		const json = JSON.parse(run.out) as Json;
		const ledger = json.bundles.flatMap((each) => each.ledger);
		assert.deepEqual(
			ledger.filter(({ note }) => note === unaccounted).map(({ object, path }) => `${object.kind} ${path}`),
			[],
			what,
		);
		const keys = new Set(ledger.map(({ object }) => `${object.kind} ${object.name}`));
		const own = bundle.objects.filter(({ kind, metadata }) =>
			keys.has(`${kind} ${(metadata as { readonly name: string }).name}`),
		);
		const fields = own.flatMap((object) => [...leavesOf(object)]).length;
		assert.equal(
			new Set(ledger.map(({ object, path }) => `${object.kind}/${object.name} ${path}`)).size,
			fields,
			what,
		);
		const isLost = ledger.some(({ fate }) => fate === "not carried") || json.withheld.length > 0;
		assert.equal(run.code, isLost ? 1 : 0, what);
	}
});
