import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { serviceAccount } from "./kubeconfig.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();

test("registerWebhooks() puts both webhooks in force, and takes them out again", async () => {
	await using stack = new AsyncDisposableStack();
	const namespace = "hooks-shop";
	await createNamespace(plane, namespace);
	stack.defer(() => deleteNamespaces(plane, namespace));
	const server = await startEcho();
	stack.defer(() => server.close());
	const undo = await registerWebhooks(plane, { url: server.url, ca: plane.connection.authority.certificate });
	stack.defer(undo);
	const entry = serviceEntry(namespace, "entry", "hooks.example.com");
	const applied = await plane.tryApply(entry);
	assert.deepEqual([applied.code, applied.stderr], [0, 'Warning: "/validate" says grüezi\n']);
	assert.deepEqual(server.seen, ["/mutate CREATE entry", "/validate CREATE entry"]);
	const event = (await plane.auditEvents()).find(
		({ verb, objectRef }) =>
			verb === "create" && objectRef?.namespace === namespace && objectRef.name === "entry",
	);
	assert.equal(event?.annotations?.["validate.waymark.dev/asked"], "/validate");
	const answer = await plane.api.request("POST", await plane.api.collectionPath("ServiceEntry", namespace), {
		body: { ...entry, metadata: { generateName: "entry-" } },
	});
	assert.deepEqual([answer.status, answer.warnings], [201, ['"/validate" says grüezi']]);

	await server.close();
	const refused = await plane.tryApply(serviceEntry(namespace, "refused", "refused.example.com"));
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /failed calling webhook "validate\.waymark\.dev"/);
	await undo();
	assert.equal((await plane.tryApply(serviceEntry(namespace, "later", "later.example.com"))).code, 0);
});

test("kubectl() impersonates users and takes the kubeconfig of a service account", async () => {
	await using stack = new AsyncDisposableStack();
	await createNamespace(plane, "users");
	stack.defer(() => deleteNamespaces(plane, "users"));
	const denied = await plane.tryApply(serviceEntry("users", "entry", "users.example.com"), {
		as: { name: "bob" },
	});
	assert.equal(denied.code, 1);
	assert.match(denied.stderr, /User "bob" cannot get resource "serviceentries"/);
	const kubeconfig = await plane.serviceAccountKubeconfig("users", "robot");
	const { stdout } = await plane.kubectl(["auth", "whoami", "--output=json"], { kubeconfig });
	const { username, groups } = (
		JSON.parse(stdout) as { status: { userInfo: { username: string; groups: string[] } } }
	).status.userInfo;
	const expected = serviceAccount("users", "robot");
	assert.equal(username, expected.name);
	assert.deepEqual(groups, [...expected.groups, "system:authenticated"]);
});

interface Echo {
	readonly url: string;
	/** `PATH OPERATION NAME` of each request. */
	readonly seen: readonly string[];
	close(): Promise<void>;
}

/** A webhook server that allows everything, with a warning from `/validate`. */
async function startEcho(): Promise<Echo> {
	const { certificate, key } = await plane.issueServerCertificate();
	const seen: string[] = [];
	const server = createServer({ cert: certificate, key }, async (request, response) => {
		const text = Buffer.concat(await request.toArray()).toString();
		const { uid, name, operation } = (JSON.parse(text) as { request: Record<string, string> }).request;
		const [path = ""] = request.url?.split("?") ?? [];
		seen.push(`${path} ${operation} ${name}`);
		const warnings = path === "/validate" ? [`"${path}" says grüezi`] : [];
		const answer = { uid, allowed: true, warnings, auditAnnotations: { asked: path } };
		response.setHeader("content-type", "application/json");
		response.end(
			JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer }),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
		seen,
		async close() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
