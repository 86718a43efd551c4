// The CPU time that `evaluate` takes for usual entries, this checkout against another, in turns in one process:
//   node test/bench/evaluate.ts BEFORE
import { join } from "node:path";
import type { ServiceEntry } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../src/rules/examples.ts";
import { subjectOf } from "../support/rule-example.ts";
import { loadTree } from "./tree.ts";

const [before] = process.argv.slice(2);
if (before === undefined) {
	throw new Error("Cannot measure: name the other checkout, as in node test/bench/evaluate.ts BEFORE");
}
const trees = [await loadTree(before), await loadTree(join(import.meta.dirname, "../.."))] as const;
const limited = withAnnotations(teamNamespace, {
	"egress.waymark.dev/waypoint": "istio-egress/egress",
	"egress.waymark.dev/allowed-hosts": "*.example.com, api.github.com",
	"egress.waymark.dev/allowed-ports": "80/HTTP, 443/TLS",
});
const wrapped = [
	{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 },
	{ number: 443, name: "tls", protocol: "TLS" },
];
const entries: readonly (readonly [string, ServiceEntry, typeof teamNamespace])[] = [
	["plain", boundEntry, teamNamespace],
	["plain, limits", boundEntry, limited],
	["not bound yet", plainEntry, teamNamespace],
	["exportTo", withSpec(boundEntry, { exportTo: ["."] }), teamNamespace],
	["addresses", withSpec(boundEntry, { addresses: ["203.0.113.7"] }), teamNamespace],
	["HTTP 80 to 443", withSpec(boundEntry, { ports: wrapped }), teamNamespace],
	["wildcard", withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "DYNAMIC_DNS" }), teamNamespace],
];
const rounds = 40;
const times = 10_000;
let sink = 0;

function median(values: readonly number[]): number {
	return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

for (const [name, entry, namespace] of entries) {
	const subject = subjectOf(entry);
	const runs = trees.map((tree) => {
		const engine = tree.createEngine(tree.rules);
		const state = tree.world({ objects: [namespace, egressNamespace, egressWaypoint] });
		return () => {
			const start = process.cpuUsage();
			for (let index = 0; index < times; index++) {
				sink += tree.evaluate(engine, state, subject).findings.length;
			}
			const { user, system } = process.cpuUsage(start);
			return (user + system) / times;
		};
	});
	const taken: number[][] = [[], []];
	for (let round = 0; round < rounds; round++) {
		for (const [index, run] of runs.entries()) {
			taken[index]?.push(run());
		}
	}
	// The first half warms up.
	const [one = Number.NaN, other = Number.NaN] = taken.map((each) => median(each.slice(rounds / 2)));
	console.log(
		`${name.padEnd(16)} before ${one.toFixed(2)} µs, now ${other.toFixed(2)} µs: ${(other / one).toFixed(2)} ×`,
	);
}
console.log(sink > 0 ? "" : "nothing was found");
