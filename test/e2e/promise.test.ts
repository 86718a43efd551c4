import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sample } from "fast-check";
import type { Verdict } from "../../src/core/evaluate.ts";
import { createEngine, evaluate } from "../../src/core/evaluate.ts";
import type { ClusterState } from "../../src/core/inventory.ts";
import { applyEdits } from "../../src/core/patch.ts";
import { rules } from "../../src/rules/table.ts";
import type { KubeObject } from "./api.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import type { NamedWorld } from "./generated-worlds.ts";
import {
	calmed,
	createSurroundings,
	deleteWorlds,
	entryOf,
	inParallel,
	nextSecond,
	rounds,
	worldPlan,
} from "./generated-worlds.ts";
import { readCondition } from "./oracles.ts";
import { readWorld } from "./read-world.ts";

const seeds = [404, 505, 606];
const batches = 2;
const batchSize = 60;
/** Fewer admitted entries than this would prove nothing. */
const leastAdmitted = 60;

let plane: OwnControlPlane;
before(async () => {
	plane = await startControlPlane();
});
after(async () => {
	await plane.stop();
});
const engine = createEngine(rules);
/** How often each rule denied or warned. */
const reasons = new Map<string, number>();

/** The waypoint that the policy of a world names. */
function policyWaypoint({ prefix, plan }: NamedWorld): string {
	const [waypoint] = plan.waypoints;
	return `${prefix}-${waypoint?.spot}/${waypoint?.name}`;
}

/** What becomes of an entry that is created: /mutate, then /validate, on the world as it is. */
function admit(
	object: KubeObject,
	state: ClusterState,
): { readonly object: KubeObject; readonly verdict: Verdict } {
	const subject = {
		kind: "ServiceEntry" as const,
		namespace: object.metadata.namespace ?? "",
		name: object.metadata.name,
		today: "2026-01-01",
	};
	const { fixes } = evaluate(engine, state, { ...subject, object });
	const mended = applyEdits(object, fixes);
	const verdict = evaluate(engine, state, { ...subject, object: mended });
	assert.deepEqual(verdict.faults, []);
	return { object: mended, verdict };
}

for (const seed of seeds) {
	test(`an entry that is admitted without a warning is captured: ${batches * batchSize} worlds, seed ${seed}`, async () => {
		const count = { written: 0, denied: 0, warned: 0, promised: 0 };
		const broken: string[] = [];
		for (let batch = 0; batch < batches; batch++) {
			const worlds = sample(worldPlan, { seed: seed * 1000 + batch, numRuns: batchSize }).map(
				(plan, index) => ({
					prefix: `p${seed}-${batch}-${index}`,
					// Some worlds stay wild: what they break must not be promised.
					plan: index % 4 === 0 ? plan : calmed(plan),
				}),
			);
			await createSurroundings(plane, worlds, (world) => ({
				"egress.waymark.dev/waypoint": policyWaypoint(world),
			}));
			const promised = await writeEntries(worlds, count);
			await plane.istiod.settle();
			broken.push(...(await unkept(promised)));
			await deleteWorlds(plane, worlds);
		}
		console.log(`seed ${seed}: ${JSON.stringify({ ...count, ...Object.fromEntries(reasons) })}`);
		assert.deepEqual(broken, []);
		assert.ok(count.promised >= leastAdmitted, "too few entries were admitted without a warning");
	});
}

async function writeEntries(
	worlds: readonly NamedWorld[],
	count: { written: number; denied: number; warned: number; promised: number },
): Promise<readonly KubeObject[]> {
	const promised: KubeObject[] = [];
	for (let round = 0; round < rounds; round++) {
		const state = await readWorld(plane);
		await inParallel(worlds, async (world) => {
			const entry = entryOf(world, round);
			if (entry === undefined || (entry.spec as { readonly hosts: readonly string[] }).hosts.length === 0) {
				return;
			}
			count.written++;
			const { object, verdict } = admit(entry, state);
			if (verdict.decision === "deny") {
				count.denied++;
				for (const { rule } of verdict.denials) {
					reasons.set(rule, (reasons.get(rule) ?? 0) + 1);
				}
				return;
			}
			await plane.api.create(object);
			const { location } = object.spec as { readonly location?: string };
			if (verdict.warnings.length > 0 || location === "MESH_INTERNAL") {
				count.warned++;
				for (const { rule } of verdict.warnings) {
					reasons.set(rule, (reasons.get(rule) ?? 0) + 1);
				}
			} else {
				count.promised++;
				promised.push(object);
			}
		});
		await nextSecond();
	}
	return promised;
}

/** The promises that istiod does not keep: not bound, or a host without an address or without the waypoint. */
async function unkept(promised: readonly KubeObject[]): Promise<readonly string[]> {
	for (let tries = 0; ; tries++) {
		const services = await plane.istiod.ambientz();
		const broken: string[] = [];
		for (const object of promised) {
			const { namespace = "", name = "", labels = {} } = object.metadata;
			const stored = await plane.get("ServiceEntry", namespace, name);
			const bound = stored === undefined ? "gone" : readCondition(stored).status;
			const { hosts } = object.spec as { readonly hosts: readonly string[] };
			for (const host of hosts) {
				const service = services.find(
					(each) => each.namespace === namespace && each.name === name && each.hostname === host,
				);
				if (bound !== "True" || (service?.addresses.length ?? 0) === 0 || service?.waypoint == null) {
					broken.push(
						`${host} of ${JSON.stringify(object)}: bound ${bound}, ${JSON.stringify(service)}, ${JSON.stringify(labels)}`,
					);
				}
			}
		}
		if (broken.length === 0 || tries === 5) {
			return broken;
		}
		await nextSecond();
	}
}
