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
import type { KubeObject } from "./api.ts";
import { startControlPlane } from "./control-plane.ts";
import { followPlane } from "./live-world.ts";

const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "5" },
		seed: { type: "string", default: String(Date.now() % 1e6) },
	},
});

/** Numbers in [0, limit), the same for the same seed (mulberry32). */
function dice(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit;
	};
}

const istio = "networking.istio.io/v1";
const gatewayApi = "gateway.networking.k8s.io/v1";
const spaces = ["red", "green", "blue"];

function route(kind: string, name: string, value: number): KubeObject {
	const parentRefs = [{ group: "", kind: "Service", name: `service-${value}`, port: 443 }];
	const rules = [{ backendRefs: [{ name: "backend", port: 1 + value }] }];
	const hostnames = kind === "TLSRoute" ? { hostnames: [`h${value}.example.com`] } : {};
	return { apiVersion: gatewayApi, kind, metadata: { name }, spec: { parentRefs, rules, ...hostnames } };
}

function ofIstio(kind: string, name: string, spec: object): KubeObject {
	return { apiVersion: istio, kind, metadata: { name }, spec };
}

/** An object of each kind, which looks different for each value. */
const makers: readonly ((name: string, value: number) => KubeObject)[] = [
	(name, value) =>
		ofIstio("ServiceEntry", name, {
			hosts: [`h${value}.example.com`],
			ports: [{ number: 1 + value, name: "tls", protocol: "TLS" }],
			resolution: "DNS",
		}),
	(name, value) =>
		ofIstio("Gateway", name, {
			selector: { istio: `gateway-${value}` },
			servers: [{ hosts: ["*"], port: { number: 1 + value, name: "p", protocol: "HTTP" } }],
		}),
	(name, value) =>
		ofIstio("VirtualService", name, {
			hosts: [`h${value}.example.com`],
			http: [{ route: [{ destination: { host: `h${value}.example.com` } }] }],
		}),
	(name, value) => ofIstio("DestinationRule", name, { host: `h${value}.example.com` }),
	(name, value) => ofIstio("Sidecar", name, { egress: [{ hosts: [`./h${value}.example.com`] }] }),
	(name, value) => ({
		apiVersion: gatewayApi,
		kind: "Gateway",
		metadata: { name, annotations: { "istio.io/x": `${value}`, other: "dropped" } },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [{ name: "mesh", port: 1 + value, protocol: "HBONE" }],
		},
	}),
	(name, value) => route("HTTPRoute", name, value),
	(name, value) => route("GRPCRoute", name, value),
	(name, value) => route("TLSRoute", name, value),
	(name, value) => route("TCPRoute", name, value),
	(name, value) => ({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, labels: { value: `${value}` } },
		spec: { selector: { app: `a${value}` }, ports: [{ port: 80 }] },
	}),
	(_, value) => ({
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name: `space-${value % 20}`,
			annotations: { "egress.waymark.dev/allowed-ports": `${1 + value}` },
		},
	}),
];

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
	const made = pick(makers)(`object-${Math.floor(roll(12))}`, Math.floor(roll(60_000)));
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
