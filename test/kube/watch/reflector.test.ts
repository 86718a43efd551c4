import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { Connection } from "../../../src/kube/client/connection.ts";
import { connect } from "../../../src/kube/client/connection.ts";
import type { RestartReason } from "../../../src/kube/watch/backoff.ts";
import type { EventPace } from "../../../src/kube/watch/event-pace.ts";
import { createEventPace } from "../../../src/kube/watch/event-pace.ts";
import { KindStore } from "../../../src/kube/watch/kind-store.ts";
import type { ReflectorLimits } from "../../../src/kube/watch/reflector.ts";
import { Reflector } from "../../../src/kube/watch/reflector.ts";
import { answer, FakeApiServer, failure } from "../../support/fake-api-server.ts";
import { until } from "../../support/until.ts";

const group = "networking.istio.io";
const plural = "serviceentries";

/** A reflector of ServiceEntries and the world that it feeds. */
interface Rig {
	readonly reflector: Reflector;
	readonly world: Map<string, AnyObject>;
	readonly reasons: RestartReason[];
	readonly replaced: () => number;
}

describe("reflector", () => {
	let server: FakeApiServer;
	let connection: Connection;
	let rigs: Rig[];
	const rejections: unknown[] = [];
	const onRejection = (reason: unknown): void => {
		rejections.push(reason);
	};

	beforeEach(async () => {
		process.on("unhandledRejection", onRejection);
		server = new FakeApiServer();
		server.install(group, plural, ["v1", "v1beta1"]);
		await server.listen();
		connection = connect(server.credentials(), { headersMs: 1000 });
		rigs = [];
	});

	afterEach(async () => {
		for (const { reflector } of rigs) {
			await reflector.stop();
		}
		await until("every watch is closed", () => server.openWatches === 0);
		await connection.stop();
		await server.stop();
		process.off("unhandledRejection", onRejection);
		assert.deepEqual(rejections.splice(0), []);
	});

	function follow(
		limits: Partial<ReflectorLimits> = {},
		project: (raw: unknown) => AnyObject = (raw) => raw as AnyObject,
		pace: EventPace = createEventPace(() => performance.now()),
	): Rig {
		const world = new Map<string, AnyObject>();
		const key = (object: AnyObject): string => `${object.metadata?.namespace}/${object.metadata?.name}`;
		let replaced = 0;
		const store = new KindStore(project, {
			replace(objects) {
				replaced++;
				world.clear();
				for (const object of objects) {
					world.set(key(object), object);
				}
			},
			set: (object) => world.set(key(object), object),
			delete: (namespace, name) => world.delete(`${namespace}/${name}`),
		});
		const reasons: RestartReason[] = [];
		const reflector = new Reflector({
			connection,
			resource: { group, plural, versions: ["v1", "v1beta1", "v1alpha3"] },
			store,
			metadataOnly: false,
			limits,
			pace,
			observer: { ended: (reason) => reasons.push(reason) },
		});
		reflector.start();
		const rig = { reflector, world, reasons, replaced: () => replaced };
		rigs.push(rig);
		return rig;
	}

	function put(name: string, fields: object = {}, namespace = "a"): string {
		return server.put(group, plural, { metadata: { name, namespace }, ...fields });
	}

	function isFresh({ world }: Rig): boolean {
		const fresh = server.objects(group, plural);
		const text = (object: unknown): string => JSON.stringify(object);
		return (
			fresh.length === world.size &&
			fresh.every((object) => {
				const own = world.get(`${object.metadata.namespace}/${object.metadata.name}`);
				return own !== undefined && text(own) === text(object);
			})
		);
	}

	const fresh = (rig: Rig, limitMs?: number): Promise<number> =>
		until("the world equals a fresh list", () => isFresh(rig), limitMs);

	test("Reflector halves the pages of a list that is too long, down to single objects", async () => {
		server.watchList = "refused";
		for (let i = 0; i < 9; i++) {
			put(`large-${i}`, { spec: { hosts: ["x".repeat(40_000)] } });
		}
		const rig = follow({ pageSize: 8, pageBytes: 100_000 });
		await rig.reflector.synced;
		assert.equal(rig.world.size, 9);
		const limits = server.requests.flatMap((request) => /[?&]limit=(\d+)/.exec(request)?.[1] ?? []);
		assert.deepEqual(limits.slice(0, 4), ["8", "4", "2", "8"]);
	});

	test("Reflector rests for as long as an event took, so that one that takes long leaves others their time", async () => {
		const tookMs = 20;
		const gaps: number[] = [];
		let ended = 0;
		const rig = follow({}, (raw) => {
			const begun = performance.now();
			gaps.push(begun - ended);
			while (performance.now() - begun < tookMs) {
				// As long as a large object takes.
			}
			ended = performance.now();
			return raw as AnyObject;
		});
		await rig.reflector.synced;
		for (let i = 0; i < 12; i++) {
			// More than a chunk of a socket, so that each comes by itself.
			put(`large-${i}`, { spec: { hosts: ["x".repeat(200_000)] } });
		}
		await until("all have come", () => rig.world.size === 12);
		const rests = gaps.slice(1).toSorted((a, b) => a - b);
		assert.ok((rests[rests.length >> 1] ?? 0) >= tookMs * 0.9, rests.join(" "));
	});

	test("Reflectors with one pace take turns with everybody else, not each for itself", async () => {
		const tookMs = 20;
		let working = 0;
		const work = (raw: unknown): AnyObject => {
			const begun = performance.now();
			while (performance.now() - begun < tookMs) {
				// As long as a large object takes.
			}
			working += performance.now() - begun;
			return raw as AnyObject;
		};
		const pace = createEventPace(() => performance.now());
		const rigs = [1, 2, 3].map(() => follow({}, work, pace));
		await Promise.all(rigs.map((rig) => rig.reflector.synced));
		working = 0;
		const begun = performance.now();
		for (let i = 0; i < 6; i++) {
			put(`large-${i}`, { spec: { hosts: ["x".repeat(200_000)] } });
		}
		await until("all have come", () => rigs.every((rig) => rig.world.size === 6));
		const share = working / (performance.now() - begun);
		assert.ok(share <= 0.6, `${share} of the loop`);
	});

	test("Reflector lists with a WatchList and follows what happens", async () => {
		put("one");
		const rig = follow();
		await rig.reflector.synced;
		assert.equal(rig.world.size, 1);
		put("two");
		put("one", { spec: { hosts: ["a.example"] } });
		server.remove(group, plural, "a", "one");
		await fresh(rig);
		assert.deepEqual([...rig.world.keys()], ["a/two"]);
		assert.equal(server.openWatches, 1);
		assert.equal(server.requests.length, 1);
	});

	for (const watchList of ["refused", "ignored"] as const) {
		test(`Reflector lists in pages when sendInitialEvents is ${watchList}`, async () => {
			server.watchList = watchList;
			for (let i = 0; i < 25; i++) {
				put(`entry-${i}`);
			}
			const rig = follow({ pageSize: 10, initialIdleMs: 100 });
			await rig.reflector.synced;
			assert.equal(rig.world.size, 25);
			assert.equal(server.requests.filter((request) => request.includes("limit=10")).length, 3);
			await until("a watch is open", () => rig.reflector.status().following);
			put("late");
			await fresh(rig);
			assert.equal(rig.replaced(), 1);
		});
	}

	test("Reflector is not synced before the initial events have ended", async () => {
		put("one");
		server.watchList = "ignored";
		const rig = follow();
		await until("the watch is open", () => server.openWatches === 1);
		await sleep(50);
		assert.equal(rig.reflector.status().synced, false);
		assert.equal(rig.world.size, 0);
	});

	test("Reflector resumes a watch that was closed or cut, without a new list, a loss or a repetition", async () => {
		const rig = follow();
		await rig.reflector.synced;
		for (let round = 0; round < 5; round++) {
			put(`before-${round}`);
			if (round % 2 === 0) {
				server.cutWatches();
			} else {
				server.closeWatches();
			}
			put(`meanwhile-${round}`);
			await fresh(rig);
		}
		assert.equal(rig.replaced(), 1);
		assert.equal(rig.world.size, 10);
		assert.ok(server.requests.slice(1).every((request) => /resourceVersion=\d+/.test(request)));
	});

	test("Reflector resumes from a bookmark", async () => {
		const rig = follow();
		await rig.reflector.synced;
		server.install(group, "gateways", ["v1"]);
		server.put(group, "gateways", { metadata: { name: "other" } });
		server.bookmark();
		await sleep(20);
		const asOfBookmark = server.resourceVersion;
		server.cutWatches();
		await until("the watch is open again", () => server.requests.length === 2);
		assert.match(server.requests[1] ?? "", new RegExp(`resourceVersion=${asOfBookmark}`));
	});

	for (const how of ["as HTTP status", "as ERROR event"]) {
		test(`Reflector lists again when its resourceVersion has expired, told ${how}, and drops what vanished`, async () => {
			put("stays");
			put("goes");
			const rig = follow();
			await rig.reflector.synced;
			const kept = rig.world.get("a/stays");
			server.fault = ({ isInitialWatch }, response) => {
				if (isInitialWatch || how === "as ERROR event") {
					return false;
				}
				answer(response, 410, failure(410, "Expired", "too old resource version"));
				return true;
			};
			server.silenceWatches();
			server.remove(group, plural, "a", "goes");
			put("comes");
			server.compact();
			server.cutWatches();
			await fresh(rig);
			assert.deepEqual([...rig.world.keys()].sort(), ["a/comes", "a/stays"]);
			assert.equal(rig.world.get("a/stays"), kept);
			assert.ok(rig.reasons.includes("expired"));
		});
	}

	for (const { status, reason } of [
		{ status: 500, reason: "unavailable" },
		{ status: 503, reason: "unavailable" },
		{ status: 429, reason: "throttled" },
		{ status: 403, reason: "forbidden" },
		{ status: 401, reason: "unauthorized" },
	] as const) {
		test(`Reflector keeps its world while the server answers ${status}, and is fresh soon after`, async () => {
			put("one");
			const rig = follow();
			await rig.reflector.synced;
			server.fault = (_, response) => {
				answer(response, status, failure(status, "Backoff", "no"));
				return true;
			};
			server.cutWatches();
			put("two");
			await until("two refusals", () => rig.reasons.filter((each) => each === reason).length >= 2);
			assert.equal(rig.world.size, 1);
			assert.equal(rig.reflector.status().problem, "no");
			server.fault = undefined;
			assert.ok((await fresh(rig)) < 2000);
			await until("a watch is open", () => rig.reflector.status().following);
			assert.equal(rig.reflector.status().problem, undefined);
		});
	}

	test("Reflector waits as long as Retry-After asks", async () => {
		const times: number[] = [];
		server.fault = (_, response) => {
			times.push(performance.now());
			if (times.length > 1) {
				return false;
			}
			answer(response, 429, failure(429, "TooManyRequests", "slow down"), { "retry-after": "1" });
			return true;
		};
		const rig = follow();
		await rig.reflector.synced;
		assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, `${times}`);
	});

	test("Reflector survives a list of truncated JSON and one without items", async () => {
		server.watchList = "refused";
		put("one");
		let lists = 0;
		server.fault = ({ isWatch }, response) => {
			lists += isWatch ? 0 : 1;
			if (isWatch || lists > 2) {
				return false;
			}
			response.writeHead(200, { "content-type": "application/json" });
			response.end(lists === 1 ? '{"metadata":{"resourceVersion":"1"},"items":[{"meta' : "{}");
			return true;
		};
		const rig = follow();
		await rig.reflector.synced;
		assert.ok(isFresh(rig));
		assert.equal(rig.reasons.filter((reason) => reason === "malformed").length, 2);
	});

	test("Reflector loses nothing when a watch ends in the middle of an event", async () => {
		const rig = follow();
		await rig.reflector.synced;
		server.silenceWatches();
		put("one");
		server.say('{"type":"ADDED","object":{"metadata":{"name":"one","names');
		server.closeWatches();
		await fresh(rig);
		assert.ok(rig.reasons.includes("cut"));
	});

	test("Reflector lists again after a garbled event came twice", async () => {
		const rig = follow();
		await rig.reflector.synced;
		server.say("{nonsense}\n");
		await until("the watch is open again", () => server.requests.length === 2 && server.openWatches === 1);
		server.say("{nonsense}\n");
		await until("a new list", () => rig.replaced() === 2);
	});

	test("Reflector breaks a watch that is open but silent", async () => {
		const rig = follow({ idleMs: 200 });
		await rig.reflector.synced;
		server.silenceWatches();
		put("unheard");
		await fresh(rig);
		assert.ok(rig.reasons.includes("silent"));
	});

	test("Reflector notices that etcd went back in time, though its watch is told of nothing", async () => {
		put("before");
		const rig = follow({ idleMs: 100 });
		await rig.reflector.synced;
		server.restoreBackup(10);
		put("after");
		await fresh(rig);
		assert.deepEqual(rig.reasons.slice(0, 3), ["cut", "silent", "silent"]);
	});

	test("Reflector refuses an event without end", async () => {
		const rig = follow({ lineBytes: 1000 });
		await rig.reflector.synced;
		server.say("x".repeat(2000));
		await until("the watch was given up", () => rig.reasons.includes("oversized"));
	});

	test("Reflector survives a server that is stopped and started", async () => {
		put("one");
		const rig = follow();
		await rig.reflector.synced;
		const { port } = server;
		await server.stop();
		await until("it is noticed", () => rig.reasons.includes("unreachable"));
		assert.equal(rig.world.size, 1);
		put("two");
		await server.listen(port);
		assert.ok((await fresh(rig)) < 2000);
	});

	test("Reflector takes no notice of steps of the wall clock", async (context) => {
		const rig = follow({ idleMs: 5000 });
		await rig.reflector.synced;
		const { now } = Date;
		const day = 24 * 3_600_000;
		for (const step of [day, -day]) {
			context.mock.method(Date, "now", () => now() + step);
			put(`entry${step}`);
			server.cutWatches();
			put(`meanwhile${step}`);
			assert.ok((await fresh(rig)) < 1000);
			context.mock.restoreAll();
		}
		assert.deepEqual(rig.reasons, ["cut", "cut"]);
	});

	test("Reflector survives a watch that is cut all the time under changes", async () => {
		const rig = follow();
		await rig.reflector.synced;
		for (let i = 0; i < 100; i++) {
			put(`entry-${i % 10}`, { spec: { hosts: [`h${i}.example`] } });
			if (i % 3 === 0) {
				server.cutWatches();
			}
			await sleep(5);
		}
		await fresh(rig);
		assert.equal(rig.replaced(), 1);
	});

	test("Reflector takes a flood of 5,000 changes", async () => {
		const rig = follow();
		await rig.reflector.synced;
		for (let i = 0; i < 5000; i++) {
			put(`entry-${i % 700}`, { spec: { hosts: [`h${i}.example`] } });
		}
		await fresh(rig);
		assert.equal(rig.reflector.status().objects, 700);
	});

	test("Reflector counts a kind that is not installed as empty and synced, and picks it up and drops it", async () => {
		put("old");
		server.uninstall(group, plural);
		server.install(group, "gateways", ["v1"]);
		const rig = follow();
		await rig.reflector.synced;
		assert.deepEqual(
			[rig.world.size, rig.reflector.status().following, rig.reflector.status().problem],
			[0, true, undefined],
		);
		server.install(group, plural, ["v1beta1"]);
		put("new");
		await fresh(rig);
		assert.equal(rig.reflector.version, "v1beta1");
		server.uninstall(group, plural);
		await until("it is gone", () => rig.world.size === 0 && rig.reflector.version === undefined);
		server.install(group, plural, ["v1"]);
		put("again");
		await fresh(rig);
		assert.equal(rig.reflector.version, "v1");
	});

	test("Reflector does not take a 404 of a proxy for a missing kind", async () => {
		put("one");
		const rig = follow();
		await rig.reflector.synced;
		server.fault = (_, response) => {
			response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not here</h1>");
			return true;
		};
		server.cutWatches();
		await until("two attempts", () => rig.reasons.length >= 3);
		assert.equal(rig.world.size, 1);
		assert.equal(rig.reflector.status().following, false);
		server.fault = undefined;
		put("two");
		await fresh(rig);
	});

	test("Reflector asks at once for a missing kind when it is woken", async () => {
		server.uninstall(group, plural);
		const rig = follow();
		await rig.reflector.synced;
		await sleep(700);
		server.install(group, plural, ["v1"]);
		put("one");
		rig.reflector.wake();
		assert.ok((await fresh(rig)) < 300);
	});

	test("Reflector.stop() leaves no watch open, whenever it is called", async () => {
		put("one");
		for (let i = 0; i < 20; i++) {
			const rig = follow();
			await sleep(i % 5);
			await rig.reflector.stop();
			await until("the watch is closed", () => server.openWatches === 0);
		}
		// A request that was on its way when its reflector stopped may still arrive.
		await sleep(300);
		const requests = server.requests.length;
		await sleep(100);
		assert.equal(server.requests.length, requests);
	});

	test("Reflector.start() twice opens one watch", async () => {
		const rig = follow();
		rig.reflector.start();
		await rig.reflector.synced;
		await sleep(20);
		assert.equal(server.openWatches, 1);
	});
});
