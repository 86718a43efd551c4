import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** A server behind a balancer. */
export interface Backend {
	readonly host: string;
	readonly port: number;
	/** Whether it wants new connections; asked again and again. To throw is not to know: it counts the second time. */
	isReady(): boolean | Promise<boolean>;
}

/** How a balancer on loopback behaves. */
export interface BalancerOptions {
	/** Asked before every round of probes, so that backends may come and go. */
	readonly backends: () => readonly Backend[];
	/** Any free one unless told. */
	readonly port?: number;
	/** Milliseconds between two rounds of probes: 200 unless told. */
	readonly everyMs?: number;
	/** How much later what a probe found takes effect, as endpoints reach kube-proxy late; 0 unless told, and at the start. */
	readonly lagMs?: number;
}

/** What a balancer has seen since its start. */
export interface BalancerCounts {
	readonly connections: number;
	/** Connections for which no backend was ready. */
	readonly unserved: number;
	/** Connections that a ready backend did not accept. */
	readonly refused: number;
	/** Connections whose backend went away while it owed an answer. */
	readonly owing: number;
}

/** A TCP balancer that plays the Service: it picks an endpoint for every connection and never moves one. */
export interface Balancer {
	readonly port: number;
	counts(): BalancerCounts;
	stop(): Promise<void>;
}

interface Flow {
	readonly backend: Backend;
	readonly sockets: readonly [Socket, Socket];
	/** The client spoke last: bytes of its were not answered yet. */
	isOwing: boolean;
}

/** Starts a balancer: new connections go to ready backends, in turn; it neither retries nor moves one, as kube-proxy. */
export async function startBalancer(options: BalancerOptions): Promise<Balancer> {
	const { everyMs = 200, lagMs = 0 } = options;
	const counts = { connections: 0, unserved: 0, refused: 0, owing: 0 };
	const flows = new Set<Flow>();
	const timers = new Set<NodeJS.Timeout>();
	const silences = new Map<Backend, number>();
	let wasReady: ReadonlySet<Backend> = new Set();
	let ready: readonly Backend[] = [];
	let turn = 0;
	let isStopped = false;

	const later = (ms: number, act: () => void): void => {
		const timer = setTimeout(() => {
			timers.delete(timer);
			act();
		}, ms);
		timers.add(timer);
	};
	const probe = async (lag: number): Promise<void> => {
		const backends = options.backends();
		const answers = await Promise.all(backends.map(isReady));
		const found = backends.filter((backend, index) => {
			const answer = answers[index];
			silences.set(backend, answer === undefined ? (silences.get(backend) ?? 0) + 1 : 0);
			return answer ?? (wasReady.has(backend) && (silences.get(backend) ?? 0) < mostSilences);
		});
		wasReady = new Set(found);
		if (isStopped) {
			return;
		}
		if (lag === 0) {
			ready = found;
		} else {
			later(lag, () => {
				ready = found;
			});
		}
		later(everyMs, () => void probe(lagMs));
	};

	const server = createServer({ noDelay: true, allowHalfOpen: true }, (inbound) => {
		counts.connections += 1;
		const backend = ready[turn++ % Math.max(ready.length, 1)];
		if (backend === undefined) {
			counts.unserved += 1;
			inbound.on("error", () => {});
			inbound.resetAndDestroy();
			return;
		}
		const { host, port } = backend;
		const outbound = connect({ host, port, noDelay: true, allowHalfOpen: true });
		const flow: Flow = { backend, sockets: [inbound, outbound], isOwing: false };
		flows.add(flow);
		join(flow, counts, () => flows.delete(flow));
	});
	server.listen(options.port ?? 0, "127.0.0.1");
	await once(server, "listening");
	await probe(0);
	return {
		port: (server.address() as AddressInfo).port,
		counts: () => ({ ...counts }),
		async stop() {
			isStopped = true;
			timers.forEach(clearTimeout);
			const closed = once(server, "close");
			server.close();
			for (const { sockets } of flows) {
				for (const socket of sockets) {
					socket.destroy();
				}
			}
			await closed;
		},
	};
}

/** As the chart's readiness probe: one probe without an answer may be the fault of a busy machine. */
const mostSilences = 2;

async function isReady(backend: Backend): Promise<boolean | undefined> {
	try {
		return await backend.isReady();
	} catch {
		return undefined;
	}
}

/** TLS 1.3's record of an alert (RFC 8446, 5.2 and 6.1): a client's goodbye, which nobody has to answer. */
const farewellBytes = 24;

/** Passes bytes, ends and resets on to the other side. */
function join(flow: Flow, counts: { refused: number; owing: number }, over: () => void): void {
	const [inbound, outbound] = flow.sockets;
	let isConnected = false;
	let open = 2;
	outbound.once("connect", () => {
		isConnected = true;
	});
	inbound.on("data", (chunk: Buffer) => {
		flow.isOwing ||= chunk.length > farewellBytes;
	});
	outbound.on("data", () => {
		flow.isOwing = false;
	});
	const owed = (): void => {
		counts.owing += flow.isOwing && inbound.errored === null ? 1 : 0;
		flow.isOwing = false;
	};
	outbound.once("end", owed);
	outbound.on("error", () => {
		if (isConnected) {
			owed();
		} else {
			counts.refused += 1;
		}
		inbound.resetAndDestroy();
	});
	inbound.on("error", () => outbound.resetAndDestroy());
	for (const [from, to] of [
		[inbound, outbound],
		[outbound, inbound],
	] as const) {
		from.pipe(to);
		from.once("close", () => {
			if (!from.readableEnded) {
				to.destroy();
			}
			open -= 1;
			if (open === 0) {
				over();
			}
		});
	}
}

/** Asks a replica's operations port whether it is ready, as the kubelet does. */
export async function isReadyAt(operations: string): Promise<boolean> {
	const answer = await fetch(`${operations}/readyz`, { signal: AbortSignal.timeout(2_000) });
	await answer.arrayBuffer();
	return answer.ok;
}
