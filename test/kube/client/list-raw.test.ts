import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/kube/client/connection.ts";
import { listRaw } from "../../../src/kube/client/list-raw.ts";
import { FakeApiServer } from "../../support/fake-api-server.ts";

const group = "networking.istio.io";
const resource = { group, kind: "ServiceEntry", plural: "serviceentries", versions: ["v1", "v1beta1"] };

async function serverWith(count: number): Promise<FakeApiServer> {
	const server = new FakeApiServer();
	server.install(group, resource.plural, ["v1"]);
	for (let index = 0; index < count; index++) {
		const name = `entry-${String(index).padStart(4, "0")}`;
		server.put(group, resource.plural, {
			metadata: { name, namespace: "shop" },
			spec: { index, kept: true },
		});
	}
	await server.listen();
	return server;
}

function lists(server: FakeApiServer): readonly string[] {
	return server.requests.filter((request) => request.includes(resource.plural));
}

test("listRaw() asks for pages of 500 until the last and gives every object once, whole and with its kind", async () => {
	const server = await serverWith(1201);
	const connection = connect(server.credentials());
	const objects = await listRaw(connection, resource);
	const indexes = objects.map(({ spec }) => (spec as { readonly index: number }).index);
	assert.deepEqual(
		indexes.toSorted((one, other) => one - other),
		Array.from({ length: 1201 }, (_, index) => index),
	);
	const [{ apiVersion, kind, spec } = {}] = objects;
	assert.deepEqual([apiVersion, kind, spec], [`${group}/v1`, "ServiceEntry", { index: 0, kept: true }]);
	assert.equal(lists(server).length, 3);
	assert.ok(lists(server).every((request) => request.includes("limit=500")));
	await connection.stop();
	await server.stop();
});

test("listRaw() makes one page of exactly 500 objects", async () => {
	const server = await serverWith(500);
	const connection = connect(server.credentials());
	assert.equal((await listRaw(connection, resource)).length, 500);
	assert.equal(lists(server).length, 1);
	await connection.stop();
	await server.stop();
});

test("listRaw() takes the whole list at once when a page's token has expired", async () => {
	const server = await serverWith(700);
	const connection = connect(server.credentials());
	server.fault = ({ url }, response) => {
		if (!url.searchParams.has("continue")) {
			return false;
		}
		const status = { kind: "Status", apiVersion: "v1", status: "Failure", code: 410, reason: "Expired" };
		response.writeHead(410, { "content-type": "application/json" }).end(JSON.stringify(status));
		return true;
	};
	const objects = await listRaw(connection, resource);
	const names = new Set(objects.map(({ metadata }) => (metadata as { readonly name: string }).name));
	assert.equal(objects.length, 700);
	assert.equal(names.size, 700);
	assert.ok(!lists(server).at(-1)?.includes("limit="));
	await connection.stop();
	await server.stop();
});
