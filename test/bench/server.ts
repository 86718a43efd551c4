import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { pino } from "pino";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { bodyLimit, createWebhook } from "../../src/server/app.ts";
import { installDrain } from "../../src/server/drain.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { installOverload } from "../../src/server/overload.ts";
import { tlsContext } from "../../src/server/tls.ts";

/** What a server under measurement tells its parent. */
export type ServerMessage =
	| { readonly port: number; readonly ca: string; readonly rules: number; readonly heapMiB: number }
	| { readonly cpuMicroseconds: number };

const now = new Date();
const authority = await createAuthority({ now });
const tls = tlsContext(await issueCertificate(authority, { names: ["127.0.0.1"], now }));

/** A cluster of so many ServiceEntries, 100 in a namespace, that all go through one waypoint. */
function clusterOf(objects: number): ClusterState {
	const state = new ClusterState();
	const annotations = {
		"egress.waymark.dev/waypoint": "istio-egress/egress",
		"egress.waymark.dev/allowed-hosts": "*.example.com, api.github.com",
		"egress.waymark.dev/allowed-ports": "80/HTTP, 443/TLS",
	};
	state.set("Namespace", egressNamespace);
	state.set("KubernetesGateway", egressWaypoint);
	state.set("GatewayClass", {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name: "istio-waypoint" },
		spec: { controllerName: "istio.io/mesh-controller" },
	});
	const team = withAnnotations(teamNamespace, annotations);
	state.set("Namespace", team);
	for (let index = 0; index < objects; index++) {
		const namespace = `team-${Math.floor(index / 100)}`;
		if (index % 100 === 0) {
			state.set("Namespace", { ...team, metadata: { ...team.metadata, name: namespace } });
		}
		state.set("ServiceEntry", {
			...boundEntry,
			metadata: { ...boundEntry.metadata, namespace, name: `entry-${index}` },
			spec: { ...boundEntry.spec, hosts: [`host-${index}.example.com`] },
		});
	}
	return state;
}

/** The webhook as `serve` sets it up, in a cluster of so many objects. */
async function listenAsWebhook(objects: number): Promise<Server> {
	const { app, server } = createWebhook({
		engine: createEngine(rules),
		inventory: clusterOf(objects),
		metrics: createMetrics(),
		log: pino({ enabled: false }),
		tls,
		confirm: async () => ({ found: false, unconfirmed: false }),
		before: (instance) => {
			// What else the machine does must not make it send requests away.
			installOverload(instance, installDrain(instance), { maxDelayMs: 60_000 });
		},
	});
	await app.listen({ host: "127.0.0.1", port: 0 });
	return server;
}

/** The floor: the same server and TLS, the same body parsed, and an answer that rests on nothing. */
async function listenAsFloor(): Promise<Server> {
	const app = fastify({ https: tls, bodyLimit, keepAliveTimeout: 120_000, logger: false });
	const answer = {
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		response: { uid: "705ab4f5-6393-11e8-b7cc-42010a800002", allowed: true },
	};
	for (const path of ["/mutate", "/validate"]) {
		app.post(path, () => answer);
	}
	await app.listen({ host: "127.0.0.1", port: 0 });
	return app.server;
}

function tell(message: ServerMessage): void {
	process.send?.(message);
}

const [objects = "floor"] = process.argv.slice(2);
const server = await (objects === "floor" ? listenAsFloor() : listenAsWebhook(Number(objects)));
process.on("message", () => {
	const { user, system } = process.cpuUsage();
	tell({ cpuMicroseconds: user + system });
});
// Its parent has ended, whichever way.
process.on("disconnect", () => {
	server.closeAllConnections();
	server.close();
	process.exitCode = 0;
	setTimeout(() => process.kill(process.pid, "SIGKILL"), 1_000).unref();
});
tell({
	port: (server.address() as AddressInfo).port,
	ca: authority.cert,
	rules: rules.length,
	heapMiB: process.memoryUsage().heapUsed / 1024 / 1024,
});
