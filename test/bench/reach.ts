import { parseArgs } from "node:util";
import type { ServiceEntry } from "../../src/core/kinds.ts";
import { generatePolicies } from "../../src/export/authorization-policies.ts";
import { inventoryJson } from "../../src/inventory/formats.ts";
import { tabulate } from "../../src/inventory/rows.ts";
import { countOf } from "../../src/reach/bits.ts";
import { readReach } from "../../src/reach/reach.ts";
import { entry, namespace, waypoint, worldWith } from "../reach/worlds.ts";

// `node --expose-gc test/bench/reach.ts [--namespaces N] [--entries N] [--policies N]`: who may and who can reach what
// in a large cluster, the AuthorizationPolicies that make it so, and the inventory after that.
const { values } = parseArgs({
	options: {
		namespaces: { type: "string", default: "5000" },
		entries: { type: "string", default: "10000" },
		policies: { type: "string", default: "200" },
	},
});
const [namespaces, entries, kinds] = [values.namespaces, values.entries, values.policies].map(Number) as [
	number,
	number,
	number,
];
const today = "2026-11-26";

/** Policies are unequal in ten hosts each of a hundred domains; every fifth namespace has none. */
function annotationsOf(place: number): Readonly<Record<string, string>> {
	const kind = place % kinds;
	return place % 5 === 0
		? {}
		: {
				"allowed-hosts": Array.from(
					{ length: 10 },
					(_, item) => `*.d${(kind * 7 + item * 13) % 100}.example`,
				).join(", "),
				...(kind % 3 === 0 ? { "denied-hosts": `h${kind}.d${(kind * 7) % 100}.example` } : {}),
				...(kind % 4 === 0 ? { "allowed-ports": "443/TLS" } : {}),
			};
}

function entryAt(place: number): ServiceEntry {
	return entry(`n${(place * 11) % namespaces}/e${place}`, `h${place}.d${place % 100}.example`, {
		ports: [
			{ number: 443, name: "tls", protocol: "TLS" },
			...(place % 2 === 0 ? [{ number: 80, name: "http", protocol: "HTTP" }] : []),
		],
	});
}

const gc = (globalThis as { readonly gc?: () => void }).gc;

function memory(): number {
	gc?.();
	return Math.round(process.memoryUsage().rss / 2 ** 20);
}

function timed<T>(what: string, work: () => T): T {
	const start = performance.now();
	const answer = work();
	console.log(
		`${what.padEnd(56)} ${((performance.now() - start) / 1000).toFixed(2).padStart(6)} s  ${memory()} MiB`,
	);
	return answer;
}

const world = timed(`the world: ${namespaces} namespaces, ${entries} entries`, () => {
	const state = worldWith([waypoint]);
	for (let place = 0; place < namespaces; place++) {
		state.set("Namespace", namespace(`n${place}`, annotationsOf(place)));
	}
	for (let place = 0; place < entries; place++) {
		state.set("ServiceEntry", entryAt(place));
	}
	return state;
});
const reach = timed("reach, nothing enforced", () => readReach(world, today));
const generated = timed("AuthorizationPolicies", () => generatePolicies(reach, world, today));
const sizes = generated.policies.map((policy) => JSON.stringify(policy).length);
console.log(
	`  ${generated.policies.length} policies, ${Math.round(Math.max(...sizes) / 1024)} KiB the largest, ${Math.round(sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20)} MiB together`,
);
for (const policy of generated.policies) {
	world.set("AuthorizationPolicy", policy);
}
const closed = timed("reach, with them", () => readReach(world, today));
const gaps = closed.outlets.reduce((sum, { gap }) => sum + countOf(gap), 0);
const table = timed("inventory", () => tabulate(closed, world, today, null));
const bytes = timed("inventory as JSON, compact", () => {
	let length = 0;
	for (const piece of inventoryJson(table, "compact")) {
		length += piece.length;
	}
	return length;
});
console.log(`  ${table.rows.length} rows, ${Math.round(bytes / 2 ** 20)} MiB, ${gaps} gaps left`);
