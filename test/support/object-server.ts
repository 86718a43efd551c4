import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { ApiRequest, ApiServer } from "../../src/kube/client/api-writes.ts";

interface Metadata {
	readonly name?: string;
	readonly resourceVersion?: string;
	readonly annotations?: Readonly<Record<string, string>>;
}

/** An object as the object server keeps it. */
export interface StoredObject {
	readonly metadata: Metadata;
	readonly [field: string]: unknown;
}

/** One request as the object server saw it. */
export interface Seen {
	readonly method: string;
	readonly path: string;
	readonly query: URLSearchParams;
	readonly body: unknown;
}

/** What a test puts in the place of the usual answer. */
export interface Answer {
	readonly status: number;
	readonly body: object;
}

/** An answer in the server's place, now or later, or `null` for the server's own. */
export type Intercepted = Answer | null | Promise<Answer | null>;

/** Stores objects over real HTTP as an API server does: versions, conflicts, 404 and 409; no admission, no watch. */
export interface ObjectServer {
	readonly url: string;
	readonly api: ApiServer;
	readonly seen: readonly Seen[];
	get(path: string): StoredObject | undefined;
	/** Writes as somebody else would, past every check. */
	set(path: string, object: object): void;
	delete(path: string): void;
	/** Called after each accepted write. */
	onWrite(callback: (path: string) => void): void;
	/** Answers in the server's place when it gives an answer; the last one given counts. */
	intercept(answer: (seen: Seen) => Intercepted): void;
}

/** Starts an object server on a free port of the loopback; it ends with the test. */
export async function startObjectServer(context: TestContext): Promise<ObjectServer> {
	const objects = new Map<string, StoredObject>();
	const seen: Seen[] = [];
	const listeners: ((path: string) => void)[] = [];
	let version = 100;
	let intercepted: (seen: Seen) => Intercepted = () => null;

	const notify = (path: string): void => {
		for (const listener of listeners) {
			listener(path);
		}
	};
	const store = (path: string, object: object): StoredObject => {
		version += 1;
		const { metadata } = object as { readonly metadata?: Metadata };
		const stored = { ...object, metadata: { ...metadata, resourceVersion: String(version) } };
		objects.set(path, stored);
		return stored;
	};
	const answer = async (call: Seen): Promise<Answer> => {
		const { method, path, body } = call;
		const substitute = await intercepted(call);
		if (substitute !== null) {
			return substitute;
		}
		const present = objects.get(path);
		if (method === "GET") {
			return present === undefined ? failure(404, "NotFound") : { status: 200, body: present };
		}
		const { metadata } = body as { readonly metadata: Metadata };
		if (method === "POST") {
			const target = `${path}/${metadata.name}`;
			if (objects.has(target)) {
				return failure(409, "AlreadyExists");
			}
			const created = store(target, body as object);
			notify(target);
			return { status: 201, body: created };
		}
		if (present === undefined) {
			return failure(404, "NotFound");
		}
		if (metadata.resourceVersion !== present.metadata.resourceVersion) {
			return failure(409, "Conflict");
		}
		const replaced = store(path, body as object);
		notify(path);
		return { status: 200, body: replaced };
	};
	const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		let text = "";
		for await (const chunk of request) {
			text += chunk;
		}
		const url = new URL(request.url ?? "/", "http://127.0.0.1");
		const call: Seen = {
			method: request.method ?? "",
			path: decodeURIComponent(url.pathname),
			query: url.searchParams,
			body: text === "" ? null : JSON.parse(text),
		};
		seen.push(call);
		const { status, body } = await answer(call);
		response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
	};

	const server = createServer((request, response) => void handle(request, response));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	context.after(() => {
		server.closeAllConnections();
		server.close();
	});
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return {
		url,
		api: apiClient(url),
		seen,
		get: (path) => objects.get(path),
		set: (path, object) => void store(path, object),
		delete: (path) => void objects.delete(path),
		onWrite: (callback) => void listeners.push(callback),
		intercept(next) {
			intercepted = next;
		},
	};
}

function failure(code: number, reason: string): Answer {
	return { status: code, body: { kind: "Status", status: "Failure", code, reason, message: reason } };
}

function apiClient(url: string): ApiServer {
	return {
		async request(method, path, { query, body, signal }: ApiRequest = {}) {
			const response = await fetch(`${url}${path}?${new URLSearchParams(query)}`, {
				method,
				headers: { "content-type": "application/json" },
				...(body === undefined ? {} : { body: JSON.stringify(body) }),
				...(signal === undefined ? {} : { signal }),
			});
			const answer: unknown = await response.json();
			if (!response.ok) {
				const { message, reason } = answer as { readonly message: string; readonly reason: string };
				throw Object.assign(new Error(message), { status: response.status, reason });
			}
			return answer;
		},
	};
}
