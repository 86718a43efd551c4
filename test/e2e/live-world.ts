import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterState } from "../../src/core/cluster-state.ts";
import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import type { Connection } from "../../src/kube/client/connection.ts";
import { connect } from "../../src/kube/client/connection.ts";
import type { Credentials } from "../../src/kube/client/credentials.ts";
import type { Feed, FeedOptions } from "../../src/kube/watch/feed.ts";
import { startFeed } from "../../src/kube/watch/feed.ts";
import { keepWhole, metadataOnlyKinds, projectionOf } from "../../src/kube/watch/projection.ts";
import type { ControlPlane } from "./control-plane.ts";

/** A world that a feed keeps, and what it is held to. */
export interface LiveWorld {
	readonly world: ClusterState;
	readonly feed: Feed;
	readonly connection: Connection;
	/** Log messages so far, in order. */
	readonly messages: readonly string[];
	/** `Kind reason` of every restart so far. */
	readonly restarts: readonly string[];
	/** The first difference from fresh lists of every kind, or undefined; fields that Waymark keeps only. */
	difference(): Promise<string | undefined>;
	/** Waits until there is no difference; returns the milliseconds it took, and fails when they are too many. */
	untilFresh(limitMs?: number): Promise<number>;
	stop(): Promise<void>;
}

/** Follows every kind of a control plane with the given credentials. */
export function followPlane(
	plane: ControlPlane,
	credentials: Credentials,
	options: Partial<FeedOptions> = {},
): LiveWorld {
	const world = new ClusterState();
	const connection = connect(credentials);
	const messages: string[] = [];
	const restarts: string[] = [];
	const log = (_: object, message: string): void => {
		messages.push(message);
	};
	const feed = startFeed({
		connection,
		kinds: allKinds,
		sink: world,
		log: { info: log, warn: log },
		onRestart: (kind, reason) => restarts.push(`${kind} ${reason}`),
		...options,
	});

	async function freshLists(): Promise<ReadonlyMap<Kind, ReadonlyMap<string, string>>> {
		const lists = new Map<Kind, ReadonlyMap<string, string>>();
		for (const kind of allKinds) {
			lists.set(kind, await freshList(plane, kind));
		}
		return lists;
	}

	function differenceFrom(lists: ReadonlyMap<Kind, ReadonlyMap<string, string>>): string | undefined {
		for (const [kind, list] of lists) {
			const found = compare(kind, list, world);
			if (found !== undefined) {
				return found;
			}
		}
		return undefined;
	}

	return {
		world,
		feed,
		connection,
		messages,
		restarts,
		difference: async () => differenceFrom(await freshLists()),
		async untilFresh(limitMs = 2000) {
			// Before the API server itself can list every kind, its fault has not ended.
			const lists = await freshLists();
			const start = performance.now();
			for (;;) {
				const found = differenceFrom(lists);
				const elapsed = performance.now() - start;
				if (found === undefined) {
					return elapsed;
				}
				assert.ok(elapsed < limitMs, `after ${Math.round(elapsed)} ms the world is not fresh: ${found}`);
				await sleep(5);
			}
		},
		async stop() {
			await feed.stop();
			await connection.stop();
		},
	};
}

/**
 * Every object of a kind as the API server lists it now, by `NAMESPACE/NAME`, cut to what Waymark keeps, as text. Which
 * of the served versions it is read in may differ: right after a CRD is created, discovery knows only some of them.
 */
async function freshList(plane: ControlPlane, kind: Kind): Promise<Map<string, string>> {
	const { group, plural, versions } = kinds[kind];
	for (const version of versions) {
		const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
		let { status, body } = await plane.api.request("GET", `${root}/${plural}`);
		while (status === 429) {
			// The API server was started a moment ago and has not read this kind yet.
			await sleep(50);
			({ status, body } = await plane.api.request("GET", `${root}/${plural}`));
		}
		if (status === 200) {
			const project = projectionOf(kind, keepWhole());
			const { items } = body as { items: readonly AnyObject[] };
			const seen = metadataOnlyKinds.has(kind) ? items.map(({ metadata }) => ({ metadata })) : items;
			return new Map(
				seen.map((item) => [addressOf(item), canonicalText({ ...project(item, version), apiVersion: "" })]),
			);
		}
		assert.equal(status, 404, `GET ${root}/${plural} answered ${status}`);
	}
	return new Map();
}

function addressOf({ metadata }: AnyObject): string {
	return `${metadata?.namespace ?? ""}/${metadata?.name}`;
}

/** JSON with the keys of every object in order: a map has none of its own. */
function canonicalText(value: unknown): string {
	return JSON.stringify(value, (_, inner: unknown) =>
		typeof inner === "object" && inner !== null && !Array.isArray(inner)
			? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
			: inner,
	);
}

function compare(kind: Kind, fresh: ReadonlyMap<string, string>, world: ClusterState): string | undefined {
	const own = new Map(
		[...world.all(kind)].map((object) => [addressOf(object), canonicalText({ ...object, apiVersion: "" })]),
	);
	for (const [address, text] of fresh) {
		if (own.get(address) !== text) {
			return `${kind} ${address} is ${own.get(address) ?? "missing"}, not ${text}`;
		}
	}
	const ghost = [...own.keys()].find((address) => !fresh.has(address));
	return ghost === undefined ? undefined : `${kind} ${ghost} is a ghost`;
}

/** The API groups of the kinds that Waymark follows, without the core one, which others watch too. */
const customGroups: ReadonlySet<string> = new Set(
	allKinds.map((kind) => kinds[kind].group).filter((group) => group !== ""),
);

/** How many watches of Istio's and the Gateway API's kinds the API server holds open for anyone. */
export async function openWatches(plane: ControlPlane): Promise<number> {
	const { body } = await plane.api.request("GET", "/metrics");
	let count = 0;
	for (const line of String(body).split("\n")) {
		const group = /^apiserver_longrunning_requests\{.*group="([^"]+)"/.exec(line)?.[1];
		if (group !== undefined && customGroups.has(group) && line.includes('verb="WATCH"')) {
			count += Number(line.slice(line.lastIndexOf(" ") + 1));
		}
	}
	return count;
}
