import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import { pino } from "pino";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import type { Engine } from "../../src/core/engine.ts";
import { createEngine } from "../../src/core/engine.ts";
import { rules } from "../../src/rules/table.ts";
import type { Webhook } from "../../src/server/app.ts";
import { createWebhook } from "../../src/server/app.ts";
import type { Confirm, StaleKinds } from "../../src/server/judgement.ts";
import type { Metrics } from "../../src/server/metrics.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { tlsContext } from "../../src/server/tls.ts";
import { exampleDay, world } from "./rule-example.ts";

const now = new Date();
const authority = await createAuthority({ now });
const certificate = await issueCertificate(authority, { names: ["127.0.0.1"], now });

/** What one request came back with. */
export interface HttpAnswer {
	readonly status: number;
	readonly headers: IncomingMessage["headers"];
	/** Parsed JSON, or the text where it is none. */
	readonly body: unknown;
}

/** The response of an answered review, with its patch decoded. */
export interface ReviewResponse {
	readonly uid: string;
	readonly allowed: boolean;
	readonly status?: {
		readonly code: number;
		readonly reason: string;
		readonly message: string;
		readonly details: {
			readonly causes: readonly {
				readonly reason: string;
				readonly message: string;
				readonly field: string;
			}[];
		};
	};
	readonly patch?: string;
	readonly patchType?: string;
	readonly warnings?: readonly string[];
	readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** A webhook that really listens. */
export interface RunningWebhook extends Webhook {
	readonly port: number;
	/** PEM of the CA of its certificate. */
	readonly ca: string;
	readonly state: ClusterState;
	readonly metrics: Metrics;
	/** Everything logged so far, one JSON object a line. */
	readonly logs: readonly string[];
	/** Sends a body of any kind. */
	post(path: string, body: string | Buffer, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
	/** Sends a review and gives what is inside the answered one. */
	ask(endpoint: "mutate" | "validate", review: unknown): Promise<ReviewResponse>;
	/** A TLS connection for whoever wants to write HTTP by hand. */
	open(): Promise<TLSSocket>;
	stop(): Promise<void>;
}

/** How a webhook under test differs from one with every rule and an empty world. */
export interface RunOptions {
	readonly state?: ClusterState;
	readonly engine?: Engine;
	readonly confirm?: Confirm;
	readonly stale?: () => StaleKinds | undefined;
}

/** Starts a webhook on a free port of loopback, with a certificate of a CA made for this run. */
export async function runWebhook(
	context: { after(stop: () => Promise<void>): void },
	options: RunOptions = {},
): Promise<RunningWebhook> {
	const state = options.state ?? world();
	const metrics = createMetrics();
	const logs: string[] = [];
	const sink = new Writable({
		write(chunk, _encoding, done) {
			logs.push(String(chunk).trimEnd());
			done();
		},
	});
	const webhook = createWebhook({
		engine: options.engine ?? createEngine(rules),
		inventory: state,
		metrics,
		log: pino({ base: null }, sink),
		tls: tlsContext(certificate),
		now: () => Date.parse(`${exampleDay}T12:00:00Z`),
		...(options.confirm === undefined ? {} : { confirm: options.confirm }),
		...(options.stale === undefined ? {} : { stale: options.stale }),
	});
	await webhook.app.listen({ host: "127.0.0.1", port: 0 });
	const { port } = webhook.server.address() as AddressInfo;
	const agent = new Agent({ keepAlive: true, ca: authority.cert });
	const post: RunningWebhook["post"] = (path, body, headers = {}) => send(port, agent, path, body, headers);
	const stop = async (): Promise<void> => {
		agent.destroy();
		webhook.server.closeAllConnections();
		await webhook.app.close();
	};
	context.after(stop);
	return {
		...webhook,
		port,
		ca: authority.cert,
		state,
		metrics,
		logs,
		post,
		async ask(endpoint, review) {
			const answer = await post(`/${endpoint}?timeout=5s`, JSON.stringify(review));
			if (answer.status !== 200) {
				throw new Error(`Cannot read an answer: HTTP ${answer.status} ${JSON.stringify(answer.body)}`);
			}
			return (answer.body as { response: ReviewResponse }).response;
		},
		async open() {
			const socket = connect({ host: "127.0.0.1", port, ca: authority.cert });
			await once(socket, "secureConnect");
			return socket;
		},
		stop,
	};
}

function send(
	port: number,
	agent: Agent,
	path: string,
	body: string | Buffer,
	headers: Readonly<Record<string, string>>,
): Promise<HttpAnswer> {
	return new Promise((resolve, reject) => {
		const length = String(Buffer.byteLength(body));
		const call = request(
			{
				host: "127.0.0.1",
				port,
				agent,
				path,
				method: "POST",
				headers: { "content-type": "application/json", "content-length": length, ...headers },
			},
			(answer) => {
				const chunks: Buffer[] = [];
				answer.on("data", (chunk: Buffer) => chunks.push(chunk));
				answer.on("error", reject);
				answer.on("end", () =>
					resolve({
						status: answer.statusCode ?? 0,
						headers: answer.headers,
						body: decode(Buffer.concat(chunks).toString()),
					}),
				);
			},
		);
		call.on("error", reject);
		call.end(body);
	});
}

function decode(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

/** The operations of a response's patch; none without a patch. */
export function patchOf(response: ReviewResponse): readonly unknown[] {
	return response.patch === undefined
		? []
		: (JSON.parse(Buffer.from(response.patch, "base64").toString("utf8")) as unknown[]);
}

/** Everything that a connection sends from now on until it has been quiet for a moment, or has ended. */
export function readAll(socket: TLSSocket, quietMs = 300): Promise<string> {
	return new Promise((resolve) => {
		let text = "";
		const done = (): void => resolve(text);
		let timer = setTimeout(done, 5_000);
		socket.on("data", (chunk: Buffer) => {
			text += chunk.toString();
			clearTimeout(timer);
			timer = setTimeout(done, quietMs);
		});
		socket.on("error", () => {});
		socket.on("close", () => {
			clearTimeout(timer);
			done();
		});
	});
}
