import { readFile } from "node:fs/promises";
import type { Connection } from "./control-plane.ts";
import { connect, startControlPlane } from "./control-plane.ts";
import { compareWorlds, reachPlans } from "./reach-worlds.ts";

// `node test/e2e/reach-proof.ts [WORLDS] [SEEDS]`: the long form of reach.test.ts, 200 worlds × 3 seeds unless told; on
// the control plane of `keep.ts` where WAYMARK_CONTROL_PLANE names one.
const [worlds = 200, seeds = 3] = process.argv.slice(2).map(Number);
const batch = 20;
const kept = process.env.WAYMARK_CONTROL_PLANE;
const own = kept === undefined ? await startControlPlane() : undefined;
const plane = own ?? connect(JSON.parse(await readFile(kept ?? "", "utf8")) as Connection);
let pairs = 0;
let refused = 0;
let policies = 0;
let differences = 0;
try {
	for (let seed = 1; seed <= seeds; seed++) {
		const plans = reachPlans(1000 + seed, worlds);
		for (let start = 0; start < worlds; start += batch) {
			const result = await compareWorlds(plane, plans.slice(start, start + batch), start + seed * 10_000);
			pairs += result.pairs;
			refused += result.refused;
			policies += result.policies;
			differences += result.differences.length;
			for (const difference of result.differences.slice(0, 20)) {
				console.error(`seed ${1000 + seed}: ${difference}`);
			}
		}
		console.log(
			`seed ${seed} of ${seeds}: ${pairs} pairs, ${refused} refused, ${policies} policies, ${differences} differences`,
		);
	}
} finally {
	await (own === undefined ? plane.close() : own.stop());
}
process.exitCode = differences === 0 ? 0 : 1;
