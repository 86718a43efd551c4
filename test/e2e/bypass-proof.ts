import { readFile } from "node:fs/promises";
import { runAttacks } from "./bypass.ts";
import { attackPlans } from "./bypass-worlds.ts";
import type { Connection } from "./control-plane.ts";
import { connect, startControlPlane } from "./control-plane.ts";

// `node test/e2e/bypass-proof.ts [WORLDS] [SEEDS]`: the long form of bypass.test.ts, 300 worlds × 3 seeds unless told; on
// the control plane of `keep.ts` where WAYMARK_CONTROL_PLANE names one.
const [worlds = 300, seeds = 3] = process.argv.slice(2).map(Number);
const batch = 50;
const kept = process.env.WAYMARK_CONTROL_PLANE;
const own = kept === undefined ? await startControlPlane() : undefined;
const plane = own ?? connect(JSON.parse(await readFile(kept ?? "", "utf8")) as Connection);
let silent = 0;
try {
	for (let seed = 1; seed <= seeds; seed++) {
		const plans = attackPlans(2000 + seed, worlds);
		for (let start = 0; start < worlds; start += batch) {
			const run = (): ReturnType<typeof runAttacks> =>
				runAttacks(plane, plans.slice(start, start + batch), start + seed * 1000);
			// A crowded machine answers too late now and then: the batch is written once more, from the start.
			const result = await run().catch((error: Error) => {
				console.log(`seed ${2000 + seed}, from ${start}, once more: ${error.message}`);
				return run();
			});
			silent += result.silent.length;
			for (const hit of result.silent) {
				console.error(`seed ${2000 + seed}: ${hit}`);
			}
			const { written, admitted, hits } = result;
			console.log(
				`seed ${2000 + seed}, from ${start}: ${JSON.stringify({ written, admitted, hits, silent })}`,
			);
		}
	}
} finally {
	await (own === undefined ? plane.close() : own.stop());
}
process.exitCode = silent === 0 ? 0 : 1;
