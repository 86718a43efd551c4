import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { bundles } from "../support/bundles.ts";
import type { EgressWorld } from "../support/egress-worlds.ts";
import { egressWorlds } from "../support/egress-worlds.ts";
import { runVerb } from "../support/run-verb.ts";
import type { ProxyNode } from "./ads.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { Effect } from "./effects.ts";
import { effectAtGateway, effectAtWaypoint } from "./effects.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const namespaces = ["shop", "news", "effect-waypoints"];
const folder = mkdtempSync(join(tmpdir(), "waymark-effects-"));

const egressGateway: ProxyNode = {
	type: "router",
	namespace: "istio-system",
	name: "egress-1",
	labels: { istio: "egressgateway" },
};

const newsGateway: ProxyNode = {
	type: "router",
	namespace: "news",
	name: "news-egress-1",
	labels: { "gateway.networking.k8s.io/gateway-name": "news-egress" },
};

const waypoint: ProxyNode = {
	type: "waypoint",
	namespace: "effect-waypoints",
	name: "shared-1",
	labels: {
		"gateway.networking.k8s.io/gateway-name": "shared",
		"gateway.istio.io/managed": "istio.io-mesh-controller",
	},
};

/** A world with the proxy that plays its egress gateway. */
interface Case extends EgressWorld {
	readonly gateway: ProxyNode;
}

const seed = readFileSync(new URL("../../docs/try/sidecar-bundle.yaml", import.meta.url), "utf8")
	// The seed misspells its own Gateway, so that it leads nowhere: here it is as it was meant.
	.replaceAll("egress-gatway", "egress-gateway");
const seedEntry = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: aliyun, namespace: shop}
spec: {hosts: [aliyun.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;

const listener = `  listeners:
  - name: http
    hostname: edition.news.example
    port: 80
`;
const idle = `  allowedListeners: {namespaces: {from: Same}}
  listeners: [{name: idle, port: 8081, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: added, namespace: news}
spec:
  parentRef: {name: news-egress}
`;
/** The Gateway API's way out, whose listener is added by a ListenerSet. */
const withListenerSet = (bundles.gatewayApi ?? "")
	.replace(listener, `${idle}${listener}`)
	.replace("parentRefs: [{name: news-egress}]", "parentRefs: [{kind: ListenerSet, name: added}]");

const cases: Readonly<Record<string, Case>> = {
	"the seed's example": {
		host: "aliyun.com",
		port: 80,
		gatewayPort: 80,
		text: `${seed}${seedEntry}`,
		gateway: egressGateway,
	},
	"the plain bundle": {
		host: "api.payments.example",
		port: 80,
		gatewayPort: 80,
		text: bundles.plain ?? "",
		gateway: egressGateway,
	},
	"TLS origination": {
		host: "api.github.example",
		port: 80,
		gatewayPort: 80,
		text: bundles.origination ?? "",
		gateway: egressGateway,
	},
	"the Gateway API": {
		host: "edition.news.example",
		port: 80,
		gatewayPort: 80,
		text: bundles.gatewayApi ?? "",
		gateway: newsGateway,
	},
	"the Gateway API with a ListenerSet": {
		host: "edition.news.example",
		port: 80,
		gatewayPort: 80,
		text: withListenerSet,
		gateway: newsGateway,
	},
	"TLS origination with the Gateway API": {
		host: "edition.news.example",
		port: 80,
		gatewayPort: 80,
		text: bundles.gatewayApiTls ?? "",
		gateway: newsGateway,
	},
	...Object.fromEntries(
		Object.entries(egressWorlds).map(([name, world]) => [name, { ...world, gateway: egressGateway }]),
	),
};

function filesOf(out: string, stage: string): readonly string[] {
	const path = join(out, stage);
	return existsSync(path) ? readdirSync(path).map((file) => join(path, file)) : [];
}

/** The commands that the report names for the window in which the clients move. */
function deletions(out: string): readonly (readonly string[])[] {
	const [report = ""] = readFileSync(join(out, "REPORT.md"), "utf8").split("### Back");
	return [...report.matchAll(/^ +kubectl (delete [a-z]+\..*)$/gm)].map(([, command = ""]) =>
		command.split(" "),
	);
}

async function compare({ host, port, gatewayPort, text, gateway }: Case, index: number): Promise<void> {
	await using stack = new AsyncDisposableStack();
	await Promise.all(namespaces.map((name) => createNamespace(plane, name)));
	await createNamespace(plane, "istio-system");
	stack.defer(() => deleteNamespaces(plane, ...namespaces));
	const file = join(folder, `${index}.yaml`);
	writeFileSync(file, text);
	stack.defer(async () => void (await plane.kubectl(["delete", "-f", file, "--ignore-not-found"])));
	await plane.apply(text);
	const before = await settled(
		async () => effectAtGateway(await dumpConfig(plane, gateway), host, gatewayPort),
		({ routes, authorization }) =>
			routes.length > 0 && authorization.length > 0 === text.includes("AuthorizationPolicy"),
	);
	assert.ok(before.routes.length > 0, "the gateway has a route");
	assert.equal(before.authorization.length > 0, text.includes("AuthorizationPolicy"), "and the policies");
	await createWaypoint(plane, "effect-waypoints", "shared", { from: { from: "All" } });
	const out = join(folder, String(index));
	const run = await runVerb("migrate", file, "--out", out, "--waypoint", "effect-waypoints/shared");
	assert.ok(run.code === 0 || run.code === 1, run.error);
	for (const path of [...filesOf(out, "1-add"), ...filesOf(out, "2-switch")]) {
		await plane.apply(readFileSync(path, "utf8"));
	}
	for (const command of deletions(out)) {
		assert.equal((await plane.kubectl(command)).code, 0, command.join(" "));
	}
	// Before anything of 3-remove is gone: this is what clients meet when they move.
	const after = await settled(
		async () => effectAtWaypoint(await dumpConfig(plane, waypoint), host, port),
		(effect) => isDeepStrictEqual(effect, before),
	);
	assert.deepEqual(after, before);
}

/** Each kind of object reaches istiod on a watch of its own, and some are late on a busy machine. */
async function settled(read: () => Promise<Effect>, isWanted: (effect: Effect) => boolean): Promise<Effect> {
	await waitForPush(plane);
	let effect = await read();
	for (let attempt = 0; attempt < 5 && !isWanted(effect); attempt++) {
		await waitForPush(plane);
		effect = await read();
	}
	return effect;
}

test("what istiod pushes to the waypoint does what it pushed to the egress gateway", async (context) => {
	await using stack = new AsyncDisposableStack();
	stack.defer(() => rmSync(folder, { recursive: true }));
	await plane.api.apply({
		apiVersion: "v1",
		kind: "Service",
		metadata: {
			namespace: "istio-system",
			name: "istio-egressgateway",
			labels: { istio: "egressgateway" },
		},
		spec: {
			selector: { istio: "egressgateway" },
			ports: [
				{ name: "http2", port: 80, targetPort: 10080 },
				{ name: "https", port: 443, targetPort: 443 },
				{ name: "http-alt", port: 8080, targetPort: 18080 },
			],
		},
	});
	stack.defer(() => plane.api.delete("Service", "istio-system", "istio-egressgateway"));
	for (const [index, [name, each]] of Object.entries(cases).entries()) {
		await context.test(name, () => compare(each, index));
	}
});
