import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { AnyObject } from "../../src/core/kinds.ts";
import { allKinds, kindOfObject, kinds } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";
import type { FakeObject } from "../support/fake-api-server.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { residentMiB } from "../support/resident-memory.ts";
import { reviewOf } from "../support/reviews.ts";
import type { ServeProcess, ServeResponse } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
import { worstObjects } from "../support/worst-objects.ts";

/** How long it rains events; from half a minute on the times are held to, which only a quiet machine can be asked for. */
const seconds = Number(process.env.WAYMARK_FLOOD_SECONDS ?? "4");
/** What a review may take at the 99th percentile, and `/livez`, in milliseconds. */
const longest = { review: 250, live: 1_000 };
/** What the chart's pods may take, in MiB. */
const mostResident = 256;
/** Of the image, so that the heap is bounded as it is there. */
const nodeOptions =
	/NODE_OPTIONS="([^"]+)"/.exec(readFileSync(join(import.meta.dirname, "../../Dockerfile"), "utf8"))?.[1] ??
	"";

/** Two versions of each of the worst objects of a kind, as text before and after the resourceVersion. */
function eventsOf(kind: "ServiceEntry" | "VirtualService"): readonly (readonly [string, string])[] {
	const mark = "RESOURCE-VERSION";
	return Object.values(worstObjects)
		.filter((object) => kindOfObject(object) === kind)
		.flatMap((object, index) =>
			["one", "other"].map((turn) => {
				const metadata = {
					...object.metadata,
					name: `worst-${index}`,
					resourceVersion: mark,
					labels: { turn },
				};
				const [head = "", tail = ""] = JSON.stringify({
					type: "MODIFIED",
					object: { ...object, metadata },
				}).split(mark);
				return [head, `${tail}\n`] as const;
			}),
		);
}

/** What the others write, of a host that none of the worst objects has. */
const [bound, plain] = [boundEntry, plainEntry].map((entry) =>
	withSpec(entry, { hosts: ["others.example.net"] }),
) as [AnyObject, AnyObject];

let version = 1_000_000;
let sent = 0;

/** Sends events as fast as they are read, until the watch is closed. */
async function flood(response: ServerResponse, events: ReturnType<typeof eventsOf>): Promise<void> {
	const closed = once(response, "close");
	for (let turn = 0; !response.destroyed; turn += 1) {
		const [head, tail] = events[turn % events.length] ?? ["", ""];
		version += 1;
		if (!response.write(`${head}${version}${tail}`)) {
			await Promise.race([once(response, "drain"), closed]);
		}
		sent += 1;
	}
}

function put(server: FakeApiServer, object: AnyObject): void {
	const kind = kindOfObject(object);
	assert.ok(kind !== undefined);
	server.put(kinds[kind].group, kinds[kind].plural, object as unknown as FakeObject);
}

let shed = 0;

/** Asks as an API server does: again after a second, where a replica sends elsewhere what it cannot answer in time. */
async function judged(serve: ServeProcess, object: AnyObject): Promise<ServeResponse> {
	for (;;) {
		const response: ServeResponse | undefined = await serve.ask("validate", reviewOf(object));
		if (response !== undefined) {
			return response;
		}
		shed += 1;
		await sleep(1_000);
	}
}

async function measure(
	serve: ServeProcess,
): Promise<{ readonly reviews: readonly number[]; readonly liveMs: number }> {
	const reviews: number[] = [];
	let liveMs = 0;
	for (const end = performance.now() + seconds * 1_000; performance.now() < end; await sleep(10)) {
		const start = performance.now();
		const isBound = reviews.length % 2 === 0;
		const { allowed, status } = await judged(serve, isBound ? bound : plain);
		assert.equal(allowed, isBound, status?.message);
		reviews.push(performance.now() - start);
		const asked = performance.now();
		const answer = await fetch(`${serve.operations}/livez`);
		await answer.arrayBuffer();
		assert.equal(answer.status, 200);
		liveMs = Math.max(liveMs, performance.now() - asked);
	}
	return { reviews: reviews.toSorted((a, b) => a - b), liveMs };
}

test("A flood of events of the worst objects holds up no review, and takes no more memory than the pods have", {
	skip: process.platform !== "linux" && "the memory of another process is read from /proc",
}, async (context) => {
	const server = new FakeApiServer();
	await server.listen();
	context.after(() => server.stop());
	for (const kind of allKinds) {
		server.install(kinds[kind].group, kinds[kind].plural, kinds[kind].versions);
	}
	for (const object of [teamNamespace, egressNamespace, egressWaypoint]) {
		put(server, object);
	}
	const floods = new Map([
		["/serviceentries", eventsOf("ServiceEntry")],
		["/virtualservices", eventsOf("VirtualService")],
	]);
	server.fault = ({ url, isWatch }, response) => {
		const events = floods.get(url.pathname.slice(url.pathname.lastIndexOf("/")));
		if (!isWatch || events === undefined) {
			return false;
		}
		const annotations = { "k8s.io/initial-events-end": "true" };
		const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: "1000000", annotations } } };
		response.writeHead(200, { "content-type": "application/json" }).write(`${JSON.stringify(bookmark)}\n`);
		void flood(response, events);
		return true;
	};
	const cwd = mkdtempSync(join(tmpdir(), "waymark-flood-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	writeFileSync(
		join(cwd, "kubeconfig"),
		stringify({
			"current-context": "x",
			contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
			clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${server.port}` } }],
			users: [{ name: "u", user: { token: "t" } }],
		}),
	);
	const serve = await startServe(context, ["--kubeconfig", "kubeconfig"], {
		cwd,
		env: { NODE_OPTIONS: nodeOptions, WAYMARK_LOG_LEVEL: "error" },
	});
	let resident = 0;
	const looking = setInterval(() => {
		resident = Math.max(resident, residentMiB(serve.pid));
	}, 100);
	context.after(() => clearInterval(looking));
	const before = sent;
	const { reviews, liveMs } = await measure(serve);
	const p99 = reviews[Math.floor(reviews.length * 0.99)] ?? Number.NaN;
	const perSecond = (sent - before) / seconds;
	context.diagnostic(
		`${perSecond.toFixed(0)} events a second; ${reviews.length} reviews, ${shed} times sent elsewhere, median ${reviews[reviews.length >> 1]?.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, slowest ${reviews.at(-1)?.toFixed(0)} ms; /livez at most ${liveMs.toFixed(0)} ms; ${resident.toFixed(0)} MiB resident at most`,
	);
	assert.ok(perSecond > 1, "there was no flood");
	assert.ok(reviews.length >= seconds, `${reviews.length} reviews in ${seconds} s`);
	assert.ok(resident <= mostResident, `${resident} MiB`);
	if (seconds >= 30) {
		assert.ok(p99 <= longest.review, `p99 ${p99} ms`);
		assert.ok(liveMs <= longest.live, `/livez ${liveMs} ms`);
	}
});
