/** Follows an API server that holds many large objects, and prints what became of them: KIND COUNT. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { connect } from "../../src/kube/client/connection.ts";
import { startFeed } from "../../src/kube/watch/feed.ts";
import { heapLimit } from "../../src/server/memory-metrics.ts";
import { heavyEntry, routedService } from "./heavy-objects.ts";

const [, , what, countText] = process.argv;
const count = Number(countText);
const isEntry = what === "heavy";
const objectOf = (index: number): object =>
	isEntry ? heavyEntry(index) : routedService(index, what === "different");

// Writes each object when it is due: a server that held them all would need the memory that is measured.
const server = createServer(async (request, response) => {
	const url = new URL(request.url ?? "", "http://localhost");
	const plural = isEntry ? "serviceentries" : "virtualservices";
	if (url.pathname !== `/apis/networking.istio.io/v1/${plural}`) {
		response.writeHead(404).end("{}");
		return;
	}
	response.writeHead(200, { "content-type": "application/json" });
	const send = async (event: object): Promise<void> => {
		if (!response.write(`${JSON.stringify(event)}\n`)) {
			await new Promise((resolve) => response.once("drain", resolve));
		}
	};
	if (url.searchParams.get("sendInitialEvents") === "true") {
		for (let index = 0; index < count; index++) {
			await send({ type: "ADDED", object: objectOf(index) });
		}
		const annotations = { "k8s.io/initial-events-end": "true" };
		await send({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9000000", annotations } } });
	}
});
server.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const connection = connect({
	server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
	current: async () => ({ headers: {}, tls: {} }),
	distrust() {},
});
const kind = isEntry ? "ServiceEntry" : "VirtualService";
const feed = startFeed({
	connection,
	kinds: [kind],
	sink: new ClusterState(),
	log: { info() {}, warn() {} },
	budgetBytes: heapLimit() * 0.45,
});
await feed.synced;
await sleep(100);
const status = feed.status().kinds.get(kind);
globalThis.gc?.();
const usedMegabytes = Math.round(process.memoryUsage().heapUsed / 1e6);
process.stdout.write(
	`${JSON.stringify({ objects: status?.objects, cut: status?.cut, usedMegabytes, state: "followed" })}\n`,
	() => process.exit(0),
);
