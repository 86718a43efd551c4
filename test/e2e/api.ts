import type { Dispatcher } from "undici";
import { Agent, request as httpRequest } from "undici";
import type { ApiKind } from "./discovery.ts";
import { createKindFinder, discover, qualify } from "./discovery.ts";

/** Any Kubernetes object. */
export interface KubeObject {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: {
		readonly name?: string;
		readonly generateName?: string;
		readonly namespace?: string;
		readonly labels?: Readonly<Record<string, string>>;
		readonly annotations?: Readonly<Record<string, string>>;
		readonly [field: string]: unknown;
	};
	readonly [field: string]: unknown;
}

/** A user to impersonate, as `kubectl --as` does: `system:serviceaccount:NAMESPACE:NAME` for a service account. */
export interface User {
	readonly name: string;
	readonly groups?: readonly string[];
}

/** What one request to the API server came back with, whatever its status. */
export interface ApiAnswer {
	readonly status: number;
	/** The parsed JSON; the plain text where it is none. */
	readonly body: unknown;
	/** The texts of the `Warning` headers: what `kubectl` prints as `Warning: …`. */
	readonly warnings: readonly string[];
}

/** The options of a write. */
export interface WriteOptions {
	readonly as?: User;
	readonly dryRun?: boolean;
}

/** The API server over REST: faster than a kubectl for each call. Kinds are written `ServiceEntry` or `Gateway.networking.istio.io`. */
export interface Api {
	/** One request; throws only when there is no answer. An object as `body` is sent as JSON. */
	request(method: string, path: string, options?: RequestOptions): Promise<ApiAnswer>;
	/** Creates an object and returns what was stored; throws ApiError when it was refused. */
	create(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
	/** Creates or changes by server-side apply, with force and the field manager "waymark-e2e"; throws ApiError. */
	apply(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
	/** Applies a JSON merge patch; throws ApiError. */
	patch(
		kind: string,
		namespace: string | undefined,
		name: string,
		change: object,
		options?: WriteOptions,
	): Promise<KubeObject>;
	/** The object, or undefined when it does not exist; throws ApiError on anything else. */
	get(kind: string, namespace: string | undefined, name: string): Promise<KubeObject | undefined>;
	/** All objects of a kind, in one namespace or in all. */
	list(kind: string, namespace?: string): Promise<readonly KubeObject[]>;
	/** Deletes an object; it may be gone already. */
	delete(kind: string, namespace: string | undefined, name: string): Promise<void>;
	/** The path of a kind's collection: `/apis/networking.istio.io/v1/namespaces/shop/serviceentries`. */
	collectionPath(kind: string, namespace?: string, apiVersion?: string): Promise<string>;
	/** Every kind that can be deleted as a collection, from discovery. */
	kinds(): Promise<readonly ApiKind[]>;
	close(): Promise<void>;
}

/** The options of one raw request. */
export interface RequestOptions {
	readonly body?: unknown;
	readonly contentType?: string;
	readonly accept?: string;
	readonly as?: User | undefined;
	/** A bearer token instead of the administrator's certificate. */
	readonly token?: string;
}

/** The API server refused: carries its `Status`, whose message is this error's. */
export class ApiError extends Error {
	readonly status: number;
	readonly body: unknown;
	readonly warnings: readonly string[];

	constructor(what: string, answer: ApiAnswer) {
		const message = (answer.body as { message?: string } | undefined)?.message ?? String(answer.body);
		super(`Cannot ${what}: ${message}`);
		this.name = "ApiError";
		this.status = answer.status;
		this.body = answer.body;
		this.warnings = answer.warnings;
	}
}

/** Where the API server is, and as whom to speak to it; PEM texts. */
export interface ApiAddress {
	readonly url: string;
	readonly ca: string;
	readonly certificate: string;
	readonly key: string;
	/** How many requests may be under way at a time: 16 unless told. */
	readonly connections?: number;
}

/** Opens a client of an API server; no connection is made before the first request. */
export function createApi(address: ApiAddress): Api {
	const agent = new Agent({
		connect: { ca: address.ca, cert: address.certificate, key: address.key },
		connections: address.connections ?? 16,
		// Faults stop the server: a connection of before must not be waited for.
		headersTimeout: 60_000,
	});
	// A token counts only where no client certificate speaks first.
	const anonymous = new Agent({ connect: { ca: address.ca }, connections: 4 });
	const request: Api["request"] = (method, path, options = {}) =>
		send(options.token === undefined ? agent : anonymous, address.url, method, path, options);
	const fetch = async (path: string, accept: string): Promise<unknown> =>
		expectSuccess(`GET ${path}`, await request("GET", path, { accept }));
	const find = createKindFinder(fetch);

	const collectionPath: Api["collectionPath"] = async (name, namespace, apiVersion) => {
		const found = await find(name);
		const version = apiVersion?.split("/").at(-1) ?? found.versions[0];
		const root = found.group === "" ? `/api/${version}` : `/apis/${found.group}/${version}`;
		const scope = found.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : "";
		return `${root}${scope}/${found.plural}`;
	};
	const objectPath = async (object: KubeObject): Promise<string> => {
		const { group } = splitVersion(object.apiVersion);
		const namespace = object.metadata.namespace ?? "default";
		return collectionPath(qualify(object.kind, group), namespace, object.apiVersion);
	};
	const write = async (
		method: string,
		path: string,
		options: WriteOptions,
		more: RequestOptions,
	): Promise<KubeObject> => {
		const query = new URLSearchParams(options.dryRun === true ? { dryRun: "All" } : {});
		if (method === "PATCH") {
			query.set("fieldManager", "waymark-e2e");
			if (more.contentType === "application/apply-patch+yaml") {
				query.set("force", "true");
			}
		}
		const answer = await request(method, `${path}?${query}`, { ...more, as: options.as });
		return expectSuccess(`${method} ${path}`, answer) as KubeObject;
	};

	return {
		request,
		collectionPath,
		async create(object, options = {}) {
			return write("POST", await objectPath(object), options, { body: object });
		},
		async apply(object, options = {}) {
			const path = `${await objectPath(object)}/${object.metadata.name}`;
			const more = { body: object, contentType: "application/apply-patch+yaml" };
			return write("PATCH", path, options, more);
		},
		async patch(kind, namespace, name, change, options = {}) {
			const path = `${await collectionPath(kind, namespace)}/${name}`;
			return write("PATCH", path, options, { body: change, contentType: "application/merge-patch+json" });
		},
		async get(kind, namespace, name) {
			const path = `${await collectionPath(kind, namespace)}/${name}`;
			const answer = await request("GET", path);
			return answer.status === 404 ? undefined : (expectSuccess(`GET ${path}`, answer) as KubeObject);
		},
		async list(kind, namespace) {
			const path = await collectionPath(kind, namespace);
			const list = expectSuccess(`GET ${path}`, await request("GET", path)) as { items: KubeObject[] };
			return list.items;
		},
		async delete(kind, namespace, name) {
			const path = `${await collectionPath(kind, namespace)}/${name}`;
			const answer = await request("DELETE", path);
			if (answer.status !== 404) {
				expectSuccess(`DELETE ${path}`, answer);
			}
		},
		kinds: () => discover(fetch),
		async close() {
			await Promise.all([agent.destroy(), anonymous.destroy()]);
		},
	};
}

/** Returns the body of a 2xx answer; throws ApiError for any other. */
export function expectSuccess(what: string, answer: ApiAnswer): unknown {
	if (answer.status < 200 || answer.status > 299) {
		throw new ApiError(what, answer);
	}
	return answer.body;
}

async function send(
	agent: Dispatcher,
	url: string,
	method: string,
	path: string,
	options: RequestOptions,
): Promise<ApiAnswer> {
	const headers: Record<string, string | string[]> = { accept: options.accept ?? "application/json" };
	if (options.body !== undefined) {
		headers["content-type"] = options.contentType ?? "application/json";
	}
	if (options.token !== undefined) {
		headers.authorization = `Bearer ${options.token}`;
	}
	if (options.as !== undefined) {
		headers["impersonate-user"] = options.as.name;
		headers["impersonate-group"] = [...(options.as.groups ?? [])];
	}
	const response = await httpRequest(`${url}${path}`, {
		dispatcher: agent,
		method: method as Dispatcher.HttpMethod,
		headers,
		body: options.body === undefined ? null : encode(options.body),
	});
	const text = await response.body.text();
	return {
		status: response.statusCode,
		body: decode(text),
		warnings: readWarnings(response.headers.warning),
	};
}

function encode(body: unknown): string {
	return typeof body === "string" ? body : JSON.stringify(body);
}

function decode(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

/** Reads `299 - "text"` headers (RFC 7234, 5.5): quotes and backslashes inside are escaped. */
function readWarnings(header: string | string[] | undefined): readonly string[] {
	// Node reads header bytes as Latin-1; the API server writes UTF-8.
	const values = [header ?? []].flat().map((value) => Buffer.from(value, "latin1").toString());
	return values.flatMap((value) =>
		[...value.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) =>
			text.replaceAll(/\\(.)/g, "$1"),
		),
	);
}

function splitVersion(apiVersion: string): { group: string; version: string } {
	const [first = "", second] = apiVersion.split("/");
	return second === undefined ? { group: "", version: first } : { group: first, version: second };
}
