import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { schemaTable } from "../../src/manifests/schema.ts";
import { compareValidity, startWithEveryField } from "./validity-parity.ts";

// One of its own: it has the fields of the Gateway API's experimental channel.
const plane = await startWithEveryField();
after(() => plane.stop());

// The gate asks the same each time; `node test/e2e/validity-parity.ts 3384 SEED RUNS` looks for more.
const seed = Number(process.env.WAYMARK_SEED ?? 480_769);

describe("waymark lint and the API server", () => {
	it(`agree on which of 1,500 objects of every kind are refused, seed ${seed}`, async () => {
		const { disagreements, taken, refused, kinds } = await compareValidity(plane, seed, 1500);
		assert.deepEqual(disagreements.slice(0, 5), [], `${disagreements.length} disagreements`);
		assert.equal(kinds.size, Object.keys(schemaTable().kinds).length);
		assert.ok(Math.min(taken, refused) > 300, `the generator leaves out a kind of answer: ${taken} taken`);
	});
});
