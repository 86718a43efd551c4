import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import type { ApiAnswer, KubeObject } from "./api.ts";
import { dryCreate, messageOf } from "./backstop-parity.ts";
import { startControlPlane } from "./control-plane.ts";
import { startServeReplicas } from "./serve-replicas.ts";

// One of its own: its API server is stopped and started.
const plane = await startControlPlane({ istiod: false });
const team = "backstop-live";
const other = "backstop-other";
const shared = "backstop-shared";
const installed = await startServeReplicas(plane, plane.processes, {
	count: 1,
	values: ["backstop.mode=full", "istio.readConfig=false"],
	args: ["--backstop=full"],
});
after(async () => {
	await installed.stop();
	await plane.stop();
});
const [replica] = installed.replicas;

const namespace = (name: string, annotations: Readonly<Record<string, string>> = {}): Namespace => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name, labels: { "istio.io/dataplane-mode": "ambient" }, annotations },
});

const waypoint = (name: string): KubeObject => ({
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "Gateway",
	metadata: { name, namespace: shared },
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [
			{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "All" } } },
		],
	},
});

const entry = (host: string, labels: Readonly<Record<string, string>> = {}): ServiceEntry => ({
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "payments", namespace: team, labels },
	spec: {
		hosts: [host],
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
	},
});

const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": shared };
const plain = entry("api.example.com");
const forbidden = entry("api.example.org");
const optedOut = entry("api.example.com", { "istio.io/use-waypoint": "none" });
// In a namespace whose policy names a waypoint that comes and goes.
const ofGone: ServiceEntry = { ...plain, metadata: { name: "payments", namespace: other } };

const tablePath = "/apis/egress.waymark.dev/v1alpha1/meshtables/waymark";

async function until(what: string, holds: () => Promise<boolean>, deadlineMs = 40_000): Promise<number> {
	const begun = performance.now();
	while (!(await holds().catch(() => false))) {
		if (performance.now() - begun > deadlineMs) {
			throw new Error(`Cannot see that ${what}\n${replica?.log() ?? ""}`);
		}
		await sleep(20);
	}
	return performance.now() - begun;
}

async function tableNames(): Promise<readonly string[]> {
	const { body } = await plane.api.request("GET", tablePath);
	const { spec } = body as { readonly spec?: { readonly waypoints?: object } };
	return Object.keys(spec?.waypoints ?? {});
}

function labelsIn({ body }: ApiAnswer): unknown {
	return (body as KubeObject).metadata.labels;
}

/** What holds whether Waymark runs or not, and whatever the table is like. */
async function mustHold(): Promise<void> {
	const answer = await dryCreate(plane, plain);
	assert.equal(answer.status, 201, messageOf(answer));
	assert.deepEqual(labelsIn(answer), bound);
	for (const [object, rule] of [
		[forbidden, /serviceentry-policy-host/],
		[optedOut, /serviceentry-waypoint-opt-out/],
	] as const) {
		const refused = await dryCreate(plane, object);
		assert.equal(refused.status, 403);
		assert.match(messageOf(refused), rule);
	}
}

/** Whether an entry is refused for a waypoint that is not there. */
async function missesWaypoint(object: ServiceEntry): Promise<boolean> {
	const answer = await dryCreate(plane, object);
	return answer.status === 403 && messageOf(answer).includes("serviceentry-waypoint-existence");
}

/** Nothing that must not pass does so meanwhile; an entry that has to be bound is sent away to try again for some seconds. */
async function restartApiServer(): Promise<void> {
	await plane.stopApiServer();
	await plane.startApiServer();
	for (const object of [forbidden, optedOut]) {
		const answer = await dryCreate(plane, object);
		assert.ok([403, 503].includes(answer.status), `${answer.status} ${messageOf(answer)}`);
	}
	await until("entries are bound again", async () => (await dryCreate(plane, plain)).status === 201, 20_000);
}

async function deleteTable(): Promise<void> {
	const as = { name: "system:serviceaccount:waymark-system:waymark", groups: ["system:masters"] };
	const { status } = await plane.api.request("DELETE", tablePath, { as });
	assert.equal(status, 200);
}

/** Without a table an entry is bound to a waypoint that does not exist, and nobody says so. */
async function bindsToNothing(): Promise<void> {
	const answer = await dryCreate(plane, ofGone);
	assert.equal(answer.status, 201, messageOf(answer));
	assert.deepEqual(labelsIn(answer), { ...bound, "istio.io/use-waypoint": "gone" });
}

describe("the backstop, with everything that the chart installs", () => {
	it("is told in readiness, binds, refuses, and knows waypoints within a second", async () => {
		await plane.api.apply(namespace(shared) as KubeObject);
		await plane.api.apply(waypoint("egress"));
		await plane.api.apply(
			namespace(team, {
				"egress.waymark.dev/waypoint": `${shared}/egress`,
				"egress.waymark.dev/allowed-hosts": "*.example.com",
			}) as KubeObject,
		);
		await plane.api.apply(
			namespace(other, { "egress.waymark.dev/waypoint": `${shared}/gone` }) as KubeObject,
		);
		await until("the table has the waypoint", async () => (await tableNames()).includes(`${shared}/egress`));
		await until("the policies bind", async () => (await dryCreate(plane, plain)).status === 201);
		await until("the policies of the table hold", () => missesWaypoint(ofGone));
		await mustHold();
		const readiness = await (await fetch(`${replica?.operations}/readyz?verbose`)).text();
		assert.match(readiness, /backstop.*8 policies/);
		assert.match(readiness, /mesh table.*written/);
		const metrics = await (await fetch(`${replica?.operations}/metrics`)).text();
		assert.match(metrics, /waymark_backstop_policy_present\{policy="waymark-mesh"\} 1/);
		const live = (await plane.api.request("GET", tablePath)).body as KubeObject;
		const tampered = await plane.api.request("PUT", tablePath, {
			body: { ...live, spec: { ...(live.spec as object), waypoints: {} } },
		});
		assert.equal(tampered.status, 403);
		assert.match(messageOf(tampered), /Only Waymark writes this table/);
		await plane.api.apply(waypoint("gone"));
		await until("a new waypoint is known", async () => !(await missesWaypoint(ofGone)), 5_000);
		await plane.api.delete("Gateway.gateway.networking.k8s.io", shared, "gone");
		const tookMs = await until("a deleted waypoint is missed", () => missesWaypoint(ofGone), 5_000);
		assert.ok(tookMs < 3_000, `took ${tookMs} ms`);
	});

	it("holds while Waymark runs and its table is deleted, which the next change writes again", async () => {
		await deleteTable();
		await mustHold();
		assert.ok(await missesWaypoint(ofGone), "Waymark itself misses it");
		await plane.api.apply(waypoint("next"));
		await until("the table is there again", async () => (await tableNames()).includes(`${shared}/next`));
		await until("the table is known again", () => missesWaypoint(ofGone));
	});

	it("holds while Waymark runs and the API server restarts", async () => {
		await restartApiServer();
		await mustHold();
		await until("Waymark is asked again", () => missesWaypoint(ofGone), 60_000);
	});

	it("holds without Waymark: what must not pass is refused, a waypoint that goes meanwhile is not noticed", async () => {
		await replica?.stop();
		await mustHold();
		// An API server that has just started does not find the table for up to half a minute; Waymark missed it so far.
		await until("the table stays", () => missesWaypoint(ofGone), 60_000);
		await plane.api.delete("Gateway.gateway.networking.k8s.io", shared, "egress");
		await sleep(500);
		await mustHold();
	});

	it("holds after the API server restarts, once MutatingAdmissionPolicies know the schema", async () => {
		await restartApiServer();
		await mustHold();
		await until("the table is read again", () => missesWaypoint(ofGone), 60_000);
	});

	it("holds without a table, and without its definition", async () => {
		await deleteTable();
		await until("the table is gone", async () => !(await missesWaypoint(ofGone)));
		await mustHold();
		await bindsToNothing();
		await plane.api.delete("CustomResourceDefinition", undefined, "meshtables.egress.waymark.dev");
		await sleep(2_000);
		await mustHold();
		await bindsToNothing();
		await restartApiServer();
		await mustHold();
		await bindsToNothing();
	});
});
