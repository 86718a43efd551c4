import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Connection } from "../../../src/kube/client/connection.ts";
import type { Keeper, KeepTimes } from "../../../src/kube/install/kept-objects.ts";
import { keepObjects } from "../../../src/kube/install/kept-objects.ts";

interface Thing {
	readonly metadata: {
		readonly namespace: string;
		readonly name: string;
		readonly uid?: string;
		readonly resourceVersion?: string;
	};
	readonly spec: string;
	readonly foreign?: true;
}

const thing = (name: string, spec: string): Thing => ({ metadata: { namespace: "shop", name }, spec });
const times: KeepTimes = { restMs: 20, longestMs: 200, calmMs: 10_000, writeMs: 1 };

/** Stores things as an API server does, and tells the keeper of each change, as a watch does. */
class Store {
	readonly things = new Map<string, Thing>();
	readonly writes: string[] = [];
	refusal: Error | undefined;
	#version = 0;
	#keeper: Keeper<Thing> | undefined;

	readonly server: Pick<Connection, "request"> = {
		request: async (method, path, options) => {
			await sleep(1);
			this.writes.push(`${method} ${path}`);
			if (this.refusal !== undefined) {
				throw this.refusal;
			}
			const name = path.slice(path.lastIndexOf("/") + 1);
			if (method === "DELETE") {
				this.set(name, undefined);
				return {};
			}
			const body = options?.body as Thing;
			// Apply leaves what others added.
			const foreign = method === "PATCH" && this.things.get(name)?.foreign === true;
			return this.set(name, foreign ? { ...body, foreign } : body);
		},
	};

	set(name: string, object: Thing | undefined): Thing | undefined {
		this.#version += 1;
		const stored =
			object === undefined
				? undefined
				: { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
		if (stored === undefined) {
			this.things.delete(name);
		} else {
			this.things.set(name, stored);
		}
		setTimeout(() => this.#keeper?.saw("shop", name), 1);
		return stored;
	}

	keep(context: TestContext, isOwn = true): Keeper<Thing> {
		const end = new AbortController();
		context.after(() => end.abort());
		this.#keeper = keepObjects<Thing>(
			{
				server: this.server,
				path: (namespace, name) => `/things/${namespace}/${name}`,
				stored: (_, name) => this.things.get(name),
				all: () => this.things.values(),
				isOwn: () => isOwn,
				isAsWanted: (stored, wanted) =>
					isDeepStrictEqual([stored.spec, stored.foreign], [wanted.spec, wanted.foreign]),
				log: { info: () => {}, warn: () => {} },
				times,
			},
			end.signal,
		);
		return this.#keeper;
	}
}

describe("keepObjects()", () => {
	it("keepObjects() writes what is wanted, nothing twice, and deletes what is wanted no longer", async (context) => {
		const store = new Store();
		store.set("right", thing("right", "a"));
		const keeper = store.keep(context);
		keeper.want([thing("right", "a"), thing("new", "b")]);
		await sleep(100);
		keeper.want([thing("right", "a"), thing("new", "b")]);
		await sleep(100);
		assert.deepEqual(store.writes, ["PATCH /things/shop/new"]);
		assert.equal(keeper.status().kept, 2);
		keeper.want([thing("right", "a")]);
		await sleep(100);
		assert.deepEqual(store.writes.slice(1), ["DELETE /things/shop/new"]);
		assert.deepEqual([...store.things.keys()], ["right"]);
	});

	it("keepObjects() deletes nothing that is not its own", async (context) => {
		const store = new Store();
		store.set("theirs", thing("theirs", "a"));
		store.keep(context, false).want([]);
		await sleep(100);
		assert.deepEqual(store.writes, []);
	});

	it("keepObjects() replaces an object to which somebody added what apply leaves", async (context) => {
		const store = new Store();
		store.set("mixed", { ...thing("mixed", "a"), foreign: true });
		store.keep(context).want([thing("mixed", "a")]);
		await sleep(100);
		assert.deepEqual(store.writes, ["PATCH /things/shop/mixed", "PUT /things/shop/mixed"]);
		assert.equal(store.things.get("mixed")?.foreign, undefined);
	});

	it("keepObjects() lets a rival who writes all the time cost ever fewer writes", async (context) => {
		const store = new Store();
		const keeper = store.keep(context);
		keeper.want([thing("fought", "ours")]);
		const rival = setInterval(() => {
			if (store.things.get("fought")?.spec === "ours") {
				store.set("fought", thing("fought", "theirs"));
			}
		}, 2);
		context.after(() => clearInterval(rival));
		await sleep(1500);
		const early = store.writes.length;
		assert.ok(early >= 6 && early <= 20, `${early} writes`);
		await sleep(1000);
		assert.ok(store.writes.length - early <= 6, `${store.writes.length - early} more writes`);
		// Another wish is written at once.
		keeper.want([thing("fought", "ours, new")]);
		const count = store.writes.length;
		await sleep(100);
		assert.ok(store.writes.length > count);
	});

	it("keepObjects() tries what is refused ever more seldom, says why, and goes on when it is allowed", async (context) => {
		const store = new Store();
		store.refusal = Object.assign(new Error("forbidden"), { status: 403 });
		const keeper = store.keep(context);
		keeper.want(Array.from({ length: 20 }, (_, place) => thing(`t${place}`, "a")));
		await sleep(1000);
		assert.ok(store.writes.length < 30, `${store.writes.length} writes`);
		assert.equal(keeper.status().problem, "forbidden");
		assert.ok(keeper.status().waiting > 15);
		store.refusal = undefined;
		for (const deadline = Date.now() + 20_000; keeper.status().kept < 20; await sleep(50)) {
			assert.ok(Date.now() < deadline, `${keeper.status().kept} kept`);
		}
		assert.equal(keeper.status().problem, undefined);
	});
});
