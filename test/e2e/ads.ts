import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { request as httpRequest } from "undici";
import type { ControlPlane } from "./control-plane.ts";
import { serviceEntry } from "./world.ts";

/** A proxy as which to ask istiod for its configuration. */
export interface ProxyNode {
	readonly type: "sidecar" | "router" | "waypoint";
	readonly namespace: string;
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
}

/** What Envoy's admin interface would show for a proxy: each dump as protojson, by the last part of its type. */
export type ConfigDump = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

const types = {
	clusters: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	listeners: "type.googleapis.com/envoy.config.listener.v3.Listener",
	routes: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
} as const;

const answerMs = 15_000;

/**
 * Connects to istiod as a proxy (aggregated discovery, state of the world, over plain HTTP/2), subscribes to all
 * clusters and listeners and to the routes that the listeners name, and returns what istiod would push to it now.
 *
 * istiod itself turns the resources into JSON (`/debug/config_dump`), so nothing here has to know Envoy's messages.
 */
export async function dumpConfig(plane: ControlPlane, proxy: ProxyNode): Promise<ConfigDump> {
	const session = connect(`http://127.0.0.1:${plane.connection.ports.istiodGrpc}`);
	try {
		await once(session, "connect");
		const stream = session.request({
			":method": "POST",
			":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
			"content-type": "application/grpc",
			te: "trailers",
		});
		const answers = watchAnswers(stream);
		const id = `${proxy.type}~10.244.9.9~${proxy.name}.${proxy.namespace}~${proxy.namespace}.svc.cluster.local`;
		stream.write(frame(discoveryRequest(types.clusters, [], { ...proxy, id })));
		stream.write(frame(discoveryRequest(types.listeners, [], undefined)));
		await answers.has(types.clusters, types.listeners);
		const before = await readDump(plane, id);
		const names = routeNames(before);
		if (names.size > 0) {
			stream.write(frame(discoveryRequest(types.routes, [...names], undefined)));
			await answers.has(types.routes);
		}
		const dump = names.size > 0 ? await readDump(plane, id) : before;
		stream.close();
		return dump;
	} finally {
		session.destroy();
	}
}

/**
 * Waits until istiod pushes everything that was written before the call: a connection gets what the last push had,
 * and istiod collects changes for a moment before each.
 */
export async function waitForPush(plane: ControlPlane, timeout = 15_000): Promise<void> {
	await plane.istiod.settle(timeout);
	const name = `waymark-e2e-push-${randomUUID()}`;
	const host = `${name}.invalid`;
	const client: ProxyNode = { type: "sidecar", namespace: "kube-public", name, labels: {} };
	const deadline = Date.now() + timeout;
	await plane.api.create(serviceEntry("kube-public", name, host));
	try {
		while (!JSON.stringify((await dumpConfig(plane, client)).get("ClustersConfigDump")).includes(host)) {
			if (Date.now() > deadline) {
				throw new Error(
					`Cannot see what istiod pushes: ServiceEntry ${name} is not in it after ${timeout} ms`,
				);
			}
			await sleep(50);
		}
	} finally {
		await plane.api.delete("ServiceEntry", "kube-public", name);
	}
}

/**
 * Reads the types of the messages that arrive on a stream, by the lengths that gRPC puts before each (one byte, four
 * bytes). What was asked for may come after another push of what has come already.
 */
function watchAnswers(stream: ClientHttp2Stream): { has(...wanted: readonly string[]): Promise<void> } {
	let pending = Buffer.alloc(0);
	// Joined only when a message is whole: one of fifty megabytes comes in thousands of pieces.
	let pieces: Buffer[] = [];
	let size = 0;
	const seen = new Set<string>();
	let wake: () => void = () => {};
	let failure: Error | undefined;
	stream.on("data", (chunk: Buffer) => {
		pieces.push(chunk);
		size += chunk.length;
		if (pending.length >= 5 && size < 5 + pending.readUInt32BE(1)) {
			return;
		}
		pending = Buffer.concat(pieces);
		while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
			const end = 5 + pending.readUInt32BE(1);
			seen.add(typeOfAnswer(pending.subarray(5, end)));
			pending = pending.subarray(end);
		}
		pieces = [pending];
		size = pending.length;
		wake();
	});
	const fail = (reason: string): void => {
		failure ??= new Error(`Cannot read istiod's configuration for a proxy: ${reason}`);
		wake();
	};
	stream.on("error", (error) => fail(error.message));
	stream.on("trailers", (headers) =>
		fail(`gRPC status ${headers["grpc-status"]} ${headers["grpc-message"]}`),
	);
	return {
		async has(...wanted) {
			const missing = (): readonly string[] => wanted.filter((type) => !seen.has(type));
			const late = setTimeout(() => fail(`no ${missing().join(", ")} after ${answerMs} ms`), answerMs);
			try {
				while (missing().length > 0 && failure === undefined) {
					await new Promise<void>((resolve) => {
						wake = resolve;
					});
				}
			} finally {
				clearTimeout(late);
			}
			if (failure !== undefined && missing().length > 0) {
				throw failure;
			}
		},
	};
}

/** The type of a DiscoveryResponse, its field 4: the fields before it are text and messages (wire type 2) and a bool. */
function typeOfAnswer(message: Buffer): string {
	let at = 0;
	const readVarint = (): number => {
		let value = 0;
		for (let shift = 1; ; shift *= 128) {
			const byte = message.readUInt8(at++);
			value += (byte & 127) * shift;
			if (byte < 128) {
				return value;
			}
		}
	};
	while (at < message.length) {
		const key = readVarint();
		const size = readVarint();
		if (key === ((4 << 3) | 2)) {
			return message.toString("utf8", at, at + size);
		}
		at += (key & 7) === 2 ? size : 0;
	}
	return "";
}

async function readDump(plane: ControlPlane, id: string): Promise<ConfigDump> {
	const name = id.split("~")[2] ?? "";
	const response = await httpRequest(`${plane.istiod.httpUrl}/debug/config_dump?proxyID=${name}`);
	const text = await response.body.text();
	if (response.statusCode !== 200) {
		throw new Error(`Cannot read the configuration of proxy ${id}: HTTP ${response.statusCode} ${text}`);
	}
	const { configs } = JSON.parse(text) as { readonly configs: readonly Readonly<Record<string, unknown>>[] };
	return new Map(configs.map((config) => [String(config["@type"]).split(".").at(-1) ?? "", config]));
}

function routeNames(dump: ConfigDump): ReadonlySet<string> {
	const names = new Set<string>();
	const visit = (value: unknown): void => {
		if (typeof value !== "object" || value === null) {
			return;
		}
		for (const [key, item] of Object.entries(value)) {
			if (key === "routeConfigName" && typeof item === "string") {
				names.add(item);
			}
			visit(item);
		}
	};
	visit(dump.get("ListenersConfigDump"));
	return names;
}

// Just enough of Protocol Buffers to ask: envoy.service.discovery.v3.DiscoveryRequest has the node in field 2, names
// in 3 and the type in 4; envoy.config.core.v3.Node has the id in 1, the cluster in 2 and a Struct in 3.

function discoveryRequest(
	type: string,
	names: readonly string[],
	node: (ProxyNode & { readonly id: string }) | undefined,
): Buffer {
	return Buffer.concat([
		...(node === undefined ? [] : [field(2, nodeMessage(node))]),
		...names.map((name) => field(3, Buffer.from(name))),
		field(4, Buffer.from(type)),
	]);
}

function nodeMessage({ id, name, namespace, labels }: ProxyNode & { readonly id: string }): Buffer {
	const metadata = {
		CLUSTER_ID: "Kubernetes",
		ISTIO_VERSION: "1.31.0",
		NAMESPACE: namespace,
		SERVICE_ACCOUNT: name,
		LABELS: labels,
	};
	return Buffer.concat([
		field(1, Buffer.from(id)),
		field(2, Buffer.from(`${name}.${namespace}`)),
		field(3, struct(metadata)),
	]);
}

interface Struct {
	readonly [name: string]: string | Struct;
}

/** A google.protobuf.Struct: entries in field 1, each with its key in 1 and its value in 2 (text in 3, struct in 5). */
function struct(fields: Struct): Buffer {
	return Buffer.concat(
		Object.entries(fields).map(([key, value]) => {
			const content = typeof value === "string" ? field(3, Buffer.from(value)) : field(5, struct(value));
			return field(1, Buffer.concat([field(1, Buffer.from(key)), field(2, content)]));
		}),
	);
}

function field(number: number, content: Buffer): Buffer {
	return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
	const bytes: number[] = [];
	let rest = value;
	while (rest > 127) {
		bytes.push((rest & 127) | 128);
		rest >>>= 7;
	}
	return Buffer.from([...bytes, rest]);
}

function frame(message: Buffer): Buffer {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}
