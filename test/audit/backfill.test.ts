import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Backfill, BackfillExtent } from "../../src/audit/backfill.ts";
import { startBackfill, unboundEntry } from "../../src/audit/backfill.ts";
import type { Notice } from "../../src/audit/events.ts";
import type { ReportServer } from "../../src/audit/publish.ts";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { AnyObject, ServiceEntry } from "../../src/core/kinds.ts";
import {
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { exampleDay, world } from "../support/rule-example.ts";

const engine = createEngine(rules);
const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };

function stored(name: string, changes: object = {}): ServiceEntry {
	const { metadata } = plainEntry;
	return withSpec(
		{ ...plainEntry, metadata: { ...metadata, name, uid: `uid-${name}` } } as typeof plainEntry,
		{
			hosts: [`${name}.example.com`],
			...changes,
		},
	) as ServiceEntry;
}

function worldOf(...entries: readonly AnyObject[]): ClusterState {
	return world([teamNamespace, egressNamespace, egressWaypoint, ...entries]);
}

const found = (state: ClusterState, entry: ServiceEntry) => unboundEntry(engine, state, entry, exampleDay);

describe("unboundEntry()", () => {
	test("gives the two labels of an entry that the policy binds when it is written, and nothing else", () => {
		const entry = stored("a");
		assert.deepEqual(found(worldOf(entry), entry), {
			namespace: "team",
			name: "a",
			uid: "uid-a",
			apiVersion: plainEntry.apiVersion,
			labels: bound,
		});
	});

	test("gives nothing where the mode fixes nothing, where there is no waypoint, or for one that is bound", () => {
		const entry = stored("a");
		for (const mode of ["audit", "off"]) {
			const namespace = withAnnotations(teamNamespace, { "egress.waymark.dev/mode": mode });
			assert.equal(found(world([namespace, egressNamespace, egressWaypoint, entry]), entry), undefined);
		}
		assert.equal(found(world([teamNamespace, egressNamespace, entry]), entry), undefined);
		const right = { ...entry, metadata: { ...entry.metadata, labels: bound } } as ServiceEntry;
		assert.equal(found(worldOf(right), right), undefined);
	});

	test("gives nothing for an entry that breaks a rule as an error once it is bound, or that is being deleted", () => {
		const wild = stored("wild", { hosts: ["*.example.com"], resolution: "NONE" });
		assert.equal(found(worldOf(wild), wild), undefined);
		const entry = stored("a");
		const going = {
			...entry,
			metadata: { ...entry.metadata, deletionTimestamp: "2026-11-23T10:00:00Z" },
		} as ServiceEntry;
		assert.equal(found(worldOf(going), going), undefined);
	});
});

/** An API server with istiod beside it, which calls entries bound or not, and a world that follows it. */
function server(
	state: ClusterState,
	status: (name: string) => string | undefined,
): ReportServer & { readonly writes: object[] } {
	const writes: object[] = [];
	return {
		writes,
		async request(method, path, options) {
			const name = path.split("/").at(-1) ?? "";
			if (method === "PATCH") {
				writes.push({ ...options?.query, ...(options?.body as object) });
				const old = state.get("ServiceEntry", "team", name);
				if (old === undefined) {
					throw Object.assign(new Error("uid mismatch: the provided object specified uid"), { status: 409 });
				}
				const { labels } = (options?.body as AnyObject | undefined)?.metadata ?? {};
				state.set("ServiceEntry", { ...old, metadata: { ...old.metadata, labels } } as ServiceEntry);
			}
			return {
				status: { conditions: [{ type: "istio.io/WaypointBound", status: status(name), message: "why" }] },
			};
		},
	};
}

async function run(
	state: ClusterState,
	api: ReportServer,
	extent: BackfillExtent,
	until: (backfill: Backfill) => boolean,
): Promise<{ readonly backfill: Backfill; readonly notices: readonly Notice[] }> {
	const stop = new AbortController();
	const notices: Notice[] = [];
	const backfill = startBackfill(
		{
			extent,
			engine,
			inventory: state,
			server: api,
			complete: Promise.resolve(),
			today: () => exampleDay,
			log: { info: () => {}, error: () => {} },
			onHalt: (notice) => notices.push(notice),
			times: { restMs: 1, boundMs: 50, lookMs: 5 },
		},
		stop.signal,
	);
	for (const end = Date.now() + 10_000; !until(backfill); ) {
		assert.ok(Date.now() < end, JSON.stringify(backfill.status()));
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	stop.abort();
	await backfill.ended;
	return { backfill, notices };
}

describe("startBackfill()", () => {
	test("with report only counts", async () => {
		const state = worldOf(stored("a"), stored("b"));
		const api = server(state, () => "True");
		const { backfill } = await run(state, api, "report", (each) => each.status().pending === 2);
		assert.equal(backfill.status().state, "reporting");
		assert.deepEqual(api.writes, []);
	});

	test("with apply writes uid and labels of each entry, and nothing else, until none is left", async () => {
		const state = worldOf(stored("a"), stored("b"));
		const api = server(state, () => "True");
		const { backfill } = await run(state, api, "apply", (each) => each.status().state === "done");
		assert.deepEqual(backfill.status(), { state: "done", pending: 0, bound: 2, problem: undefined });
		assert.deepEqual(
			api.writes,
			["a", "b"].map((name) => ({
				fieldManager: "waymark-backfill",
				force: "true",
				apiVersion: plainEntry.apiVersion,
				kind: "ServiceEntry",
				metadata: { namespace: "team", name, uid: `uid-${name}`, labels: bound },
			})),
		);
	});

	test("binds no entry twice, be the watch slow or the labels taken off again", async () => {
		const state = worldOf(stored("a"), stored("b"));
		const api = server(state, () => "True");
		const frozen = worldOf(stored("a"), stored("b"));
		const { backfill } = await run(frozen, api, "apply", (each) => each.status().state === "done");
		assert.equal(backfill.status().bound, 2);
		assert.equal(api.writes.length, 2);
	});

	test("stops at the first entry that istiod does not call bound, and says which", async () => {
		const state = worldOf(stored("a"), stored("b"), stored("c"));
		const api = server(state, (name) => (name === "b" ? "False" : "True"));
		const { backfill, notices } = await run(state, api, "apply", (each) => each.status().state === "halted");
		assert.equal(api.writes.length, 2);
		assert.deepEqual(backfill.status(), {
			state: "halted",
			pending: 2,
			bound: 1,
			problem: "team/b: not bound 0.05 s after it got its labels: WaypointBound is False: why",
		});
		assert.deepEqual(
			notices.map(({ about, reason }) => [about.name, reason]),
			[["b", "Backfill"]],
		);
	});

	test("binds an entry only as it was judged: one that its author wrote meanwhile is looked at again", async () => {
		const versioned = (version: string, labels: object = {}): ServiceEntry => {
			const entry = stored("a");
			return { ...entry, metadata: { ...entry.metadata, resourceVersion: version, labels } } as ServiceEntry;
		};
		const state = worldOf(versioned("1"));
		const written: unknown[] = [];
		const api: ReportServer = {
			async request(_, __, options) {
				const { metadata } = (options?.body ?? {}) as AnyObject;
				written.push(metadata?.resourceVersion);
				// The author has opted out in the meantime, and the watch brings it after the refusal.
				state.set("ServiceEntry", versioned("2", { "istio.io/use-waypoint": "none" }));
				throw Object.assign(new Error("the object has been modified"), { status: 409 });
			},
		};
		const { backfill } = await run(state, api, "apply", (each) => each.status().state === "done");
		assert.deepEqual(written, ["1"]);
		assert.equal(backfill.status().bound, 0);
		assert.equal(state.get("ServiceEntry", "team", "a")?.metadata?.labels?.["istio.io/use-waypoint"], "none");
	});

	test("binds nothing that a policy no longer asks for when its turn comes", async () => {
		const state = worldOf(stored("a"), stored("b"));
		const inner = server(state, () => "True");
		const api: ReportServer = {
			request(method, path, options) {
				state.set(
					"Namespace",
					withAnnotations(teamNamespace, { "egress.waymark.dev/mode": "audit" }) as typeof teamNamespace,
				);
				return inner.request(method, path, options);
			},
		};
		const { backfill } = await run(state, api, "apply", (each) => each.status().state === "done");
		assert.equal(backfill.status().bound, 1);
		assert.equal(inner.writes.length, 1);
	});

	test("stops when the API server refuses a write", async () => {
		const state = worldOf(stored("a"));
		const api: ReportServer = {
			request: () => Promise.reject(Object.assign(new Error("forbidden"), { status: 403 })),
		};
		const { backfill } = await run(state, api, "apply", (each) => each.status().state === "halted");
		assert.equal(backfill.status().problem, "team/a: forbidden");
	});
});
