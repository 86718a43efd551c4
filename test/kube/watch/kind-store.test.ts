import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { isNewer, KindStore } from "../../../src/kube/watch/kind-store.ts";
import { runs } from "../../support/long-form.ts";

/** A store, and the world that it feeds. */
function rig(): { store: KindStore; world: Map<string, AnyObject>; sets: AnyObject[] } {
	const world = new Map<string, AnyObject>();
	const sets: AnyObject[] = [];
	const key = (object: AnyObject): string => `${object.metadata?.namespace ?? ""}/${object.metadata?.name}`;
	const store = new KindStore(
		(raw) => ((raw as AnyObject)?.metadata?.name ? (raw as AnyObject) : undefined),
		{
			replace(objects) {
				world.clear();
				for (const object of objects) {
					world.set(key(object), object);
				}
			},
			set(object) {
				sets.push(object);
				world.set(key(object), object);
			},
			delete: (namespace, name) => world.delete(`${namespace}/${name}`),
		},
	);
	return { store, world, sets };
}

function object(name: string, version: number, fields: object = {}): AnyObject {
	return { metadata: { name, namespace: "a", resourceVersion: String(version) }, ...fields };
}

function synced(...objects: readonly AnyObject[]): ReturnType<typeof rig> {
	const made = rig();
	made.store.begin();
	for (const each of objects) {
		made.store.collect(each);
	}
	made.store.commit("100");
	return made;
}

test("KindStore ignores what it was told before", () => {
	const { store, world, sets } = synced();
	assert.equal(store.event({ type: "ADDED", object: object("x", 101) }), "applied");
	assert.equal(store.event({ type: "MODIFIED", object: object("x", 102) }), "applied");
	assert.equal(store.event({ type: "ADDED", object: object("x", 101) }), "ignored");
	assert.equal(store.event({ type: "DELETED", object: object("x", 101) }), "ignored");
	assert.equal(world.get("a/x")?.metadata?.resourceVersion, "102");
	assert.equal(sets.length, 2);
	assert.equal(store.resume, "102");
});

test("KindStore shows the old world until a new list is whole, then swaps", () => {
	const { store, world } = synced(object("stays", 1), object("goes", 2));
	store.begin();
	store.collect(object("stays", 1));
	store.collect(object("comes", 110));
	assert.deepEqual([...world.keys()], ["a/stays", "a/goes"]);
	store.commit("120");
	assert.deepEqual([...world.keys()], ["a/stays", "a/comes"]);
	assert.equal(store.size, 2);
	assert.equal(store.resume, "120");
});

test("KindStore takes its resourceVersion from the bookmark that ends initial events, not from the events", () => {
	const { store, world } = rig();
	store.begin();
	store.event({ type: "ADDED", object: object("x", 900) });
	store.event({ type: "BOOKMARK", object: { metadata: { resourceVersion: "950" } } });
	assert.equal(store.resume, undefined);
	assert.equal(world.size, 0);
	const annotations = { "k8s.io/initial-events-end": "true" };
	const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: "1000", annotations } } };
	assert.equal(store.event(bookmark), "synced");
	assert.equal(store.resume, "1000");
	assert.equal(world.size, 1);
});

test("KindStore.offer() takes only what is younger than all that the watch has said", () => {
	const { store, world } = synced(object("x", 90));
	assert.equal(store.offer(object("ghost", 95)), false);
	assert.equal(store.offer(object("early", 101)), true);
	assert.equal(store.resume, "100");
	assert.equal(store.event({ type: "ADDED", object: object("early", 101) }), "ignored");
	assert.equal(store.event({ type: "DELETED", object: object("early", 102) }), "applied");
	assert.deepEqual([...world.keys()], ["a/x"]);
	store.forget();
	assert.equal(store.offer(object("meanwhile", 95)), true);
	assert.deepEqual([...world.keys()], ["a/x", "a/meanwhile"]);
});

test("KindStore calls malformed what is no event", () => {
	const { store } = synced();
	for (const event of [
		null,
		1,
		"x",
		{},
		{ type: "ADDED" },
		{ type: "NEW", object: object("x", 1) },
		{ type: "BOOKMARK" },
	]) {
		assert.equal(store.event(event), "malformed", JSON.stringify(event));
	}
	assert.equal(store.event({ type: "ERROR", object: {} }), "error");
});

test("isNewer() compares resourceVersions as numbers of any length", () => {
	fc.assert(
		fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), (a, b) => {
			assert.equal(isNewer(String(a), String(b)), a > b);
		}),
	);
	assert.equal(isNewer("opaque-2", "opaque-1"), true);
	assert.equal(isNewer("opaque", "opaque"), false);
});

/** A history of one kind: writes in order, each with the next version. */
const history = fc.array(
	fc.record({ name: fc.constantFrom("a", "b", "c", "d"), deletes: fc.boolean(), value: fc.nat(5) }),
	{ maxLength: 40 },
);

test("KindStore equals the server's list after any cut, repeat and relist of its events", () => {
	fc.assert(
		fc.property(history, fc.infiniteStream(fc.nat(9)), (writes, dice) => {
			const { store, world } = rig();
			const truth = new Map<string, AnyObject>();
			const log: { type: string; object: AnyObject; version: number }[] = [];
			let version = 100;
			const roll = (): number => dice.next().value ?? 0;
			const relist = (): void => {
				store.begin();
				for (const each of truth.values()) {
					store.collect(structuredClone(each));
				}
				store.commit(String(version));
			};
			const catchUp = (from: number): void => {
				for (const event of log.filter((each) => each.version > from)) {
					store.event(structuredClone(event));
				}
			};
			relist();
			for (const { name, deletes, value } of writes) {
				version++;
				const known = truth.get(name);
				if (deletes && known !== undefined) {
					truth.delete(name);
					log.push({ type: "DELETED", object: object(name, version), version });
				} else {
					const next = object(name, version, { value });
					log.push({ type: known === undefined ? "ADDED" : "MODIFIED", object: next, version });
					truth.set(name, next);
				}
				const outcome = roll();
				if (outcome < 4) {
					catchUp(Number(store.resume));
				} else if (outcome < 6) {
					// A server that repeats what it has told.
					catchUp(Math.max(100, Number(store.resume) - 3));
				} else if (outcome === 6) {
					relist();
				} else if (outcome === 7 && truth.has(name)) {
					store.offer(truth.get(name));
				}
			}
			catchUp(Number(store.resume));
			const sorted = (objects: Iterable<AnyObject>): string[] =>
				[...objects].map((each) => JSON.stringify(each)).sort();
			assert.deepEqual(sorted(world.values()), sorted(truth.values()));
			assert.equal(store.size, truth.size);
		}),
		runs(1_000),
	);
});
