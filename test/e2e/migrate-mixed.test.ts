import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { entry, gateway, gatewayHost, host, http, route, rule, steer } from "../support/egress-worlds.ts";
import { runVerb } from "../support/run-verb.ts";
import type { ConfigDump, ProxyNode } from "./ads.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { Effect } from "./effects.ts";
import { effectAtGateway, effectAtWaypoint } from "./effects.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const edge = "mixed-edge";
const client: ProxyNode = { type: "sidecar", namespace: "shop", name: "client-1", labels: { app: "client" } };
const oldGateway: ProxyNode = {
	type: "router",
	namespace: "istio-system",
	name: "egress-1",
	labels: { istio: "egressgateway" },
};
const waypoint: ProxyNode = {
	type: "waypoint",
	namespace: edge,
	name: "shared-1",
	labels: {
		"gateway.networking.k8s.io/gateway-name": "shared",
		"gateway.istio.io/managed": "istio.io-mesh-controller",
	},
};

function out(target: number, says: string): string {
	return route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
${says}    route: [{destination: {host: ${host}, port: {number: ${target}}}}]
`);
}

const https = "{number: 443, name: https, protocol: HTTPS}";
const ways: Readonly<Record<string, string>> = {
	"requests with a timeout": [
		entry("one", http),
		gateway("HTTP", undefined, 80),
		out(80, "    timeout: 3s\n"),
	].join(""),
	"TLS that the gateway begins": [
		entry("one", http, https),
		gateway("HTTP", undefined, 80),
		out(443, ""),
		rule(
			`  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: ${host}}}]}\n`,
		),
	].join(""),
};

/** The first thing below a value for which `read` finds something. */
function search(value: unknown, read: (map: Readonly<Record<string, unknown>>) => unknown): unknown {
	if (typeof value !== "object" || value === null) {
		return undefined;
	}
	const own = Array.isArray(value) ? undefined : read(value as Readonly<Record<string, unknown>>);
	for (const each of own === undefined ? Object.values(value) : []) {
		const found = search(each, read);
		if (found !== undefined) {
			return found;
		}
	}
	return own;
}

/** The cluster to which a route configuration or a filter chain of this name leads. */
function clusterBehind(dump: ConfigDump, type: string, name: RegExp): unknown {
	const part = search(dump.get(type), (map) => (name.test(String(map.name)) ? map : undefined));
	return search(part, ({ cluster }) => (typeof cluster === "string" ? cluster : undefined));
}

/** Where a client with a sidecar is led, where the waypoint leads, and what the old gateway does. */
interface Picture {
	readonly sidecar: unknown;
	readonly waypoint: unknown;
	readonly gateway: Effect;
	/** Whether anything that a sidecar is told leads through the waypoint. */
	readonly isSidecarAtWaypoint: boolean;
}

async function look(isWanted: (picture: Picture) => boolean): Promise<Picture> {
	for (let attempt = 0; ; attempt++) {
		await waitForPush(plane);
		const own = await dumpConfig(plane, client);
		const picture: Picture = {
			sidecar: clusterBehind(own, "RoutesConfigDump", new RegExp(`^${host}:80$`)),
			waypoint: clusterBehind(
				await dumpConfig(plane, waypoint),
				"ListenersConfigDump",
				new RegExp(`^inbound-vip\\|80\\|http\\|.*${host}$`),
			),
			gateway: effectAtGateway(await dumpConfig(plane, oldGateway), host, 80),
			// Every cluster knows how to tunnel; whether it does, its endpoints say.
			isSidecarAtWaypoint: /15008|tunnel|internalAddress/i.test(
				JSON.stringify(
					search(own.get("ClustersConfigDump"), (map) =>
						map.name === toHost ? (map.loadAssignment ?? map) : undefined,
					),
				),
			),
		};
		if (attempt > 4 || isWanted(picture)) {
			return picture;
		}
	}
}

const toGateway = `outbound|80||${gatewayHost}`;
const toHost = `outbound|80||${host}`;

async function walk(text: string, folder: string): Promise<void> {
	await using stack = new AsyncDisposableStack();
	await Promise.all(["shop", "istio-system", edge].map((name) => createNamespace(plane, name)));
	stack.defer(() => deleteNamespaces(plane, "shop", edge));
	const file = join(folder, "old.yaml");
	writeFileSync(file, text);
	await plane.kubectl(["apply", "-f", file]);
	await createWaypoint(plane, edge, "shared", { from: { from: "All" } });
	const before = await look(({ sidecar, gateway: { routes } }) => sidecar === toGateway && routes.length > 0);
	assert.deepEqual([before.sidecar, before.waypoint], [toGateway, undefined]);
	const written = join(folder, "out");
	await runVerb("migrate", file, "--out", written, "--waypoint", `${edge}/shared`);
	const stage = (name: string): readonly string[] =>
		existsSync(join(written, name))
			? readdirSync(join(written, name)).map((each) => join(written, name, each))
			: [];
	const apply = async (name: string): Promise<void> => {
		for (const path of stage(name)) {
			assert.equal((await plane.kubectl(["apply", "-f", path])).code, 0, path);
		}
	};

	await apply("1-add");
	const isMoved = stage("1-add").length === 0;
	const added = await look((picture) => (picture.waypoint === undefined) === isMoved);
	assert.deepEqual([added.sidecar, added.gateway], [toGateway, before.gateway], "sidecars notice nothing");
	// A waypoint obeys the old route until it is deleted.
	assert.equal(added.waypoint, isMoved ? undefined : toGateway);

	await apply("2-switch");
	const isSaid = stage("2-switch").some((path) => path.includes("-waypoint."));
	const wanted = isSaid ? toHost : toGateway;
	const switched = await look((picture) => picture.waypoint !== undefined && picture.sidecar === wanted);
	assert.equal(switched.sidecar, wanted, "a route for the waypoint goes before the old one at sidecars too");
	if (isMoved) {
		assert.notDeepEqual(switched.gateway, before.gateway, "the old gateway finds its ports changed");
	}

	await plane.kubectl(["delete", "virtualservice", "-n", "shop", "one"]);
	const moved = await look((picture) => picture.sidecar === toHost && picture.waypoint !== toGateway);
	assert.equal(moved.sidecar, toHost, "a sidecar that is left goes past the gateway");
	assert.ok(!moved.isSidecarAtWaypoint, "and past the waypoint");
	assert.deepEqual(effectAtWaypoint(await dumpConfig(plane, waypoint), host, 80), before.gateway);

	await apply("back");
	await apply("3-remove");
	for (const path of [...stage("2-switch"), ...stage("1-add")].filter((each) =>
		each.includes("-waypoint."),
	)) {
		await plane.kubectl(["delete", "-f", path, "--ignore-not-found"]);
	}
	const back = await look(
		(picture) =>
			picture.sidecar === toGateway && picture.waypoint === undefined && picture.gateway.routes.length > 0,
	);
	assert.deepEqual(back, before);
}

test("each stage of a migration leads clients of both worlds as docs/migration.md says, and back", async (context) => {
	await plane.api.apply({
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace: "istio-system", name: "istio-egressgateway", labels: { istio: "egressgateway" } },
		spec: { selector: { istio: "egressgateway" }, ports: [{ name: "http2", port: 80 }] },
	});
	const folder = mkdtempSync(join(tmpdir(), "waymark-mixed-"));
	try {
		for (const [index, [name, text]] of Object.entries(ways).entries()) {
			const own = mkdtempSync(join(folder, `${index}-`));
			await context.test(name, () => walk(text, own));
		}
	} finally {
		rmSync(folder, { recursive: true });
		await plane.api.delete("Service", "istio-system", "istio-egressgateway");
	}
});
