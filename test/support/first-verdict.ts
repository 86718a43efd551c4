// Prints the CPU time, in milliseconds, of the first verdict on the largest entry; with `warm`, after a warm-up.
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { warmUp } from "../../src/serve/warm-up.ts";
import { largestEntry } from "./largest-entry.ts";
import { subjectOf, world } from "./rule-example.ts";

const engine = createEngine(rules);
const state = world([teamNamespace, egressNamespace, egressWaypoint]);
if (process.argv[2] === "warm") {
	warmUp(engine);
}
const start = process.cpuUsage();
evaluate(engine, state, subjectOf(largestEntry));
const { user, system } = process.cpuUsage(start);
console.log((user + system) / 1_000);
