import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/kube/client/connection.ts";
import { followMesh, meshFacts, readMesh } from "../../../src/kube/watch/mesh.ts";
import { answer, FakeApiServer, failure } from "../../support/fake-api-server.ts";
import { until } from "../../support/until.ts";

const labels = { "istio.io/rev": "canary", "app.kubernetes.io/version": "1.31.0-rc.0" };
const mesh = `
rootNamespace: mesh-root
trustDomain: mesh.example
trustDomainAliases: [old.example, 7]
serviceEntryVisibility:
  defaultVisibility: NAMESPACE
  policies:
  - visibility: PUBLIC
    matchingRules:
    - namespaceSelector: {matchLabels: {egress: shared}}
  - visibility: VISIBILITY_UNSPECIFIED
    matchingRules:
    - hostnameSuffix: example.com
`;

test("meshFacts() reads version, revision, root namespace and visibility", async () => {
	const facts = await meshFacts({ metadata: { labels }, data: { mesh } }, "istio-system");
	assert.deepEqual(facts, {
		istioMinor: 31,
		revisions: new Set(["default", "canary"]),
		rootNamespace: "mesh-root",
		serviceEntryVisibility: {
			defaultVisibility: "NAMESPACE",
			policies: [
				{ visibility: "PUBLIC", rules: [{ namespaceSelector: { matchLabels: { egress: "shared" } } }] },
				{ visibility: "PUBLIC", rules: [{ namespaceSelector: undefined }] },
			],
		},
		trustDomains: ["mesh.example", "old.example"],
		discoverySelectors: [],
	});
});

test("meshFacts() leaves out what the ConfigMap does not say, and survives what it says wrongly", async () => {
	const nothing = {
		rootNamespace: "istio-system",
		serviceEntryVisibility: undefined,
		trustDomains: ["cluster.local"],
		discoverySelectors: [],
	};
	assert.deepEqual(await meshFacts({}, "istio-system"), nothing);
	for (const text of ["", "a: [", "- list", "rootNamespace: 7", "text"]) {
		assert.deepEqual(await meshFacts({ data: { mesh: text } }, "istio-system"), nothing, text);
	}
});

test("followMesh() hands facts on, says once when they cannot be read, and stops", async () => {
	const server = new FakeApiServer();
	server.install("", "configmaps", ["v1"]);
	await server.listen();
	const connection = connect(server.credentials());
	server.put("", "configmaps", {
		metadata: { name: "istio", namespace: "istio-system", labels },
		data: { mesh },
	});
	const learned: unknown[] = [];
	const messages: string[] = [];
	const options = {
		connection,
		learn: (facts: object) => learned.push(facts),
		log: { info: (_: object, message: string) => messages.push(message) },
		everyMs: 20,
	};
	const feed = followMesh(options);
	await feed.first;
	assert.equal(learned.length, 1);
	server.fault = (_, response) => {
		answer(response, 403, failure(403, "Forbidden", "configmaps is forbidden"));
		return true;
	};
	await until("it is noticed", () => feed.problem() === "configmaps is forbidden");
	server.fault = undefined;
	await until("it is readable again", () => feed.problem() === undefined);
	assert.deepEqual(messages, ["mesh facts not readable", "mesh facts readable"]);
	await feed.stop();
	assert.match((await readMesh(connection, "elsewhere")).problem ?? "", /not found/);
	await connection.stop();
	await server.stop();
});
