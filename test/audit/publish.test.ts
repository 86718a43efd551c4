import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReportServer } from "../../src/audit/publish.ts";
import { publishReports } from "../../src/audit/publish.ts";
import { touchedNamespaces } from "../../src/audit/run.ts";
import type { AnyObject } from "../../src/core/kinds.ts";

const passed = { summary: { pass: 1, fail: 0, warn: 0, error: 0, skip: 0 }, results: [] };

/** An API server that takes some time for each write, and what it was asked. */
function slowServer(takesMs: number): ReportServer & { readonly order: string[]; most(): number } {
	const order: string[] = [];
	let now = 0;
	let most = 0;
	return {
		order,
		most: () => most,
		async request(method, path) {
			if (method === "GET") {
				return { items: [] };
			}
			order.push(path.split("/")[5] ?? "");
			now += 1;
			most = Math.max(most, now);
			await sleep(takesMs);
			now -= 1;
			return {};
		},
	};
}

async function until(what: () => boolean): Promise<void> {
	for (const end = Date.now() + 10_000; !what(); await sleep(5)) {
		assert.ok(Date.now() < end);
	}
}

describe("publishReports()", () => {
	test("writes many at once, but no more than 32, and first what is worse than before", async () => {
		const server = slowServer(200);
		const stop = new AbortController();
		const complete = Promise.withResolvers<void>();
		const publisher = publishReports(
			{
				server,
				api: "openreports",
				content: () => passed,
				complete: complete.promise,
				cluster: undefined,
				log: { info() {}, warn() {} },
			},
			stop.signal,
		);
		for (let index = 0; index < 100; index++) {
			publisher.touch(`calm-${index}`);
		}
		for (let index = 0; index < 10; index++) {
			publisher.touch(`worse-${index}`, true);
		}
		complete.resolve();
		await until(() => publisher.status().written === 110);
		stop.abort();
		await publisher.ended;
		assert.equal(server.most(), 32);
		assert.ok(server.order.slice(0, 10).every((namespace) => namespace.startsWith("worse-")));
	});
});

describe("publishReports() in the midst of many", () => {
	test("writes what becomes worse before the rest of them, and once", async () => {
		const server = slowServer(5);
		const stop = new AbortController();
		const publisher = publishReports(
			{
				server,
				api: "openreports",
				content: () => passed,
				complete: Promise.resolve(),
				cluster: undefined,
				log: { info() {}, warn() {} },
			},
			stop.signal,
		);
		for (let index = 0; index < 500; index++) {
			publisher.touch(`calm-${index}`);
		}
		await until(() => server.order.length > 50);
		const begun = server.order.length;
		publisher.touch("worse", true);
		publisher.touch("calm-499", true);
		await until(() => publisher.status().written === 501);
		stop.abort();
		await publisher.ended;
		const at = (namespace: string): number => server.order.indexOf(namespace);
		assert.ok(
			at("worse") <= begun && at("calm-499") <= begun + 1,
			`${at("worse")} ${at("calm-499")} ${begun}`,
		);
		assert.equal(server.order.length, 501, "none twice");
	});
});

describe("publishReports() when things go wrong", () => {
	/** An API server that has reports, or not, and may refuse a request. */
	function storing(): ReportServer & {
		readonly stored: Map<string, string>;
		refuse: (method: string, namespace: string) => Error | undefined;
		hasCrd: boolean;
	} {
		const stored = new Map<string, string>();
		const failure = (status: number, message: string): Error => Object.assign(new Error(message), { status });
		return {
			stored,
			refuse: () => undefined,
			hasCrd: true,
			async request(method, path, options) {
				await sleep(1);
				const namespace = path.includes("/namespaces/") ? (path.split("/")[5] ?? "") : "";
				const refusal = this.refuse(method, namespace);
				if (refusal !== undefined) {
					throw refusal;
				}
				if (!this.hasCrd) {
					throw failure(404, "the server could not find the requested resource");
				}
				if (method === "GET") {
					const items = [...stored].map(([name, digest]) => ({
						metadata: {
							name: "waymark",
							namespace: name,
							annotations: { "egress.waymark.dev/digest": digest },
						},
					}));
					return { items: path.includes("clusterreports") ? [] : items };
				}
				const { metadata } = (options?.body ?? {}) as AnyObject;
				stored.set(namespace, metadata?.annotations?.["egress.waymark.dev/digest"] ?? "");
				return {};
			},
		};
	}
	function publish(server: ReportServer, signal: AbortSignal) {
		return publishReports(
			{
				server,
				api: "openreports",
				content: (namespace) => (namespace === "" ? undefined : passed),
				complete: Promise.resolve(),
				cluster: undefined,
				log: { info() {}, warn() {} },
				times: { restMs: 10, lookMs: 10, againMs: 10, checkMs: 100 },
			},
			signal,
		);
	}
	const names = Array.from({ length: 50 }, (_, index) => `team-${index}`);

	test("goes on where a namespace ends while its report is written", async () => {
		const server = storing();
		server.refuse = (method, namespace) =>
			method === "PATCH" && namespace === "team-7"
				? Object.assign(new Error("namespace team-7 is forbidden: because it is being terminated"), {
						status: 403,
					})
				: undefined;
		const stop = new AbortController();
		const publisher = publish(server, stop.signal);
		names.forEach((name) => void publisher.touch(name));
		await until(() => server.stored.size === 49);
		await until(() => publisher.status().state === "publishing");
		assert.equal(publisher.status().waiting, 0);
		stop.abort();
		await publisher.ended;
	});

	test("loses nothing while the API server is away, and says so meanwhile", async () => {
		const server = storing();
		const stop = new AbortController();
		const publisher = publish(server, stop.signal);
		await until(() => publisher.status().state === "publishing");
		server.refuse = () => new Error("connect ECONNREFUSED");
		names.forEach((name) => void publisher.touch(name));
		await until(() => publisher.status().state === "failing");
		assert.match(publisher.status().problem ?? "", /ECONNREFUSED/);
		server.refuse = () => undefined;
		await until(() => server.stored.size === 50);
		await until(() => publisher.status().state === "publishing");
		stop.abort();
		await publisher.ended;
	});

	test("writes all reports again when their CRD was away, and one that somebody deleted", async () => {
		const server = storing();
		const stop = new AbortController();
		const publisher = publish(server, stop.signal);
		names.forEach((name) => void publisher.touch(name));
		await until(() => server.stored.size === 50);
		server.hasCrd = false;
		server.stored.clear();
		await until(() => publisher.status().state === "missing");
		server.hasCrd = true;
		await until(() => server.stored.size === 50);
		server.stored.delete("team-3");
		await until(() => server.stored.has("team-3"));
		stop.abort();
		await publisher.ended;
	});
});

describe("touchedNamespaces()", () => {
	test("knows whether something in a namespace is worse than it was", () => {
		const touched = touchedNamespaces();
		const entry = (namespace: string, hosts: readonly ("governed" | "direct")[]) => ({
			kind: "ServiceEntry" as const,
			apiVersion: "networking.istio.io/v1",
			namespace,
			name: "a",
			uid: undefined,
			findings: [],
			omitted: 0,
			hosts,
			lost: undefined,
		});
		touched.add({ before: entry("lost", ["governed"]), after: entry("lost", ["direct"]) });
		touched.add({ before: entry("won", ["direct"]), after: entry("won", ["governed"]) });
		touched.add({ before: entry("lost", ["governed"]), after: undefined });
		assert.deepEqual(touched.take(), [
			{ name: "lost", isWorse: true },
			{ name: "won", isWorse: false },
		]);
		assert.deepEqual(touched.take(), []);
	});
});
