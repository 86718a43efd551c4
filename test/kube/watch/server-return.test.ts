import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../src/kube/client/connection.ts";
import { watchServerReturn } from "../../../src/kube/watch/server-return.ts";
import { FakeApiServer } from "../../support/fake-api-server.ts";
import { until } from "../../support/until.ts";

test("watchServerReturn() tells of a server that is back, after answers that never end, and does not hurry one that is there", async (context) => {
	const server = new FakeApiServer();
	await server.listen();
	context.after(() => server.stop());
	const connection = connect(server.credentials());
	context.after(() => connection.stop());
	let revivals = 0;
	const serverReturn = watchServerReturn(connection, () => revivals++, 20, 50);
	context.after(() => serverReturn.stop());
	server.fault = (_, response) => {
		response.writeHead(200).write("o");
		return true;
	};
	serverReturn.suspect("unavailable");
	await until("it was asked again", () => server.requests.length >= 2);
	assert.equal(revivals, 0);
	server.fault = undefined;
	await until("it is told of", () => revivals === 1);
	serverReturn.suspect("unavailable");
	await sleep(100);
	assert.equal(revivals, 1);
});
