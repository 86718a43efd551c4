import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Credentials } from "../../src/kube/client/credentials.ts";

/** An object of the fake API server: as JSON, with what every object has. */
export interface FakeObject {
	readonly metadata: {
		readonly name: string;
		readonly namespace?: string;
		readonly [field: string]: unknown;
	};
	readonly [field: string]: unknown;
}

interface FakeResource {
	readonly group: string;
	readonly plural: string;
	readonly versions: readonly string[];
	readonly objects: Map<string, FakeObject>;
}

interface LoggedEvent {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly resource: FakeResource;
	readonly object: FakeObject;
	readonly version: number;
}

interface OpenWatch {
	readonly resource: FakeResource;
	readonly response: ServerResponse;
	/** It is told of nothing up to here, whatever happens: as apiserver's cacheWatcher. */
	readonly from: number;
	isSilent: boolean;
}

/** One request as a fault may see it. */
export interface FakeRequest {
	readonly url: URL;
	readonly headers: IncomingMessage["headers"];
	readonly socket: IncomingMessage["socket"];
	readonly isWatch: boolean;
	readonly isInitialWatch: boolean;
}

/** What a fault answers: the request is then not served; `true` for an answer that it wrote itself. */
export type FakeFault = (request: FakeRequest, response: ServerResponse) => boolean;

/** An API server on loopback that lists, watches and discovers as the real one does, and misbehaves when told to. */
export class FakeApiServer {
	/** Decides about every request before it is served. */
	fault: FakeFault | undefined;
	/** Whether it knows `sendInitialEvents`: refuses it, ignores it, or serves it. */
	watchList: "served" | "refused" | "ignored" = "served";
	/** Every request, as `GET PATH?QUERY`. */
	readonly requests: string[] = [];
	readonly #server: Server;
	readonly #resources: FakeResource[] = [];
	readonly #watches = new Set<OpenWatch>();
	#log: LoggedEvent[] = [];
	#version = 1000;
	#oldest = 1000;

	constructor(server: Server = createServer()) {
		this.#server = server;
		server.on("request", (request: IncomingMessage, response: ServerResponse) =>
			this.#handle(request, response),
		);
	}

	/** Listens on a free port of loopback, or on the one it had. */
	async listen(port = 0): Promise<void> {
		await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get openWatches(): number {
		return this.#watches.size;
	}

	get resourceVersion(): string {
		return String(this.#version);
	}

	/** Calls back for every connection, after its TLS handshake if it has one. */
	onConnection(callback: () => void): void {
		this.#server.on("secureConnection", callback);
	}

	/** Credentials that reach it over plain HTTP. */
	credentials(headers: () => Record<string, string> = () => ({})): Credentials {
		return {
			server: new URL(`http://127.0.0.1:${this.port}`),
			current: async () => ({ headers: headers(), tls: {} }),
			distrust() {},
		};
	}

	/** Begins to serve a resource. */
	install(group: string, plural: string, versions: readonly string[]): void {
		this.#resources.push({ group, plural, versions, objects: new Map() });
	}

	/** Stops serving a resource, as when its CRD is deleted: its objects go first, then its watches end. */
	uninstall(group: string, plural: string): void {
		const resource = this.#find(group, plural);
		for (const object of [...resource.objects.values()]) {
			this.remove(group, plural, object.metadata.namespace ?? "", object.metadata.name);
		}
		this.#resources.splice(this.#resources.indexOf(resource), 1);
		this.cutWatches((watch) => watch === resource);
	}

	/** Creates or replaces an object; gives its resourceVersion. */
	put(group: string, plural: string, object: FakeObject): string {
		const resource = this.#find(group, plural);
		const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
		const version = ++this.#version;
		const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
		const type = resource.objects.has(key) ? "MODIFIED" : "ADDED";
		resource.objects.set(key, stored);
		this.#emit({ type, resource, object: stored, version });
		return String(version);
	}

	remove(group: string, plural: string, namespace: string, name: string): void {
		const resource = this.#find(group, plural);
		const object = resource.objects.get(`${namespace}/${name}`);
		if (object === undefined) {
			return;
		}
		resource.objects.delete(`${namespace}/${name}`);
		const version = ++this.#version;
		const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
		this.#emit({ type: "DELETED", resource, object: last, version });
	}

	/** Every object of a resource, as a fresh list gives it. */
	objects(group: string, plural: string): FakeObject[] {
		return [...this.#find(group, plural).objects.values()];
	}

	/** Forgets the events so far: to resume from before now is answered 410. */
	compact(): void {
		this.#version += 1;
		this.#oldest = this.#version;
		this.#log = [];
	}

	/** Starts anew from a backup of etcd without objects, so that resourceVersions go on from an earlier one. */
	restoreBackup(version: number): void {
		for (const { objects } of this.#resources) {
			objects.clear();
		}
		this.#version = version;
		this.#oldest = 0;
		this.#log = [];
		this.cutWatches();
	}

	/** Breaks open watches in the middle of their chunked answer. */
	cutWatches(which: (resource: FakeResource) => boolean = () => true): void {
		for (const watch of [...this.#watches].filter(({ resource }) => which(resource))) {
			watch.response.destroy();
			this.#watches.delete(watch);
		}
	}

	/** Ends open watches in order, as after `timeoutSeconds`. */
	closeWatches(): void {
		for (const watch of this.#watches) {
			watch.response.end();
		}
	}

	/** Leaves open watches open, and never sends them anything again. */
	silenceWatches(): void {
		for (const watch of this.#watches) {
			watch.isSilent = true;
		}
	}

	/** Sends raw text on every open watch. */
	say(text: string): void {
		for (const watch of this.#watches) {
			watch.response.write(text);
		}
	}

	/** Tells open watches how far they are. */
	bookmark(): void {
		this.say(
			`${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: this.resourceVersion } } })}\n`,
		);
	}

	/** Closes the port and every connection; `listen` opens it again with the same objects. */
	async stop(): Promise<void> {
		this.#watches.clear();
		const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
		this.#server.closeAllConnections();
		await closed;
	}

	#find(group: string, plural: string): FakeResource {
		const found = this.#resources.find((entry) => entry.group === group && entry.plural === plural);
		if (found === undefined) {
			throw new Error(`Cannot find ${plural}.${group}: not installed`);
		}
		return found;
	}

	#emit(event: LoggedEvent): void {
		this.#log.push(event);
		for (const watch of this.#watches) {
			const isDue = watch.resource === event.resource && event.version > watch.from && !watch.isSilent;
			if (isDue && !watch.response.writableEnded) {
				watch.response.write(line(event));
			}
		}
	}

	#handle(request: IncomingMessage, response: ServerResponse): void {
		const url = new URL(request.url ?? "/", "http://fake");
		this.requests.push(`${request.method} ${url.pathname}${url.search}`);
		const isWatch = url.searchParams.get("watch") === "true";
		const isInitialWatch = url.searchParams.get("sendInitialEvents") === "true";
		if (
			this.fault?.(
				{ url, headers: request.headers, socket: request.socket, isWatch, isInitialWatch },
				response,
			) === true
		) {
			return;
		}
		if (url.pathname === "/readyz") {
			response.end("ok");
			return;
		}
		if (url.pathname === "/apis") {
			answer(response, 200, this.#groups());
			return;
		}
		const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
		const [group, version, ...rest] = parts[0] === "api" ? ["", ...parts.slice(1)] : parts.slice(1);
		if (rest.length === 0 && group !== undefined && version !== undefined) {
			const resources = this.#resources.filter(
				(entry) => entry.group === group && entry.versions.includes(version),
			);
			answer(response, resources.length === 0 ? 404 : 200, {
				kind: "APIResourceList",
				resources: resources.map(({ plural }) => ({ name: plural })),
			});
			return;
		}
		const namespace = rest[0] === "namespaces" && rest.length > 2 ? (rest[1] ?? "") : undefined;
		const [plural, name] = namespace === undefined ? rest : rest.slice(2);
		const resource = this.#resources.find(
			(entry) => entry.group === group && entry.plural === plural && entry.versions.includes(version ?? ""),
		);
		if (resource === undefined) {
			response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
		} else if (name !== undefined) {
			const object = resource.objects.get(`${namespace ?? ""}/${name}`);
			answer(
				response,
				object === undefined ? 404 : 200,
				object ?? failure(404, "NotFound", `"${name}" not found`),
			);
		} else if (isWatch) {
			this.#watch(resource, url.searchParams, response);
		} else {
			this.#list(resource, url.searchParams, response);
		}
	}

	#groups(): unknown {
		const names = new Set(this.#resources.map(({ group }) => group).filter((group) => group !== ""));
		const groups = [...names].map((name) => ({
			name,
			versions: [
				...new Set(this.#resources.filter(({ group }) => group === name).flatMap(({ versions }) => versions)),
			].map((version) => ({ version })),
		}));
		return { kind: "APIGroupList", groups };
	}

	#list(resource: FakeResource, query: URLSearchParams, response: ServerResponse): void {
		const limit = Number(query.get("limit") ?? 0);
		const [from, at] = (query.get("continue") ?? `0:${this.#version}`).split(":").map(Number);
		if (at === undefined || from === undefined || at < this.#oldest) {
			answer(response, 410, failure(410, "Expired", "The provided continue parameter is too old"));
			return;
		}
		const all = [...resource.objects.values()];
		const items = limit > 0 ? all.slice(from, from + limit) : all;
		const next = limit > 0 && from + limit < all.length ? `${from + limit}:${at}` : undefined;
		answer(response, 200, {
			kind: "List",
			metadata: { resourceVersion: String(at), ...(next === undefined ? {} : { continue: next }) },
			items,
		});
	}

	#watch(resource: FakeResource, query: URLSearchParams, response: ServerResponse): void {
		const isInitial = query.get("sendInitialEvents") === "true";
		if (isInitial && this.watchList === "refused") {
			answer(response, 422, failure(422, "Invalid", "sendInitialEvents: Forbidden: is forbidden for watch"));
			return;
		}
		const from = Number(query.get("resourceVersion") ?? "0");
		response.writeHead(200, { "content-type": "application/json" });
		response.flushHeaders();
		if (!isInitial && from < this.#oldest) {
			response.end(
				`${JSON.stringify({ type: "ERROR", object: failure(410, "Expired", "too old resource version") })}\n`,
			);
			return;
		}
		const watch = { resource, response, from: isInitial ? 0 : from, isSilent: false };
		this.#watches.add(watch);
		response.on("close", () => this.#watches.delete(watch));
		if (isInitial) {
			for (const object of resource.objects.values()) {
				response.write(`${JSON.stringify({ type: "ADDED", object })}\n`);
			}
			if (this.watchList === "served") {
				const annotations = { "k8s.io/initial-events-end": "true" };
				const metadata = { resourceVersion: this.resourceVersion, annotations };
				response.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
			}
			return;
		}
		for (const event of this.#log) {
			if (event.resource === resource && event.version > from) {
				response.write(line(event));
			}
		}
	}
}

function line(event: LoggedEvent): string {
	return `${JSON.stringify({ type: event.type, object: event.object })}\n`;
}

/** A Status object that says what went wrong. */
export function failure(code: number, reason: string, message: string): object {
	return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}

/** Answers with JSON. */
export function answer(
	response: ServerResponse,
	status: number,
	body: unknown,
	headers: Record<string, string> = {},
): void {
	response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
