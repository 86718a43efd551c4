import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReportServer } from "../../src/audit/publish.ts";
import { publishReports } from "../../src/audit/publish.ts";
import { touchedNamespaces } from "../../src/audit/run.ts";

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
		const server = slowServer(20);
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
