/**
 * Differential soak of the feed: random creations, updates and deletions of every kind that is served, while the network
 * is cut, frozen and stranded at random; at every pause the world must equal the API server's lists, byte for byte on
 * the fields that Waymark keeps. Ends with exit code 1 at the first difference.
 *
 * node test/e2e/soak.ts [--minutes 5] [--seed 1]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { kubeconfigCredentials } from "../../src/kube/client/credentials.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { changingObjects, dice } from "./changing-objects.ts";
import { startControlPlane } from "./control-plane.ts";
import { followPlane } from "./live-world.ts";

const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "5" },
		seed: { type: "string", default: String(Date.now() % 1e6) },
	},
});

const spaces = ["red", "green", "blue"];

const seed = Number(values.seed);
const roll = dice(seed);
const pick = <T>(list: readonly T[]): T => list[Math.floor(roll(list.length))] as T;

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const proxy = await startTcpProxy(plane.connection.ports.apiServer);
stack.defer(() => proxy.stop());
const credentials = await kubeconfigCredentials(plane.kubeconfig);
const live = followPlane(
	plane,
	{ ...credentials, server: new URL(`https://127.0.0.1:${proxy.port}`) },
	{ limits: { idleMs: 4000, initialIdleMs: 4000 } },
);
stack.defer(() => live.stop());
await live.feed.synced;
for (const name of spaces) {
	await plane.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
}

/** One write; a name is used again and again, so that updates and deletions meet objects. */
async function write(): Promise<void> {
	const namespace = pick(spaces);
	const made = pick(changingObjects)(`object-${Math.floor(roll(12))}`, Math.floor(roll(60_000)));
	const isSpace = made.kind === "Namespace";
	const object = isSpace ? made : { ...made, metadata: { ...made.metadata, namespace } };
	const kind = made.apiVersion.includes("/") ? `${made.kind}.${made.apiVersion.split("/")[0]}` : made.kind;
	if (roll(1) < 0.3 && !isSpace) {
		await plane.api.delete(kind, namespace, made.metadata.name ?? "");
	} else {
		await plane.api.apply(object);
	}
}

function harm(): void {
	const chance = roll(1);
	if (chance < 0.05) {
		proxy.cut();
	} else if (chance < 0.06) {
		proxy.strand();
	} else if (chance < 0.08) {
		proxy.freeze();
		setTimeout(() => proxy.thaw(), roll(2000));
	}
}

const end = Date.now() + Number(values.minutes) * 60_000;
let writes = 0;
let pauses = 0;
let worst = 0;
while (Date.now() < end) {
	const burst = 20 + Math.floor(roll(80));
	for (let i = 0; i < burst; i++) {
		await write();
		writes++;
		harm();
	}
	proxy.thaw();
	// A stranded watch is found by the watchdog; the limit of two seconds begins after its time.
	const took = await live.untilFresh(4000 + 2000);
	worst = Math.max(worst, took);
	pauses++;
	await sleep(roll(200));
}
const restarts = Map.groupBy(live.restarts, (restart) => restart.split(" ")[1]);
console.log(
	`seed ${seed}: ${writes} writes, ${pauses} pauses, no difference, fresh ${Math.round(worst)} ms after a pause at worst`,
);
console.log([...restarts].map(([reason, all]) => `${reason} ${all.length}`).join(", "));
