import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { Agent, errors, ProxyAgent } from "undici";
import { ApiError, ExchangeError, errorOfAnswer } from "./api.ts";
import type { Credentials, Identity } from "./credentials.ts";

/** Longest waits, in milliseconds. */
export interface Timeouts {
	/** TCP and TLS handshake: short, because a black hole is only noticed by it. */
	readonly connectMs: number;
	/** From the request to the first byte of the answer. */
	readonly headersMs: number;
	/** Between two chunks of an answer; a watch has a limit of its own. */
	readonly bodyMs: number;
}

const defaultTimeouts: Timeouts = { connectMs: 3000, headersMs: 15_000, bodyMs: 30_000 };

/** Values of a query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
	readonly query?: Query;
	/** Sent as JSON, whatever the content type says (YAML patches are JSON too). */
	readonly body?: unknown;
	readonly contentType?: string;
	readonly accept?: string;
	readonly signal?: AbortSignal;
	/** Milliseconds for the whole exchange. */
	readonly deadlineMs?: number;
	/** Bytes of the answer above which it is refused. */
	readonly limitBytes?: number;
}

export interface StreamOptions {
	readonly query?: Query;
	readonly accept?: string;
	readonly signal: AbortSignal;
}

/** The API server as one user reaches it: one pool of connections for everything, HTTP/1.1. */
export interface Connection {
	/** Origin of the API server, for logs and status. */
	readonly server: string;
	/** Sends one request and gives the parsed answer; throws `ApiError` or `ExchangeError`. */
	request(method: Dispatcher.HttpMethod, path: string, options?: RequestOptions): Promise<unknown>;
	/**
	 * Opens a stream; resolves when the server has answered 200, and throws as `request` does. The reader decides how
	 * long it may be silent.
	 */
	stream(path: string, options: StreamOptions): Promise<Readable>;
	/** Ends every exchange and closes every connection. */
	stop(): Promise<void>;
}

const defaultLimitBytes = 64 * 1024 * 1024;

/** Connects with the given credentials; nothing is sent before the first request. */
export function connect(credentials: Credentials, timeouts: Partial<Timeouts> = {}): Connection {
	const limits = { ...defaultTimeouts, ...timeouts };
	const pool = agentPool(limits);

	async function send(
		method: Dispatcher.HttpMethod,
		path: string,
		options: RequestOptions,
		idleMs: number,
	): Promise<Dispatcher.ResponseData> {
		const identity = await credentials.current();
		const headers: Record<string, string | string[]> = {
			...identity.headers,
			accept: options.accept ?? "application/json",
			"user-agent": "waymark",
		};
		let body: string | undefined;
		if (options.body !== undefined) {
			headers["content-type"] = options.contentType ?? "application/json";
			body = JSON.stringify(options.body);
		}
		const response = await pool.agent(identity).request({
			origin: credentials.server.origin,
			path: `${credentials.server.pathname.replace(/\/$/, "")}${path}${queryText(options.query)}`,
			method,
			headers,
			bodyTimeout: idleMs,
			...(body === undefined ? {} : { body }),
			...(options.signal === undefined ? {} : { signal: options.signal }),
		});
		// Errors of the body reach whoever reads it; without a listener, an unread one would end the process.
		response.body.on("error", () => {});
		if (response.statusCode < 200 || response.statusCode > 299) {
			if (response.statusCode === 401) {
				credentials.distrust();
			}
			const text = await readText(response.body, 64 * 1024).catch(() => "");
			throw errorOfAnswer(response.statusCode, text, response.headers["retry-after"]);
		}
		return response;
	}

	return {
		server: credentials.server.origin,
		async request(method, path, options = {}) {
			const limit = withDeadline(options.signal, options.deadlineMs);
			try {
				const { body } = await send(method, path, { ...options, signal: limit.signal }, limits.bodyMs);
				return parseAnswer(await readText(body, options.limitBytes ?? defaultLimitBytes));
			} catch (error) {
				throw limit.isOver()
					? new ExchangeError(
							"timeout",
							`Cannot reach the API server: no answer within ${options.deadlineMs} ms`,
						)
					: translate(error);
			} finally {
				limit.release();
			}
		},
		async stream(path, options) {
			try {
				return (await send("GET", path, options, 0)).body;
			} catch (error) {
				throw translate(error);
			}
		},
		stop: () => pool.stop(),
	};
}

/** One agent per set of TLS material: a rotated certificate or CA needs another, and watches end on the old one. */
function agentPool(limits: Timeouts): { agent(identity: Identity): Dispatcher; stop(): Promise<void> } {
	let current: { readonly key: string; readonly dispatcher: Dispatcher } | undefined;
	const all = new Set<Dispatcher>();
	return {
		agent(identity) {
			const key = JSON.stringify([identity.tls, identity.proxy]);
			if (current?.key === key) {
				return current.dispatcher;
			}
			const old = current?.dispatcher;
			const dispatcher = createAgent(identity, limits);
			all.add(dispatcher);
			current = { key, dispatcher };
			if (old !== undefined) {
				old.close().then(
					() => all.delete(old),
					() => all.delete(old),
				);
			}
			return dispatcher;
		},
		async stop() {
			await Promise.allSettled([...all].map((dispatcher) => dispatcher.destroy()));
		},
	};
}

function createAgent(identity: Identity, limits: Timeouts): Dispatcher {
	const options = {
		// Undici's HTTP/2 does not notice a half-open connection; fifteen HTTP/1.1 ones cost less than a megabyte.
		allowH2: false,
		headersTimeout: limits.headersMs,
		keepAliveTimeout: 30_000,
	};
	if (identity.proxy !== undefined) {
		return new ProxyAgent({ ...options, uri: identity.proxy, requestTls: identity.tls });
	}
	return new Agent({ ...options, connect: { ...identity.tls, timeout: limits.connectMs } });
}

function queryText(query: Query | undefined): string {
	const parameters = new URLSearchParams();
	for (const [name, value] of Object.entries(query ?? {})) {
		if (value !== undefined) {
			parameters.set(name, String(value));
		}
	}
	return parameters.size === 0 ? "" : `?${parameters}`;
}

async function readText(body: Readable, limitBytes: number): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > limitBytes) {
			throw new ExchangeError("oversized", `Cannot read an answer: it is longer than ${limitBytes} bytes`);
		}
		chunks.push(chunk);
	}
	return Buffer.concat(chunks, bytes).toString("utf8");
}

function parseAnswer(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw new ExchangeError("malformed", "Cannot read an answer of the API server: it is not JSON", error);
	}
}

/** A signal that follows another and fires at the deadline; `release` leaves no timer and no listener behind. */
function withDeadline(
	outer: AbortSignal | undefined,
	deadlineMs: number | undefined,
): { readonly signal: AbortSignal; isOver(): boolean; release(): void } {
	const controller = new AbortController();
	let over = false;
	const timer =
		deadlineMs === undefined
			? undefined
			: setTimeout(() => {
					over = true;
					controller.abort();
				}, deadlineMs);
	const follow = (): void => controller.abort(outer?.reason);
	if (outer?.aborted === true) {
		follow();
	}
	outer?.addEventListener("abort", follow, { once: true });
	return {
		signal: controller.signal,
		isOver: () => over,
		release() {
			clearTimeout(timer);
			outer?.removeEventListener("abort", follow);
		},
	};
}

/** Gives every failure of a socket one of our names. */
export function translate(error: unknown): Error {
	if (error instanceof ApiError || error instanceof ExchangeError) {
		return error;
	}
	if (error instanceof errors.ConnectTimeoutError || error instanceof errors.HeadersTimeoutError) {
		return new ExchangeError("timeout", "Cannot reach the API server: no answer in time", error);
	}
	if (error instanceof errors.BodyTimeoutError) {
		return new ExchangeError("silent", "Cannot read an answer: the API server sends nothing more", error);
	}
	const { code, message } =
		error instanceof Error ? (error as NodeJS.ErrnoException) : { code: "", message: "" };
	return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE"
		? new ExchangeError("cut", "Cannot read an answer: the connection ended in its middle", error)
		: new ExchangeError("unreachable", `Cannot reach the API server: ${code || message}`, error);
}
