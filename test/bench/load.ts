import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";

/** A keep-alive connection that sends one request after the other. */
export interface Line {
	/** Sends the bytes of a request, waits for the whole answer, and gives its latency in milliseconds. */
	ask(request: Buffer): Promise<number>;
	/** The body of the last answer. */
	last(): string;
	close(): void;
}

/** Opens a connection; HTTP is written by hand, so that the client costs little and measures little of itself. */
export async function openLine(port: number, ca: string): Promise<Line> {
	const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca });
	await once(socket, "secureConnect");
	socket.setNoDelay(true);
	let received = "";
	let finish: (failure?: Error) => void = () => {};
	socket.on("data", (chunk: Buffer) => {
		received += chunk.toString("latin1");
		const head = received.indexOf("\r\n\r\n");
		const length = /content-length: (\d+)/i.exec(received)?.[1];
		if (head >= 0 && received.length >= head + 4 + Number(length)) {
			finish();
		}
	});
	socket.on("close", () => finish(new Error("Cannot measure: the server closed a connection")));
	socket.on("error", (error) => finish(error));
	return {
		ask: (request) =>
			new Promise((resolve, reject) => {
				if (socket.destroyed) {
					reject(new Error("Cannot measure: the server closed a connection"));
					return;
				}
				received = "";
				const start = performance.now();
				finish = (failure) => {
					if (failure !== undefined) {
						reject(failure);
					} else if (received.startsWith("HTTP/1.1 200 ")) {
						resolve(performance.now() - start);
					} else {
						reject(new Error(`Cannot measure: the server answered ${received.slice(0, 300)}`));
					}
				};
				socket.write(request);
			}),
		last: () => received.slice(received.indexOf("\r\n\r\n") + 4),
		close() {
			finish = () => {};
			socket.destroy();
		},
	};
}

/** Writes a request the way the API server does. */
export function requestOf(path: string, review: unknown): Buffer {
	const body = JSON.stringify(review);
	const head = [
		`POST ${path}?timeout=5s HTTP/1.1`,
		"Host: waymark.waymark-system.svc:443",
		"User-Agent: kube-apiserver-admission",
		`Content-Length: ${Buffer.byteLength(body)}`,
		"Accept: application/json, */*",
		"Content-Type: application/json",
		"Accept-Encoding: gzip",
	];
	return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/**
 * Sends so many requests at a steady rate (a second) over these connections and gives every latency, in milliseconds,
 * the time in which a request waits for a free connection included.
 */
export async function sendSteadily(
	lines: readonly Line[],
	request: Buffer,
	count: number,
	rate: number,
): Promise<readonly number[]> {
	const latencies: number[] = [];
	const start = performance.now();
	let next = 0;
	await Promise.all(
		lines.map(async (line) => {
			while (next < count) {
				const due = start + (next++ * 1000) / rate;
				while (performance.now() < due) {
					await sleep(Math.max(0, due - performance.now()));
				}
				await line.ask(request);
				latencies.push(performance.now() - due);
			}
		}),
	);
	return latencies;
}
