import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** A relay on loopback between a client and a server, that can do to their connections what networks do. */
export interface TcpProxy {
	readonly port: number;
	/** Connections that are open now. */
	readonly connections: number;
	/** Resets every open connection. */
	cut(): void;
	/** Keeps connections open and lets no byte through, either way; new ones are accepted and left waiting. */
	freeze(): void;
	/** Lets bytes through again, those that waited first. */
	thaw(): void;
	/** Keeps the connections of now frozen for ever, as after a silent loss; new ones work. */
	strand(): void;
	stop(): Promise<void>;
}

interface Pair {
	readonly client: Socket;
	readonly upstream: Socket;
}

/** Starts a relay to a port of loopback. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
	const pairs = new Set<Pair>();
	let isFrozen = false;
	const server = createServer((client) => {
		const upstream = connect(target, "127.0.0.1");
		const pair = { client, upstream };
		pairs.add(pair);
		const end = (): void => {
			pairs.delete(pair);
			client.destroy();
			upstream.destroy();
		};
		for (const socket of [client, upstream]) {
			socket.setNoDelay(true);
			socket.on("error", end);
			socket.on("close", end);
		}
		if (isFrozen) {
			client.pause();
		} else {
			join(pair);
		}
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

	function part({ client, upstream }: Pair): void {
		client.unpipe(upstream);
		upstream.unpipe(client);
		client.pause();
		upstream.pause();
	}

	function join({ client, upstream }: Pair): void {
		// Two pipes into one socket would send every byte twice.
		client.unpipe(upstream);
		upstream.unpipe(client);
		client.pipe(upstream, { end: false });
		upstream.pipe(client, { end: false });
	}

	return {
		port: (server.address() as AddressInfo).port,
		get connections() {
			return pairs.size;
		},
		cut() {
			for (const { client, upstream } of pairs) {
				client.resetAndDestroy();
				upstream.destroy();
			}
		},
		freeze() {
			isFrozen = true;
			for (const pair of pairs) {
				part(pair);
			}
		},
		thaw() {
			isFrozen = false;
			for (const pair of pairs) {
				join(pair);
			}
		},
		strand() {
			for (const pair of pairs) {
				part(pair);
			}
		},
		async stop() {
			const closed = new Promise<void>((resolve) => server.close(() => resolve()));
			for (const { client, upstream } of pairs) {
				client.destroy();
				upstream.destroy();
			}
			await closed;
		},
	};
}
