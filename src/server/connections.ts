import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** How many connections a server keeps, and for how long one may be without a purpose. */
export interface ConnectionLimits {
	/** Connections at the same time; one more ends the idlest of all. */
	readonly most: number;
	/** Connections of one remote address that no client certificate vouches for; one more ends the idlest of these. */
	readonly mostPerAddress: number;
	/** For how long a TLS handshake may take from the first byte to the last, in milliseconds. */
	readonly handshakeMs: number;
}

/**
 * The limits of the webhook: 512 requests are answered at the same time, and an API server keeps at most 25 idle
 * connections to a host. One address may be a proxy or a node behind which every API server stands, so it is given half.
 */
export const webhookConnectionLimits: ConnectionLimits = {
	most: 1_024,
	mostPerAddress: 512,
	handshakeMs: 3_000,
};

/** The limits of the operations port: a kubelet and two Prometheus servers need a dozen. */
export const operationsConnectionLimits: ConnectionLimits = {
	most: 128,
	mostPerAddress: 64,
	handshakeMs: 3_000,
};

/** Why a connection was ended: too many of all or of one address, a late handshake, a request that stopped coming. */
export type CutReason = "full" | "address" | "handshake" | "stalled";

export const cutReasons: readonly CutReason[] = ["full", "address", "handshake", "stalled"];

/** The connections of a server. */
export interface Connections {
	/** How many have been ended for that reason. */
	cut(reason: CutReason): number;
	/** How many there are. */
	open(): number;
	/** Takes note of the request that a connection brings. */
	reading(request: IncomingMessage): void;
	/** For how long nothing has come or gone on a request's connection, in milliseconds. */
	idleMs(request: IncomingMessage): number;
	/** For how long a connection has been open without a byte of a request, in milliseconds; undefined once one has come. */
	unusedMs(socket: Socket): number | undefined;
	/** Ends the connection of a request that stopped coming. */
	cutStalled(request: IncomingMessage): void;
	/** Ends the idlest connection whose request stopped coming so long ago, in milliseconds; whether there was one. */
	cutIdlestStalled(idleMs: number): boolean;
	stop(): void;
}

interface Connection {
	readonly key: string;
	readonly address: string;
	/** What to end: the TLS socket once there is one. */
	socket: Socket;
	readonly since: number;
	/** 0 while the handshake lasts, 1 afterwards, 2 with a verified client certificate. */
	trust: 0 | 1 | 2;
	bytes: number;
	/** The request that it brought last. */
	request: IncomingMessage | undefined;
	/** When a byte last came or went, as well as a look every second can tell. */
	movedAt: number;
}

/** How often one looks which connections moved and which handshakes are late, in milliseconds. */
const lookMs = 500;

/**
 * Limits the connections of a server. Node.js itself would turn away the newest one, so that whoever holds all of them
 * shuts everybody else out; here the idlest goes: first those without a handshake, last those with a client certificate.
 */
export function limitConnections(server: HttpServer | HttpsServer, limits: ConnectionLimits): Connections {
	const connections = new Map<string, Connection>();
	const bySocket = new WeakMap<Socket, Connection>();
	const cuts = { full: 0, address: 0, handshake: 0, stalled: 0 };
	const isSecure = "setSecureContext" in server;
	const end = ({ key, socket }: Connection, reason: CutReason): void => {
		cuts[reason] += 1;
		connections.delete(key);
		socket.destroy();
	};
	const endIdlest = (reason: CutReason, matches: (connection: Connection) => boolean): boolean => {
		let idlest: Connection | undefined;
		for (const connection of connections.values()) {
			if (matches(connection) && (idlest === undefined || isIdler(connection, idlest))) {
				idlest = connection;
			}
		}
		if (idlest !== undefined) {
			end(idlest, reason);
		}
		return idlest !== undefined;
	};
	server.on("connection", (socket: Socket) => {
		// A connection that was reset while it waited to be accepted has no address any more.
		const address = socket.remoteAddress;
		if (address === undefined) {
			socket.destroy();
			return;
		}
		const key = keyOf(socket);
		const now = performance.now();
		const isStranger = (each: Connection): boolean => each.address === address && each.trust < 2;
		let strangers = 0;
		for (const each of connections.values()) {
			strangers += isStranger(each) ? 1 : 0;
		}
		if (strangers >= limits.mostPerAddress) {
			endIdlest("address", isStranger);
		} else if (connections.size >= limits.most) {
			endIdlest("full", () => true);
		}
		const connection: Connection = {
			key,
			address,
			socket,
			since: now,
			trust: isSecure ? 0 : 1,
			bytes: 0,
			request: undefined,
			movedAt: now,
		};
		connections.set(key, connection);
		bySocket.set(socket, connection);
		socket.once("close", () => {
			if (connections.get(key) === connection) {
				connections.delete(key);
			}
		});
	});
	server.on("secureConnection", (socket: TLSSocket) => {
		const connection = connections.get(keyOf(socket));
		if (connection !== undefined) {
			connection.socket = socket;
			bySocket.set(socket, connection);
			connection.trust = socket.authorized ? 2 : 1;
			connection.movedAt = performance.now();
		}
	});
	const look = (): void => {
		const now = performance.now();
		for (const connection of connections.values()) {
			if (connection.trust === 0 && now - connection.since > limits.handshakeMs) {
				end(connection, "handshake");
				continue;
			}
			const bytes = connection.socket.bytesRead + connection.socket.bytesWritten;
			if (bytes !== connection.bytes) {
				connection.bytes = bytes;
				connection.movedAt = now;
			}
		}
	};
	const looking = setInterval(look, lookMs).unref();
	return {
		cut: (reason) => cuts[reason],
		open: () => connections.size,
		reading(request) {
			const connection = bySocket.get(request.socket);
			if (connection !== undefined) {
				connection.request = request;
			}
		},
		idleMs: (request) => performance.now() - (bySocket.get(request.socket)?.movedAt ?? performance.now()),
		unusedMs(socket) {
			const since = bySocket.get(socket)?.since;
			return since === undefined || socket.bytesRead > 0 ? undefined : performance.now() - since;
		},
		cutStalled(request) {
			const connection = bySocket.get(request.socket);
			if (connection !== undefined) {
				end(connection, "stalled");
			}
		},
		cutIdlestStalled(idleMs) {
			const before = performance.now() - idleMs;
			return endIdlest("stalled", ({ request, movedAt }) => request?.complete === false && movedAt <= before);
		},
		stop() {
			clearInterval(looking);
		},
	};
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
	return `${remoteAddress} ${remotePort}`;
}

function isIdler(one: Connection, other: Connection): boolean {
	return one.trust === other.trust ? one.movedAt < other.movedAt : one.trust < other.trust;
}
