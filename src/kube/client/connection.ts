import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { ApiError, errorOfAnswer, HttpError, isHtml } from "./api.ts";
import type { Credentials } from "./credentials.ts";
import type { Timeouts } from "./http.ts";
import { createPool } from "./http.ts";
import type { ServerClock } from "./server-clock.ts";
import { createServerClock } from "./server-clock.ts";

const defaultTimeouts: Timeouts = { connectMs: 3000, headersMs: 15_000, bodyMs: 30_000 };

/** The methods that are used. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

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
	/** Compares this machine's clock with the API server's at every answer. */
	readonly clock: Pick<ServerClock, "skewMs">;
	/** Sends one request and gives the parsed answer; throws `ApiError` or `HttpError`. */
	request(method: Method, path: string, options?: RequestOptions): Promise<unknown>;
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
	const pool = createPool(limits);
	const clock = createServerClock();
	const { server } = credentials;
	const root = server.pathname.replace(/\/$/, "");

	async function send(
		method: Method,
		path: string,
		options: RequestOptions & { readonly signal: AbortSignal },
	): Promise<IncomingMessage> {
		const identity = await credentials.current();
		const headers: OutgoingHttpHeaders = {
			...identity.headers,
			accept: options.accept ?? "application/json",
			"user-agent": "waymark",
		};
		let body: string | undefined;
		if (options.body !== undefined) {
			headers["content-type"] = options.contentType ?? "application/json";
			body = JSON.stringify(options.body);
			headers["content-length"] = String(Buffer.byteLength(body));
		}
		const askedAt = Date.now();
		const response = await pool.send(identity, {
			method,
			server,
			path: `${root}${path}${queryText(options.query)}`,
			headers,
			body,
			signal: options.signal,
		});
		clock.observe(response.headers.date, askedAt, Date.now());
		const { statusCode = 0 } = response;
		if (statusCode < 200 || statusCode > 299) {
			if (statusCode === 401) {
				credentials.distrust();
			}
			const text = await readText(response, 64 * 1024, limits.bodyMs).catch(() => "");
			throw errorOfAnswer(statusCode, text, response.headers["retry-after"]);
		}
		return response;
	}

	return {
		server: server.origin,
		clock,
		async request(method, path, options = {}) {
			const limit = withDeadline(options.signal, options.deadlineMs);
			try {
				const body = await send(method, path, { ...options, signal: limit.signal });
				return parseAnswer(await readText(body, options.limitBytes ?? defaultLimitBytes, limits.bodyMs));
			} catch (error) {
				throw limit.isOver()
					? new HttpError("timeout", `Cannot reach the API server: no answer within ${options.deadlineMs} ms`)
					: translate(error);
			} finally {
				limit.release();
			}
		},
		async stream(path, options) {
			try {
				return await send("GET", path, options);
			} catch (error) {
				throw translate(error);
			}
		},
		async stop() {
			pool.stop();
		},
	};
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

/** Reads an answer to its end; breaks it when it is too long, or when nothing comes for `idleMs`. */
async function readText(body: Readable, limitBytes: number, idleMs: number): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	const timer = setTimeout(() => {
		body.destroy(new HttpError("silent", "Cannot read an answer: the API server sends nothing more"));
	}, idleMs);
	try {
		for await (const chunk of body as AsyncIterable<Buffer>) {
			timer.refresh();
			bytes += chunk.length;
			if (bytes > limitBytes) {
				throw new HttpError("oversized", `Cannot read an answer: it is longer than ${limitBytes} bytes`);
			}
			chunks.push(chunk);
		}
	} finally {
		clearTimeout(timer);
	}
	return Buffer.concat(chunks, bytes).toString("utf8");
}

function parseAnswer(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		const found = isHtml(text) ? "a page of HTML came: something in front of it answered" : "it is not JSON";
		throw new HttpError("malformed", `Cannot read an answer of the API server: ${found}`, error);
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
	if (error instanceof ApiError || error instanceof HttpError) {
		return error;
	}
	const { code, message } =
		error instanceof Error ? (error as NodeJS.ErrnoException) : { code: "", message: "" };
	return code === "ECONNRESET" || code === "EPIPE"
		? new HttpError("cut", "Cannot read an answer: the connection ended in its middle", error)
		: new HttpError("unreachable", `Cannot reach the API server: ${code || message}`, error);
}
