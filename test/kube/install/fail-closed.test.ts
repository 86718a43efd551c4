import assert from "node:assert/strict";
import { Agent } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import { pino } from "pino";
import { createAuthority, issueCertificate } from "../../../src/certificates/authority.ts";
import type { CertificatePair } from "../../../src/certificates/inspect.ts";
import { canaryLabel, canaryMessage } from "../../../src/core/canary.ts";
import { breakGlassConfigMap, holdAnnotation } from "../../../src/kube/install/break-glass.ts";
import type { Endpoint } from "../../../src/kube/install/endpoints.ts";
import { handshakeFault, readyEndpoints } from "../../../src/kube/install/endpoints.ts";
import type { Bootstrap, BootstrapOptions } from "../../../src/kube/install/fail-closed.ts";
import { startBootstrap } from "../../../src/kube/install/fail-closed.ts";
import { installCanary } from "../../../src/server/canary.ts";
import type { TlsDemands } from "../../../src/server/tls.ts";
import { tlsContext } from "../../../src/server/tls.ts";
import { post } from "../../support/https.ts";
import type { Answer, ObjectServer, Seen } from "../../support/object-server.ts";
import { startObjectServer } from "../../support/object-server.ts";

const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/waymark";
const canaries = "/apis/networking.istio.io/v1/namespaces/waymark/serviceentries";
const name = "waymark.waymark.svc";
const now = new Date();
const [authority, foreign] = await Promise.all([createAuthority({ now }), createAuthority({ now })]);
const [leaf, stranger] = await Promise.all([
	issueCertificate(authority, { names: [name], now }),
	issueCertificate(foreign, { names: [name], now }),
]);
const caBundle = Buffer.from(authority.cert).toString("base64");

interface Webhook {
	readonly name: string;
	readonly failurePolicy: string;
	readonly clientConfig: { readonly caBundle?: string };
}

interface Scene {
	readonly server: ObjectServer;
	readonly replica: Endpoint;
	policies(): Readonly<Record<string, string>>;
	install(webhooks: readonly Webhook[], annotations?: Readonly<Record<string, string>>): void;
	start(options?: Partial<BootstrapOptions>): Bootstrap;
}

const usual: readonly Webhook[] = [
	{ name: "validate.waymark.dev", failurePolicy: "Ignore", clientConfig: { caBundle } },
	{ name: "canary.waymark.dev", failurePolicy: "Ignore", clientConfig: { caBundle } },
];

async function serveCanary(
	context: TestContext,
	pair: CertificatePair,
	demands: TlsDemands = {},
): Promise<Endpoint> {
	const secure = fastify({ https: tlsContext(pair, demands), forceCloseConnections: true });
	installCanary(secure as unknown as FastifyInstance);
	await secure.listen({ port: 0, host: "127.0.0.1" });
	context.after(() => secure.close());
	return { host: "127.0.0.1", port: (secure.server.address() as AddressInfo).port };
}

/** Does what an API server does with a canary: calls the webhook under the published bundle, by failure policy Ignore. */
async function admit(replica: Endpoint, { body }: Seen, bundle: string): Promise<Answer> {
	const agent = new Agent({ ca: Buffer.from(bundle, "base64"), servername: name });
	try {
		const review = {
			apiVersion: "admission.k8s.io/v1",
			kind: "AdmissionReview",
			request: { uid: "1", object: body, dryRun: true },
		};
		const answer = await post({ ...replica, path: "/canary", agent, body: JSON.stringify(review) });
		const { response } = JSON.parse(answer.body);
		return response.allowed
			? { status: 201, body: {} }
			: denial(`admission webhook "canary.waymark.dev" denied the request: ${response.status.message}`);
	} catch {
		return { status: 201, body: {} };
	}
}

function denial(message: string): Answer {
	return { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message } };
}

async function scene(context: TestContext): Promise<Scene> {
	const server = await startObjectServer(context);
	const replica = await serveCanary(context, leaf);
	const webhooks = (): readonly Webhook[] =>
		(server.get(path) as unknown as { readonly webhooks: readonly Webhook[] }).webhooks;
	server.intercept((seen) =>
		seen.method === "POST" && seen.path === canaries
			? admit(replica, seen, webhooks()[1]?.clientConfig.caBundle ?? "")
			: null,
	);
	return {
		server,
		replica,
		policies: () => Object.fromEntries(webhooks().map((webhook) => [webhook.name, webhook.failurePolicy])),
		install: (installed, annotations = {}) =>
			server.set(path, { metadata: { name: "waymark", annotations }, webhooks: installed }),
		start(options = {}) {
			const bootstrap = startBootstrap({
				api: server.api,
				namespace: "waymark",
				configuration: "waymark",
				name,
				served: () => leaf.cert,
				isReady: () => true,
				replicas: async () => [replica],
				log: pino({ level: "silent" }),
				times: { tryMs: 20, lookMs: 20 },
				...options,
			});
			context.after(() => bootstrap.stop());
			return bootstrap;
		},
	};
}

const lax = { "validate.waymark.dev": "Ignore", "canary.waymark.dev": "Ignore" };
const strict = { "validate.waymark.dev": "Fail", "canary.waymark.dev": "Ignore" };

test("startBootstrap() turns the validating webhook to Fail once its canary was denied by Waymark", async (context) => {
	const { server, install, start, policies } = await scene(context);
	install(usual);
	assert.equal((await start().attempt()).state, "strict");
	assert.deepEqual(policies(), strict);
	const canary = server.seen.find(({ path: asked }) => asked === canaries);
	assert.equal(canary?.query.get("dryRun"), "All");
});

test("startBootstrap() goes on trying by itself until it is proved", async (context) => {
	const { install, start, policies } = await scene(context);
	let ready = false;
	install(usual);
	const bootstrap = start({ isReady: () => ready });
	while (bootstrap.status().state === "unknown") {
		await sleep(5);
	}
	assert.deepEqual(policies(), lax);
	assert.deepEqual(bootstrap.status(), { state: "lax", reason: "this replica is not ready" });
	ready = true;
	while (bootstrap.status().state !== "strict") {
		await sleep(5);
	}
	assert.deepEqual(policies(), strict);
});

interface Doubt {
	readonly webhooks?: readonly Webhook[];
	readonly options?: Partial<BootstrapOptions>;
	readonly answer?: (seen: Seen) => Answer;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly reason: RegExp;
}

const nonceOf = ({ body }: Seen): string =>
	(body as { readonly metadata: { readonly labels: Readonly<Record<string, string>> } }).metadata.labels[
		canaryLabel
	] ?? "";

const doubts: Readonly<Record<string, Doubt>> = {
	"the canary is let through": { answer: () => ({ status: 201, body: {} }), reason: /let through/ },
	"RBAC forbids the canary": {
		answer: () => denial('serviceentries.networking.istio.io is forbidden: User "x" cannot create'),
		reason: /refused by somebody else: .*forbidden/,
	},
	"another webhook denies the canary, even in our words": {
		answer: (seen) =>
			denial(`admission webhook "other.example" denied the request: ${canaryMessage(nonceOf(seen))}`),
		reason: /refused by somebody else/,
	},
	"our webhook is asked and denies for another reason": {
		answer: () => denial('admission webhook "canary.waymark.dev" denied the request: no'),
		reason: /refused by somebody else/,
	},
	"the CRD is not installed": {
		answer: () => ({
			status: 404,
			body: { code: 404, message: "the server could not find the requested resource" },
		}),
		reason: /refused by somebody else: the server could not find/,
	},
	"one webhook has no CA bundle": {
		webhooks: [{ ...usual[0], clientConfig: {} } as Webhook, ...usual.slice(1)],
		reason: /does not verify this replica: the CA bundle holds no certificate/,
	},
	"the CA bundle is of another CA": {
		webhooks: usual.map((webhook) => ({
			...webhook,
			clientConfig: { caBundle: Buffer.from(foreign.cert).toString("base64") },
		})),
		reason: /does not verify this replica: no certificate of the CA bundle signed it/,
	},
	"no replica is ready": { options: { replicas: async () => [] }, reason: /no replica is ready/ },
	"the canary webhook is missing": { webhooks: usual.slice(0, 1), reason: /no webhook canary.waymark.dev/ },
	"a person holds it": { annotations: { [holdAnnotation]: "Ignore" }, reason: /keeps it at Ignore/ },
};

for (const [when, { webhooks, options, answer, annotations, reason }] of Object.entries(doubts)) {
	test(`startBootstrap() leaves the webhook at Ignore when ${when}`, async (context) => {
		const { server, install, start, policies } = await scene(context);
		install(webhooks ?? usual, annotations);
		if (answer !== undefined) {
			server.intercept((seen) => (seen.path === canaries ? answer(seen) : null));
		}
		const status = await start(options).attempt();
		assert.match(status.reason, reason);
		assert.equal(server.seen.filter(({ method }) => method === "PUT").length, 0);
		assert.equal(policies()["validate.waymark.dev"], "Ignore");
	});
}

test("startBootstrap() waits for every replica: one that serves another CA's certificate, or nothing, is in the way", async (context) => {
	const { install, start, policies, replica } = await scene(context);
	install(usual);
	const other = await serveCanary(context, stranger);
	const bootstrap = start({ replicas: async () => [replica, other] });
	assert.match((await bootstrap.attempt()).reason, new RegExp(`every replica: 127.0.0.1:${other.port}: `));
	const absent = start({ replicas: async () => [replica, { host: "127.0.0.1", port: 1 }] });
	assert.match((await absent.attempt()).reason, /127.0.0.1:1: .*ECONNREFUSED/);
	assert.deepEqual(policies(), lax);
});

test("startBootstrap() proves it anew when the configuration changes during the proof", async (context) => {
	const { server, install, start, policies, replica } = await scene(context);
	install(usual);
	let changes = 1;
	const bootstrap = start({
		times: { tryMs: 60_000, lookMs: 60_000 },
		replicas: async () => {
			if (changes > 0) {
				changes -= 1;
				server.set(path, { ...server.get(path) });
			}
			return [replica];
		},
	});
	while (bootstrap.status().state === "unknown") {
		await sleep(5);
	}
	assert.match(bootstrap.status().reason, /at the same time/);
	assert.deepEqual(policies(), lax);
	assert.equal((await bootstrap.attempt()).state, "strict");
	assert.deepEqual(policies(), strict);
});

const failing = usual.map((each) =>
	each.name === "validate.waymark.dev" ? { ...each, failurePolicy: "Fail" } : each,
);
const configMap = `/api/v1/namespaces/waymark/configmaps/${breakGlassConfigMap}`;

test("startBootstrap() opens what is strict while the glass is broken, keeps it open, and closes it by a proof", async (context) => {
	const { server, install, start, policies } = await scene(context);
	install(usual);
	const bootstrap = start({ times: { tryMs: 10, lookMs: 60_000 } });
	while (bootstrap.status().state !== "strict") {
		await sleep(5);
	}
	server.set(configMap, { metadata: {}, data: { reason: "incident 7\nforged" } });
	while (!bootstrap.isGlassBroken()) {
		await sleep(5);
	}
	assert.deepEqual(policies(), lax);
	assert.match(
		bootstrap.status().reason,
		/^the ConfigMap waymark-break-glass keeps it at Ignore: "incident 7.forged"$/u,
	);
	// As an applier leaves it that knows what is in Git and nothing else.
	install(failing);
	while (policies()["validate.waymark.dev"] !== "Ignore") {
		await sleep(5);
	}
	server.delete(configMap);
	while (bootstrap.status().state !== "strict") {
		await sleep(5);
	}
	assert.deepEqual(policies(), strict);
	assert.equal(bootstrap.isGlassBroken(), false);
});

test("startBootstrap() opens by the annotation as well, without anybody who patches the policies", async (context) => {
	const { install, start, policies } = await scene(context);
	install(failing, { [holdAnnotation]: "Ignore" });
	const bootstrap = start({ isReady: () => false });
	while (bootstrap.status().state !== "held") {
		await sleep(5);
	}
	assert.deepEqual(policies(), lax);
});

test("startBootstrap() says that the glass is broken when it begins and again and again", async (context) => {
	const { server, install, start } = await scene(context);
	install(usual);
	server.set(configMap, { metadata: {} });
	const lines: string[] = [];
	const log = { info: () => {}, warn: (_fields: unknown, text?: string) => void lines.push(text ?? "") };
	start({ times: { tryMs: 5, lookMs: 20 }, log: log as unknown as BootstrapOptions["log"] });
	while (lines.length < 3) {
		await sleep(5);
	}
	assert.deepEqual(new Set(lines), new Set(["break-glass: the validating webhooks fail open"]));
});

test("startBootstrap() does its work under a Role that does not know the ConfigMap", async (context) => {
	const { server, install, start } = await scene(context);
	install(usual);
	server.intercept(({ path: asked }) => {
		if (asked === canaries) {
			return { status: 201, body: {} };
		}
		return asked === configMap ? denial("configmaps is forbidden") : null;
	});
	assert.match((await start().attempt()).reason, /^the canary was let through/);
});

test("startBootstrap() never goes back by itself, and a person's Ignore holds with the annotation only", async (context) => {
	const { server, install, start, policies } = await scene(context);
	install(usual);
	const bootstrap = start({ times: { tryMs: 60_000, lookMs: 60_000 } });
	await bootstrap.attempt();
	server.intercept((seen) => (seen.path === canaries ? { status: 201, body: {} } : null));
	assert.equal((await bootstrap.attempt()).state, "strict");
	assert.deepEqual(policies(), strict);
	install(usual, { [holdAnnotation]: "Ignore" });
	assert.equal((await bootstrap.attempt()).state, "held");
	assert.deepEqual(policies(), lax);
});

test("startBootstrap() goes on trying the canary after Fail, and says since when and why it does not come back", async (context) => {
	const { server, install, start, policies, replica } = await scene(context);
	install(usual);
	const bootstrap = start({ times: { tryMs: 60_000, lookMs: 60_000 } });
	await bootstrap.attempt();
	await bootstrap.attempt();
	assert.equal(bootstrap.unreached(), undefined);
	let isCut = true;
	const [, webhook] = (server.get(path) as unknown as { readonly webhooks: readonly Webhook[] }).webhooks;
	const bundle = webhook?.clientConfig.caBundle ?? "";
	server.intercept((seen) => {
		if (seen.path !== canaries) {
			return null;
		}
		return isCut ? { status: 201, body: {} } : admit(replica, seen, bundle);
	});
	assert.equal((await bootstrap.attempt()).state, "strict");
	const first = bootstrap.unreached();
	assert.match(first?.reason ?? "", /^the canary was let through/);
	await sleep(20);
	await bootstrap.attempt();
	assert.ok((bootstrap.unreached()?.sinceMs ?? 0) >= 20);
	assert.deepEqual(policies(), strict);
	isCut = false;
	await bootstrap.attempt();
	assert.equal(bootstrap.unreached(), undefined);
});

test("startBootstrap() reports an API server that fails, and does nothing", async (context) => {
	const { server, install, start } = await scene(context);
	install(usual);
	server.intercept(() => ({ status: 500, body: { message: "etcd is away" } }));
	assert.deepEqual(await start().attempt(), { state: "unknown", reason: "etcd is away" });
});

test("stop() of a bootstrap waits for no API server that does not answer", async (context) => {
	const { server, install, start } = await scene(context);
	install(usual);
	server.intercept(() => new Promise(() => {}));
	const bootstrap = start();
	await sleep(50);
	const begun = performance.now();
	await bootstrap.stop();
	assert.ok(performance.now() - begun < 5000);
});

test("readyEndpoints() lists each ready address once, with the port of that name", async (context) => {
	const server = await startObjectServer(context);
	const slice = (addresses: readonly string[], ready: boolean | null): object => ({
		addresses,
		conditions: { ready },
	});
	const ports = [
		{ name: "metrics", port: 8081 },
		{ name: "webhook", port: 8443 },
	];
	server.set("/apis/discovery.k8s.io/v1/namespaces/waymark/endpointslices", {
		metadata: {},
		items: [
			{
				endpoints: [slice(["10.0.0.1"], true), slice(["10.0.0.2"], false), slice(["10.0.0.3"], null)],
				ports,
			},
			{ endpoints: [slice(["10.0.0.1"], true), slice(["fd00::1"], true)], ports },
			{ endpoints: null, ports: null },
		],
	});
	assert.deepEqual(await readyEndpoints(server.api, "waymark", "waymark", "webhook"), [
		{ host: "10.0.0.1", port: 8443 },
		{ host: "10.0.0.3", port: 8443 },
		{ host: "fd00::1", port: 8443 },
	]);
	assert.equal(server.seen[0]?.query.get("labelSelector"), "kubernetes.io/service-name=waymark");
});

test("handshakeFault() judges a replica that would refuse us for having no client certificate", async (context) => {
	const guarded = await serveCanary(context, leaf, { clientCa: foreign.cert });
	assert.equal(await handshakeFault(guarded, name, authority.cert), null);
	assert.match((await handshakeFault(guarded, name, foreign.cert)) ?? "", /unable to verify/);
	assert.match(
		(await handshakeFault(guarded, "other.svc", authority.cert)) ?? "",
		/not in the cert's altnames/,
	);
});
