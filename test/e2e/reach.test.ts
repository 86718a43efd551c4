import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { compareWorlds, reachNamespaces, reachPlans } from "./reach-worlds.ts";
import { useControlPlane } from "./shared.ts";
import { deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const count = 8;

describe("reach, with a real istiod", () => {
	after(() => deleteNamespaces(plane, ...reachNamespaces(count)));

	test("the waypoint refuses exactly the identities, hosts and ports that policies forbid, after a rename too", async () => {
		const result = await compareWorlds(plane, reachPlans(7, count), 0);
		assert.deepEqual(result.differences, []);
		assert.ok(result.pairs > 1000 && result.refused > 100 && result.policies > 5, JSON.stringify(result));
	});
});
