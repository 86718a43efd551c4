/**
 * Waymark is stopped while writes go on: nothing may be stored unbound or against the policies, and nothing be refused
 * that should pass. Then it is started, and every write and every stored entry is judged again.
 *
 * node test/e2e/backstop-outage.ts [SECONDS] [WRITES A SECOND]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { KubernetesGateway, Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { rules } from "../../src/rules/table.ts";
import type { ApiAnswer, KubeObject } from "./api.ts";
import { messageOf } from "./backstop-parity.ts";
import { startControlPlane } from "./control-plane.ts";
import { startServeReplicas } from "./serve-replicas.ts";
import { createNamespace, createWaypointByHand, serviceEntry, useWaypoint } from "./world.ts";

const seconds = Number(process.argv[2] ?? 600);
const rate = Number(process.argv[3] ?? 50);
const team = "outage-team";
const shared = "outage-egress";
const bound = useWaypoint("egress", shared);

interface Write {
	readonly name: string;
	readonly method: "POST" | "PUT";
	readonly object: KubeObject;
	/** The rules of which one refuses it, by chance; absent: it is stored, bound to the waypoint. */
	readonly refusedFor?: readonly string[];
}

const collections: Readonly<Record<string, string>> = {
	ServiceEntry: `/apis/networking.istio.io/v1/namespaces/${team}/serviceentries`,
	Gateway: `/apis/networking.istio.io/v1/namespaces/${team}/gateways`,
};

const entry = (name: string, host: string, labels: object = {}, spec: object = {}): KubeObject => {
	const made = serviceEntry(team, name, host, { labels: labels as Readonly<Record<string, string>> });
	return { ...made, spec: { ...(made.spec as object), ...spec } };
};

/** The writes in turn; those that change an entry change the one that was written some turns before. */
function writeOf(turn: number): Write {
	const name = `entry-${turn}`;
	const host = `api-${turn}.example.com`;
	const before = `entry-${turn - 12}`;
	const post = (object: KubeObject, ...refusedFor: readonly string[]): Write => ({
		name,
		method: "POST",
		object,
		...(refusedFor.length === 0 ? {} : { refusedFor }),
	});
	const put = (object: KubeObject, ...refusedFor: readonly string[]): Write => ({
		...post(object, ...refusedFor),
		name: before,
		method: "PUT",
	});
	const old = `api-${turn - 12}.example.com`;
	const kinds: readonly (() => Write)[] = [
		() => post(entry(name, host)),
		() => post(entry(name, host, bound)),
		() => post(entry(name, host, { app: "payments" })),
		() => post(entry(name, `api-${turn}.example.org`), "serviceentry-policy-host"),
		() => post(entry(name, host, { "istio.io/use-waypoint": "none" }), "serviceentry-waypoint-opt-out"),
		() =>
			post(
				entry(name, host, useWaypoint("other", shared)),
				"serviceentry-waypoint-choice",
				"serviceentry-waypoint-existence",
			),
		() =>
			post(
				entry(name, host, {}, { ports: [{ number: 53, name: "dns", protocol: "UDP" }] }),
				"serviceentry-port-udp",
			),
		() =>
			post(
				{
					apiVersion: "networking.istio.io/v1",
					kind: "Gateway",
					metadata: { name, namespace: team },
					spec: {
						selector: { istio: "egressgateway" },
						servers: [{ port: { number: 443, name: "tls", protocol: "TLS" }, hosts: [host] }],
					},
				},
				"istiogateway-egress-selector",
			),
		() => post(entry(name, host, bound, { resolution: "NONE" }), "serviceentry-host-address"),
		// Written twelve turns ago: by the kinds 10, 11 and 0 of the list, then 1.
		() => post(entry(name, host)),
		() => post(entry(name, host)),
		() => post(entry(name, host)),
	];
	const changes: Readonly<Record<number, () => Write>> = {
		9: () => put(entry(before, old, bound, { hosts: [old, host] })),
		10: () => put(entry(before, old)),
		11: () =>
			put(entry(before, old, bound, { hosts: [old, "evil.example.org"] }), "serviceentry-policy-host"),
	};
	const kind = turn % kinds.length;
	const change = turn >= 24 && Math.floor(turn / 12) % 2 === 1 ? changes[kind] : undefined;
	return (change ?? kinds[kind] ?? (() => post(entry(name, host))))();
}

interface Tally {
	stored: number;
	refused: number;
	wrong: string[];
	slowestMs: number;
}

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const installed = await startServeReplicas(plane, plane.processes, {
	count: 1,
	values: ["backstop.mode=full", "istio.readConfig=false"],
	args: ["--backstop=full"],
});
stack.defer(() => installed.stop());
const [replica] = installed.replicas;
await createNamespace(plane, shared);
await createWaypointByHand(plane, shared, "egress", { from: { from: "All" } });
await createNamespace(plane, team, {
	labels: { "istio.io/dataplane-mode": "ambient" },
	annotations: {
		"egress.waymark.dev/waypoint": `${shared}/egress`,
		"egress.waymark.dev/allowed-hosts": "*.example.com",
	},
});
await untilInForce();

await replica?.stop();
const tally: Tally = { stored: 0, refused: 0, wrong: [], slowestMs: 0 };
const begun = performance.now();
const under = new Set<Promise<void>>();
let count = 0;
// A machine that does not bear the rate gets fewer: what it came to is printed.
for (; performance.now() - begun < seconds * 1000; count++) {
	const turn = count;
	const due = begun + (turn * 1000) / rate;
	if (performance.now() < due) {
		await sleep(due - performance.now());
	}
	while (under.size >= 8) {
		await Promise.race(under);
	}
	const doing = attempt(writeOf(turn), tally).finally(() => under.delete(doing));
	under.add(doing);
	if (turn % 3000 === 2999) {
		await Promise.all(under);
		await removeOld(turn - 600);
		console.log(
			`${turn + 1} writes, ${tally.stored} stored, ${tally.refused} refused, ${tally.wrong.length} wrong`,
		);
	}
}
await Promise.all(under);
const tookS = (performance.now() - begun) / 1000;
console.log({
	writes: count,
	seconds: Math.round(tookS),
	aSecond: Math.round(count / tookS),
	stored: tally.stored,
	refused: tally.refused,
	wrong: tally.wrong.length,
	slowestMs: Math.round(tally.slowestMs),
});
const stored = await plane.api.list("ServiceEntry", team);
const against = stored.filter((object) => !isRight(object));
console.log({ entriesAtTheEnd: stored.length, unboundOrAgainstThePolicy: against.length });

await replica?.start();
const again = await judgeAgain(stored);
console.log({ judgedAgainWithWaymark: again.judged, differences: again.differences.length });
for (const wrong of [...tally.wrong, ...again.differences].slice(0, 10)) {
	console.log(wrong);
}
process.exitCode = tally.wrong.length + against.length + again.differences.length > 0 ? 1 : 0;

async function untilInForce(): Promise<void> {
	for (let tries = 0; tries < 300; tries++) {
		const answers = await Promise.all([1, 3, 7, 8].map((turn) => send(writeOf(turn), true)));
		if (answers.map(({ status }) => status).join() === "201,403,403,403") {
			return;
		}
		await sleep(100);
	}
	throw new Error("Cannot see that the policies are in force");
}

async function send({ method, object }: Write, dryRun: boolean): Promise<ApiAnswer> {
	const collection = collections[object.kind] ?? "";
	const path = method === "POST" ? collection : `${collection}/${object.metadata.name}`;
	// A change waits for what it changes, written twelve turns before.
	let live = method === "POST" ? undefined : await plane.api.request("GET", path);
	for (let tries = 0; live?.status === 404 && tries < 100; tries++) {
		await sleep(50);
		live = await plane.api.request("GET", path);
	}
	const version = (live?.body as KubeObject | undefined)?.metadata.resourceVersion;
	return await plane.api.request(method, `${path}${dryRun ? "?dryRun=All" : ""}`, {
		body:
			version === undefined
				? object
				: { ...object, metadata: { ...object.metadata, resourceVersion: version } },
	});
}

async function attempt(write: Write, into: Tally): Promise<void> {
	const start = performance.now();
	const answer = await send(write, false);
	into.slowestMs = Math.max(into.slowestMs, performance.now() - start);
	const problem = mistakeIn(write, answer);
	if (problem !== undefined) {
		into.wrong.push(`${write.method} ${write.name}: ${problem}`);
	} else if (write.refusedFor === undefined) {
		into.stored++;
	} else {
		into.refused++;
	}
}

function mistakeIn({ refusedFor }: Write, answer: ApiAnswer): string | undefined {
	if (refusedFor !== undefined) {
		return answer.status === 403 && refusedFor.some((rule) => messageOf(answer).includes(rule))
			? undefined
			: `${answer.status} ${messageOf(answer)} instead of ${refusedFor.join(" or ")}`;
	}
	if (answer.status > 201) {
		return `${answer.status} ${messageOf(answer)}`;
	}
	return isRight(answer.body as KubeObject) ? undefined : "stored unbound";
}

function isRight({ metadata, spec }: KubeObject): boolean {
	const { hosts = [] } = spec as { readonly hosts?: readonly string[] };
	return (
		Object.entries(bound).every(([key, value]) => metadata.labels?.[key] === value) &&
		hosts.every((host) => host.endsWith(".example.com"))
	);
}

async function removeOld(before: number): Promise<void> {
	const old = (await plane.api.list("ServiceEntry", team)).filter(
		({ metadata }) => Number(metadata.name?.split("-")[1]) < before,
	);
	for (const { metadata } of old) {
		await plane.api.request("DELETE", `${collections.ServiceEntry}/${metadata.name}`);
	}
}

/** What was stored by every rule, and each kind of write once more through the webhooks. */
async function judgeAgain(
	entries: readonly KubeObject[],
): Promise<{ readonly judged: number; readonly differences: readonly string[] }> {
	const world = new ClusterState(defaultSettings);
	for (const name of [team, shared]) {
		world.set("Namespace", (await plane.api.get("Namespace", undefined, name)) as Namespace);
	}
	const gateway = await plane.api.get("Gateway.gateway.networking.k8s.io", shared, "egress");
	world.set("KubernetesGateway", gateway as unknown as KubernetesGateway);
	for (const each of entries) {
		world.set("ServiceEntry", each as unknown as ServiceEntry);
	}
	const engine = createEngine(rules);
	const differences: string[] = [];
	for (const each of entries) {
		const { denials } = evaluate(engine, world, {
			kind: "ServiceEntry",
			namespace: team,
			name: each.metadata.name,
			object: each,
			today: new Date().toISOString().slice(0, 10),
		});
		if (denials.length > 0) {
			differences.push(`${each.metadata.name}: ${denials.map(({ rule }) => rule).join(", ")}`);
		}
	}
	const first = 1_000_000;
	for (let turn = first; turn < first + 120; turn++) {
		const write = writeOf(turn);
		if (write.method === "POST") {
			const problem = mistakeIn(write, await send(write, true));
			if (problem !== undefined) {
				differences.push(`again, ${write.name}: ${problem}`);
			}
		}
	}
	return { judged: entries.length + 120, differences };
}
