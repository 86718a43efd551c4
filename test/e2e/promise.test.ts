import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sample } from "fast-check";
import { parseAddressRange, rangeContains } from "../../src/core/address-range.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
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
	namespacesOf,
	nextSecond,
	rounds,
	worldPlan,
} from "./generated-worlds.ts";
import { laterWrites, standingObjects, writeLater, writtenThings } from "./later-writes.ts";
import type { AmbientService, AmbientWorkload } from "./oracles.ts";
import { readCondition } from "./oracles.ts";
import { registerWebhooks } from "./webhooks.ts";

const seeds = [404, 505, 606];
const batches = 2;
const batchSize = 60;
/** How many batches of a seed are changed afterwards; `WAYMARK_PROMISE=long` changes all. */
const changedBatches = process.env.WAYMARK_PROMISE === "long" ? batches : 1;
/** Fewer admitted entries than this would prove nothing; a fifth of all has a spelling that is warned of. */
const leastAdmitted = 30;
/** Of those, whose world nobody was warned of changing afterwards. */
const leastKept = 10;

// The whole way: the API server asks a webhook that follows it, and istiod has the last word.
const stack = new AsyncDisposableStack();
let plane: OwnControlPlane;
let server: ServeProcess;
before(async () => {
	plane = await startControlPlane();
	stack.defer(() => plane.stop());
	const cwd = await mkdtemp(join(tmpdir(), "waymark-promise-"));
	stack.defer(() => rm(cwd, { recursive: true }));
	const owner = { after: (stop: () => Promise<unknown>) => stack.defer(async () => void (await stop())) };
	server = await startServe(owner, ["--kubeconfig", plane.kubeconfig], { cwd });
});
after(() => stack.disposeAsync());
/** How often each rule denied or warned. */
const reasons = new Map<string, number>();
/** How often each kind was written beside the entries, and how it was answered. */
const things = new Map<string, number>();

function countThing(text: string): void {
	things.set(text, (things.get(text) ?? 0) + 1);
}

/** The waypoint that the policy of a world names. */
function policyWaypoint({ prefix, plan }: NamedWorld): string {
	const [waypoint] = plan.waypoints;
	return `${prefix}-${waypoint?.spot}/${waypoint?.name}`;
}

/** Counts the rules that a denial or a warning names. */
function countReasons(texts: readonly string[]): void {
	for (const rule of new Set(texts.join("\n").match(/\bserviceentry-[a-z-]+/g))) {
		reasons.set(rule, (reasons.get(rule) ?? 0) + 1);
	}
}

for (const seed of seeds) {
	test(`an entry that is admitted without a warning is captured, and stays so until somebody is warned: ${batches * batchSize} worlds, seed ${seed}`, async () => {
		const count = {
			written: 0,
			denied: 0,
			warned: 0,
			promised: 0,
			later: 0,
			laterDenied: 0,
			laterSilent: 0,
			laterWarned: 0,
			kept: 0,
		};
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
			await writeStanding(worlds, seed * 1000 + batch);
			const unregister = await registerWebhooks(plane, {
				url: server.url,
				ca: await readFile(server.caFile, "utf8"),
				mutateFailurePolicy: "Fail",
				namespaces: worlds.flatMap(namespacesOf),
			});
			const promised = await writeEntries(worlds, count);
			await plane.istiod.settle();
			const waypoints = new Map(worlds.map((world) => [world.prefix, policyWaypoint(world)]));
			broken.push(...(await unkeptOf(promised, waypoints)).map(([text]) => text));
			const isChanged = batch < changedBatches;
			const histories = isChanged
				? await changeWorlds(worlds, seed * 1000 + batch, count)
				: new Map<string, readonly string[]>();
			await unregister();
			await plane.istiod.settle();
			const kept = promised.filter(({ metadata }) => histories.has(worldOf(metadata.namespace)));
			count.kept += kept.length;
			for (const [text, { metadata }] of await unkeptOf(kept, waypoints)) {
				broken.push([text, ...(histories.get(worldOf(metadata.namespace)) ?? [])].join("\n\t"));
			}
			await deleteWorlds(plane, worlds);
		}
		console.log(
			`seed ${seed}: ${JSON.stringify({ ...count, ...Object.fromEntries([...reasons, ...things]) })}`,
		);
		assert.deepEqual(broken, []);
		assert.ok(count.promised >= leastAdmitted, "too few entries were admitted without a warning");
		assert.ok(count.kept >= leastKept, "too few worlds were changed without a warning");
		assert.ok(count.laterSilent > 0 && count.laterDenied > 0, "the later writes prove nothing");
	});
}

/** Writes what stands before anybody judges. */
async function writeStanding(worlds: readonly NamedWorld[], seed: number): Promise<void> {
	const plans = sample(standingObjects, { seed, numRuns: worlds.length });
	await inParallel(
		worlds.map((world, index) => ({ world, writes: plans[index] ?? [] })),
		async ({ world, writes }) => {
			for (const write of writes) {
				const { isAdmitted, text } = await writeLater(plane, world, write);
				assert.ok(isAdmitted, text);
				countThing(`${write.what} standing`);
			}
		},
	);
}

async function writeEntries(
	worlds: readonly NamedWorld[],
	count: { written: number; denied: number; warned: number; promised: number },
): Promise<readonly KubeObject[]> {
	const promised: KubeObject[] = [];
	for (let round = 0; round < rounds; round++) {
		await inParallel(worlds, async (world) => {
			const entry = entryOf(world, round);
			if (entry === undefined || (entry.spec as { readonly hosts: readonly string[] }).hosts.length === 0) {
				return;
			}
			count.written++;
			const path = await plane.api.collectionPath("ServiceEntry", entry.metadata.namespace);
			const { status, body, warnings } = await plane.api.request("POST", path, { body: entry });
			if (status !== 201) {
				const { message = "" } = body as { readonly message?: string };
				assert.match(message, /denied the request|is invalid/);
				count.denied++;
				countReasons([message]);
				return;
			}
			const { location } = entry.spec as { readonly location?: string };
			if (warnings.length > 0 || location === "MESH_INTERNAL") {
				count.warned++;
				countReasons(warnings);
			} else {
				count.promised++;
				promised.push(body as KubeObject);
			}
		});
		await nextSecond();
	}
	return promised;
}

function worldOf(namespace = ""): string {
	return namespace.replace(/-[abw]$/, "");
}

/** Writes what comes later in each world, and returns the steps of those in which nobody was warned of anything. */
async function changeWorlds(
	worlds: readonly NamedWorld[],
	seed: number,
	count: { later: number; laterDenied: number; laterSilent: number; laterWarned: number },
): Promise<ReadonlyMap<string, readonly string[]>> {
	const plans = sample(laterWrites, { seed, numRuns: worlds.length });
	const histories = new Map<string, string[]>(worlds.map(({ prefix }) => [prefix, []]));
	const most = Math.max(...plans.map((plan) => plan.length));
	for (let round = 0; round < most; round++) {
		await inParallel(
			worlds.map((world, index) => ({ world, write: plans[index]?.[round] })),
			async ({ world, write }) => {
				if (write === undefined) {
					return;
				}
				const { isAdmitted, warnings, text } = await writeLater(plane, world, write);
				countThing(`${write.what} ${isAdmitted ? (warnings.length > 0 ? "warned" : "silent") : "refused"}`);
				count.later++;
				count.laterDenied += text.includes("denied the request") ? 1 : 0;
				count.laterSilent += isAdmitted && warnings.length === 0 ? 1 : 0;
				if (isAdmitted && warnings.length > 0) {
					count.laterWarned++;
					histories.delete(world.prefix);
				}
				histories.get(world.prefix)?.push(text);
			},
		);
		await sleep(150);
	}
	return histories;
}

/** What istiod sends at one moment. */
interface Sight {
	readonly services: readonly AmbientService[];
	readonly workloads: readonly AmbientWorkload[];
}

/** The promises that istiod does not keep. */
async function unkeptOf(
	promised: readonly KubeObject[],
	waypoints: ReadonlyMap<string, string>,
): Promise<readonly (readonly [text: string, entry: KubeObject])[]> {
	for (let tries = 0; ; tries++) {
		const sight = {
			services: await plane.istiod.ambientz(),
			workloads: await plane.istiod.ambientWorkloads(),
		};
		const broken: (readonly [string, KubeObject])[] = [];
		for (const object of promised) {
			const { namespace = "", name = "", labels = {} } = object.metadata;
			const stored = await plane.get("ServiceEntry", namespace, name);
			const bound = stored === undefined ? "gone" : readCondition(stored).status;
			const waypoint = waypoints.get(worldOf(namespace)) ?? "";
			const { hosts } = object.spec as { readonly hosts: readonly string[] };
			for (const host of hosts) {
				const fault = bound === "True" ? faultOf(object, host, waypoint, sight) : `bound ${bound}`;
				if (fault !== undefined) {
					broken.push([`${host} of ${JSON.stringify(object)}: ${fault}, ${JSON.stringify(labels)}`, object]);
				}
			}
		}
		if (broken.length === 0 || tries === 5) {
			return broken;
		}
		await nextSecond();
	}
}

/** Why connections to a host of a bound entry are not, or not all, taken by the policy's waypoint. */
function faultOf(
	{ metadata: { namespace, name } }: KubeObject,
	host: string,
	waypoint: string,
	{ services, workloads }: Sight,
): string | undefined {
	const service = services.find(
		(each) => each.namespace === namespace && each.name === name && each.hostname === host,
	);
	if (service === undefined || service.addresses.length === 0) {
		return `no address: ${JSON.stringify(service)}`;
	}
	if (
		service.waypoint !== waypoint ||
		(service.canary !== null && !service.canary.startsWith(`${waypoint} `))
	) {
		return `not through ${waypoint} alone: ${JSON.stringify(service)}`;
	}
	// A waypoint has one service of a name: of two namespaces, one's connections are closed.
	const rival = services.find(
		(each) => each.hostname === host && each.namespace !== namespace && each.waypoint === waypoint,
	);
	if (rival !== undefined) {
		return `beside ${rival.namespace}/${rival.name} at the same waypoint`;
	}
	// ztunnel asks for a workload of that address first (state.rs: find_address).
	const workload = workloads.find(
		(each) =>
			!each.hasWaypoint &&
			each.addresses.some((address) => service.addresses.some((own) => isWithin(address, own))),
	);
	return workload === undefined
		? undefined
		: `past the waypoint, to workload ${workload.namespace}/${workload.name}`;
}

function isWithin(address: string, listed: string): boolean {
	const [outer, inner] = [parseAddressRange(listed), parseAddressRange(address)];
	return outer !== undefined && inner !== undefined && rangeContains(outer, inner);
}

test("the worlds have routes, WorkloadEntries, aliases, canaries, rivals, and changes of waypoints and Namespaces", () => {
	const counted = [...things.keys()];
	for (const what of writtenThings) {
		assert.ok(
			counted.some((each) => each.startsWith(`${what} `)),
			`nobody wrote a ${what}: ${counted.join(", ")}`,
		);
	}
	for (const what of ["route", "WorkloadEntry", "ExternalName Service"]) {
		assert.ok(counted.includes(`${what} standing`), `no ${what} stood before: ${counted.join(", ")}`);
	}
});
