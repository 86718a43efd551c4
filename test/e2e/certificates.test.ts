import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fingerprints, verificationFault } from "../../src/certificates/inspect.ts";
import type { ApiServer } from "../../src/kube/client/api-writes.ts";
import { connect } from "../../src/kube/client/connection.ts";
import { kubeconfigCredentials } from "../../src/kube/client/credentials.ts";
import { rotateAnnotation } from "../../src/kube/install/authority-secret.ts";
import { breakGlassConfigMap, holdAnnotation } from "../../src/kube/install/break-glass.ts";
import { startBalancer } from "../support/balancer.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import type { Replica } from "./replicas.ts";
import { home, refusal, refusedLabel, startReplica } from "./replicas.ts";
import { createNamespace, serviceEntry } from "./world.ts";

/** How long each disturbance lasts under load, in seconds; 60 is what the product promises. */
const seconds = Number(process.env.WAYMARK_E2E_SECONDS ?? "6");
/** Applies a second. Without keep-alive each costs two TLS handshakes on both sides, and all of it runs on one machine. */
const rates = { keepAlive: 100, closing: 50 };
const mostAtOnce = 8;
const times = { intervalMs: 300, settleMs: 1000, retentionMs: 6000 };

interface Permission {
	readonly apiGroups: readonly string[];
	readonly resources: readonly string[];
	readonly resourceNames?: readonly string[];
	readonly verbs: readonly string[];
}

const registration = { apiGroups: ["admissionregistration.k8s.io"], resourceNames: [home.name] };

/** Without it nobody can break the glass by ConfigMap, and everything else is done. */
const breakGlass = "get the break-glass ConfigMap";

/** Everything that certificates and bootstrap may do, one verb each; `cluster` needs a ClusterRole. */
const permissions: Readonly<Record<string, { readonly cluster: boolean; readonly rule: Permission }>> =
	Object.fromEntries([
		...["get", "update"].map((verb) => [
			`${verb} its secret`,
			{
				cluster: false,
				rule: { apiGroups: [""], resources: ["secrets"], resourceNames: [home.secret], verbs: [verb] },
			},
		]),
		[
			"create secrets",
			{ cluster: false, rule: { apiGroups: [""], resources: ["secrets"], verbs: ["create"] } },
		],
		[
			breakGlass,
			{
				cluster: false,
				rule: {
					apiGroups: [""],
					resources: ["configmaps"],
					resourceNames: [breakGlassConfigMap],
					verbs: ["get"],
				},
			},
		],
		[
			"create canaries",
			{
				cluster: false,
				rule: { apiGroups: ["networking.istio.io"], resources: ["serviceentries"], verbs: ["create"] },
			},
		],
		...["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].flatMap((resource) =>
			["get", "update"].map((verb) => [
				`${verb} ${resource}`,
				{ cluster: true, rule: { ...registration, resources: [resource], verbs: [verb] } },
			]),
		),
	]);

let plane: OwnControlPlane;

before(async () => {
	plane = await startControlPlane({ istiod: false });
	await createNamespace(plane, home.namespace);
	await createNamespace(plane, "shop");
});

after(() => plane.stop());

/** The API server as a service account sees it that has these permissions and no other. */
async function actAs(context: TestContext, account: string, granted: readonly string[]): Promise<ApiServer> {
	const kubeconfig = await plane.serviceAccountKubeconfig(home.namespace, account);
	const subjects = [{ kind: "ServiceAccount", name: account, namespace: home.namespace }];
	for (const [kind, cluster] of [
		["Role", false],
		["ClusterRole", true],
	] as const) {
		const rules = granted.flatMap((name) => {
			const permission = permissions[name];
			return permission?.cluster === cluster ? [permission.rule] : [];
		});
		const metadata = cluster ? { name: account } : { name: account, namespace: home.namespace };
		const apiVersion = "rbac.authorization.k8s.io/v1";
		const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: account };
		await plane.api.apply({ apiVersion, kind, metadata, rules });
		await plane.api.apply({ apiVersion, kind: `${kind}Binding`, metadata, roleRef, subjects });
	}
	const connection = connect(await kubeconfigCredentials(kubeconfig));
	context.after(() => connection.stop());
	return connection;
}

/** Installs the webhook configurations as the chart does: Ignore, without a CA bundle. */
async function install(port: number): Promise<void> {
	const webhook = (name: string, path: string, selector: object, objectSelector: object = {}): object => ({
		name,
		clientConfig: { url: `https://127.0.0.1:${port}${path}` },
		rules: [
			{
				apiGroups: ["networking.istio.io"],
				apiVersions: ["*"],
				resources: ["serviceentries"],
				operations: ["CREATE", "UPDATE"],
			},
		],
		namespaceSelector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", ...selector }] },
		objectSelector,
		failurePolicy: "Ignore",
		sideEffects: "None",
		timeoutSeconds: 5,
		admissionReviewVersions: ["v1"],
	});
	const others = { operator: "NotIn", values: [home.namespace] };
	const own = { operator: "In", values: [home.namespace] };
	const canaries = { matchExpressions: [{ key: "egress.waymark.dev/canary", operator: "Exists" }] };
	for (const [kind, webhooks] of [
		[
			"ValidatingWebhookConfiguration",
			[
				webhook("validate.waymark.dev", "/validate", others),
				webhook("canary.waymark.dev", "/canary", own, canaries),
			],
		],
		["MutatingWebhookConfiguration", [webhook("mutate.waymark.dev", "/mutate", others)]],
	] as const) {
		await plane.api.delete(kind, undefined, home.name);
		await plane.api.create({
			apiVersion: "admissionregistration.k8s.io/v1",
			kind,
			metadata: { name: home.name },
			webhooks,
		});
	}
}

interface Stage {
	readonly replicas: Replica[];
	readonly api: ApiServer;
	add(): Promise<Replica>;
}

/** A fresh cluster with three replicas behind a balancer, started at the same time. */
async function stage(context: TestContext, keepAlive: boolean): Promise<Stage> {
	const api = await actAs(context, "waymark", Object.keys(permissions));
	await plane.api.delete("Secret", home.namespace, home.secret);
	const replicas: Replica[] = [];
	const balancer = await startBalancer({ backends: () => replicas, everyMs: 50, lagMs: 200 });
	await install(balancer.port);
	const peers = (): readonly Replica[] => replicas.filter((replica) => replica.isReady());
	const add = async (): Promise<Replica> => {
		const replica = await startReplica({ api, times, keepAlive, peers });
		replicas.push(replica);
		return replica;
	};
	await Promise.all([add(), add(), add()]);
	context.after(async () => {
		await Promise.all(replicas.map((replica) => replica.stop()));
		await balancer.stop();
	});
	return { replicas, api, add };
}

async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
	const end = Date.now() + limitMs;
	while (!(await holds())) {
		assert.ok(Date.now() < end, `${what}: not within ${limitMs} ms`);
		await sleep(50);
	}
}

interface StoredWebhook {
	readonly failurePolicy: string;
	readonly clientConfig: { readonly caBundle?: string };
}

async function webhooks(): Promise<readonly StoredWebhook[]> {
	const configuration = await plane.get("ValidatingWebhookConfiguration", undefined, home.name);
	return (configuration?.webhooks ?? []) as readonly StoredWebhook[];
}

async function policies(): Promise<readonly string[]> {
	return (await webhooks()).map(({ failurePolicy }) => failurePolicy);
}

async function secretData(): Promise<Readonly<Record<string, string>>> {
	const secret = await plane.get("Secret", home.namespace, home.secret);
	const data = (secret?.data ?? {}) as Readonly<Record<string, string>>;
	return Object.fromEntries(
		Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
	);
}

async function signingCa(): Promise<string> {
	return fingerprints((await secretData())["ca.crt"] ?? "")[0] ?? "";
}

interface Counts {
	asked: number;
	failed: number;
	wrong: number;
	slowestMs: number;
	readonly examples: string[];
}

/** Applies good and bad objects in turn, `rate` of them a second, until `during` is over; the API server must judge each rightly. */
async function load(rate: number, during: () => Promise<void>): Promise<Counts> {
	const counts: Counts = { asked: 0, failed: 0, wrong: 0, slowestMs: 0, examples: [] };
	const path = "/apis/networking.istio.io/v1/namespaces/shop/serviceentries?dryRun=All";
	const ask = async (index: number): Promise<void> => {
		const isBad = index % 2 === 1;
		const labels = isBad ? { [refusedLabel]: "yes" } : {};
		const body = serviceEntry("shop", `load-${index}`, "load.example.com", { labels });
		const start = performance.now();
		const answer = await plane.api.request("POST", path, { body });
		counts.slowestMs = Math.max(counts.slowestMs, performance.now() - start);
		const text = JSON.stringify(answer.body);
		const isRight = isBad ? answer.status === 403 && text.includes(refusal) : answer.status === 201;
		if (!isRight) {
			counts[answer.status === 201 || answer.status === 403 ? "wrong" : "failed"] += 1;
			counts.examples.push(`${answer.status} ${text.slice(0, 300)}`);
		}
	};
	const asking = new Set<Promise<void>>();
	const start = performance.now();
	let over = false;
	const pace = (async () => {
		while (!over) {
			// A machine that cannot do it is asked less: a queue of its own making would say nothing about us.
			while (counts.asked < ((performance.now() - start) / 1000) * rate && asking.size < mostAtOnce) {
				const answer = ask(counts.asked).finally(() => asking.delete(answer));
				asking.add(answer);
				counts.asked += 1;
			}
			await sleep(5);
		}
	})();
	await during();
	over = true;
	await pace;
	await Promise.all(asking);
	return counts;
}

test("Three replicas that start at once agree on one CA, and the validating webhook fails closed by itself", async (context) => {
	const { replicas } = await stage(context, true);
	await until("fail closed", async () => (await policies())[0] === "Fail");
	assert.deepEqual(await policies(), ["Fail", "Ignore"], "the canary webhook never blocks anybody");
	const { "ca.crt": ca = "" } = await secretData();
	for (const replica of replicas) {
		assert.equal(
			verificationFault(replica.certificates.current().cert, {
				now: new Date(),
				bundle: ca,
				name: "127.0.0.1",
			}),
			null,
		);
		assert.equal(replica.certificates.status().fault, null);
	}
	const { asked, failed, wrong } = await load(rates.keepAlive, () => sleep(1000));
	assert.deepEqual([failed, wrong], [0, 0], `of ${asked}`);
});

test("A person's Ignore with the annotation holds, and without it the proof is made anew", async (context) => {
	const { replicas } = await stage(context, true);
	await until("fail closed", async () => (await policies())[0] === "Fail");
	const change = async (hold: string | null): Promise<void> => {
		const patch = await plane.kubectl([
			"patch",
			"validatingwebhookconfiguration",
			home.name,
			"--type=json",
			`--patch=${JSON.stringify([
				{ op: "add", path: "/metadata/annotations", value: hold === null ? {} : { [holdAnnotation]: hold } },
				{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" },
			])}`,
		]);
		assert.equal(patch.code, 0, patch.stderr);
	};
	await change("Ignore");
	await until("held", () => replicas.every((replica) => replica.bootstrap?.status().state === "held"));
	assert.deepEqual(await policies(), ["Ignore", "Ignore"]);
	await change(null);
	await until("fail closed", async () => (await policies())[0] === "Fail");
});

interface Managed {
	readonly manager: string;
	readonly operation: string;
	readonly [field: string]: unknown;
}

function merged(one: unknown, other: unknown): unknown {
	if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) {
		return other ?? one;
	}
	const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
	const field = (from: object, key: string): unknown => (from as Readonly<Record<string, unknown>>)[key];
	return Object.fromEntries([...keys].map((key) => [key, merged(field(one, key), field(other, key))]));
}

/**
 * Applies a configuration by server-side apply with force; with cleaning, takes over first what kubectl wrote, as Flux's
 * kustomize-controller does (fluxcd/pkg ssa: PatchReplaceFieldsManagers), so that what is not in Git goes.
 */
async function reconcile(manifest: object, cleaning: boolean): Promise<void> {
	const url = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${home.name}`;
	if (cleaning) {
		const { metadata } = (await plane.get("ValidatingWebhookConfiguration", undefined, home.name)) ?? {};
		const entries = (metadata?.managedFields ?? []) as readonly Managed[];
		const isTaken = ({ manager }: Managed): boolean => /^(kubectl|gitops)/.test(manager);
		const taken = entries.filter(isTaken).map(({ fieldsV1 }) => fieldsV1);
		const [first] = entries.filter(isTaken);
		const fieldsV1 = taken.reduce(merged, {});
		const value = [
			...entries.filter((entry) => !isTaken(entry)),
			{ ...first, manager: "gitops", operation: "Apply", fieldsV1 },
		];
		const patch = JSON.stringify([{ op: "replace", path: "/metadata/managedFields", value }]);
		const cleaned = await plane.kubectl([
			"patch",
			"validatingwebhookconfiguration",
			home.name,
			"--field-manager=gitops",
			"--type=json",
			`--patch=${patch}`,
		]);
		assert.equal(cleaned.code, 0, cleaned.stderr);
	}
	const query = "?fieldManager=gitops&force=true";
	const answer = await plane.api.request("PATCH", `${url}${query}`, {
		body: manifest,
		contentType: "application/apply-patch+yaml",
	});
	assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

test("A ConfigMap breaks the glass for good, an annotation until an applier cleans it, and both end with a proof", async (context) => {
	const { replicas } = await stage(context, true);
	await until("fail closed", async () => (await policies())[0] === "Fail");
	const live = await plane.get("ValidatingWebhookConfiguration", undefined, home.name);
	// As it is in Git: what the API server would fill in, and failurePolicy: Fail; neither bundle nor annotation.
	const inGit = {
		apiVersion: "admissionregistration.k8s.io/v1",
		kind: "ValidatingWebhookConfiguration",
		metadata: { name: home.name },
		webhooks: ((live?.webhooks ?? []) as readonly (StoredWebhook & { readonly clientConfig: object })[]).map(
			({ clientConfig, ...webhook }) => ({
				...webhook,
				clientConfig: { ...clientConfig, caBundle: undefined },
			}),
		),
	};
	const isOpen = async (): Promise<boolean> => (await policies()).every((policy) => policy === "Ignore");
	await reconcile(inGit, false);

	const annotated = await plane.kubectl([
		"annotate",
		"validatingwebhookconfiguration",
		home.name,
		`${holdAnnotation}=Ignore`,
	]);
	assert.equal(annotated.code, 0, annotated.stderr);
	await until("opened by the annotation", isOpen);
	await reconcile(inGit, false);
	await until("opened again", isOpen);
	await reconcile(inGit, true);
	await until("closed, since the applier cleaned the annotation", async () => !(await isOpen()));

	const name = breakGlassConfigMap;
	const created = await plane.kubectl([
		"create",
		"configmap",
		name,
		`--namespace=${home.namespace}`,
		"--from-literal=reason=a drill",
	]);
	assert.equal(created.code, 0, created.stderr);
	await until("opened by the ConfigMap", isOpen);
	for (const cleaning of [false, true, false, true]) {
		await reconcile(inGit, cleaning);
		await until("opened again", isOpen);
	}
	await until("every replica says so", () =>
		replicas.every(({ bootstrap }) => /a drill/.test(bootstrap?.status().reason ?? "")),
	);
	await plane.api.delete("ConfigMap", home.namespace, name);
	await until("closed again", async () => (await policies())[0] === "Fail");
	const { asked, failed, wrong } = await load(rates.keepAlive, () => sleep(1000));
	assert.deepEqual([failed, wrong], [0, 0], `of ${asked}`);
});

for (const keepAlive of [true, false]) {
	test(`No admission fails through rotations, losses and restarts, keep-alive ${keepAlive}`, async (context) => {
		const { replicas, add } = await stage(context, keepAlive);
		await until("fail closed", async () => (await policies())[0] === "Fail");
		const disturb = async (what: string, disturbance: () => Promise<void>): Promise<void> => {
			const counts = await load(keepAlive ? rates.keepAlive : rates.closing, async () => {
				const start = performance.now();
				await sleep(500);
				await disturbance();
				await sleep(Math.max(500, seconds * 1000 - (performance.now() - start)));
			});
			context.diagnostic(
				`${what}: ${counts.asked} asked, ${counts.failed} failed, ${counts.wrong} wrong, slowest ${counts.slowestMs.toFixed(0)} ms`,
			);
			assert.deepEqual(
				[counts.failed, counts.wrong],
				[0, 0],
				`${what}: ${counts.examples.slice(0, 3).join("\n")}`,
			);
		};

		await disturb("CA rotation", async () => {
			const old = await signingCa();
			await plane.api.patch("Secret", home.namespace, home.secret, {
				metadata: { annotations: { [rotateAnnotation]: "now" } },
			});
			await until("the switch", async () => (await signingCa()) !== old);
			const { "ca.crt": ca = "" } = await secretData();
			const isOfNewCa = ({ certificates }: Replica): boolean =>
				verificationFault(certificates.current().cert, { now: new Date(), bundle: ca }) === null;
			await until("leaves of the new CA", () => replicas.every(isOfNewCa));
			await until("the end of the old CA", async () => (await secretData())["retired-ca.crt"] === undefined);
		});
		await disturb("Secret deleted", async () => {
			const old = await signingCa();
			await plane.api.delete("Secret", home.namespace, home.secret);
			await until("the Secret", async () => (await signingCa()) === old);
		});
		await disturb("Secret corrupted", async () => {
			const old = await signingCa();
			await plane.api.patch("Secret", home.namespace, home.secret, { data: { "ca.key": "Z2FyYmFnZQ==" } });
			await until("the key", async () => ((await secretData())["ca.key"] ?? "").startsWith("-----BEGIN"));
			assert.equal(await signingCa(), old);
		});
		await disturb("caBundle rewritten by somebody who adds a CA", async () => {
			const { caBundle, live } = await bundleWithStranger();
			await plane.kubectl([
				"patch",
				"validatingwebhookconfiguration",
				home.name,
				"--type=json",
				`--patch=${JSON.stringify([{ op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: caBundle }])}`,
			]);
			await until("repair", async () => (await bundleWithStranger()).live === live);
		});
		await disturb("rolling restart", async () => {
			for (const old of [...replicas]) {
				const fresh = await add();
				await until("readiness", () => fresh.isReady());
				await sleep(300);
				const { refused, cut } = await old.drain.begin();
				context.diagnostic(`one replica left: ${refused} sent on to others, ${cut} cut`);
				await old.stop();
				replicas.splice(replicas.indexOf(old), 1);
			}
		});
		assert.ok(
			replicas.some((replica) => replica.answered() > 0),
			"the new replicas were never asked",
		);
	});
}

/** The validating webhook's CA bundle, and the same with another CA added. */
async function bundleWithStranger(): Promise<{ readonly live: string; readonly caBundle: string }> {
	const [webhook] = await webhooks();
	const live = Buffer.from(webhook?.clientConfig.caBundle ?? "", "base64").toString();
	const caBundle = Buffer.from(live + plane.connection.authority.certificate).toString("base64");
	return { live, caBundle };
}

test("A replica outlives the restart of the API server with its certificate", async (context) => {
	const { replicas } = await stage(context, true);
	await until("fail closed", async () => (await policies())[0] === "Fail");
	const before = replicas.map((replica) => replica.certificates.current().cert);
	await plane.stopApiServer();
	await until("notice", () => replicas.every((replica) => replica.certificates.status().lookFault !== null));
	assert.ok(replicas.every((replica) => replica.isReady()));
	await plane.startApiServer();
	await until("looking again", () =>
		replicas.every((replica) => replica.certificates.status().lookFault === null),
	);
	assert.deepEqual(
		replicas.map((replica) => replica.certificates.current().cert),
		before,
	);
	const { asked, failed, wrong, examples } = await load(rates.keepAlive, () => sleep(1000));
	assert.deepEqual([failed, wrong], [0, 0], `of ${asked}: ${examples[0]}`);
});

test("Every permission is needed: without any one of them the work is not done", async (context) => {
	// Without "nothing", that is with all of them, it is done: otherwise the rest would prove nothing.
	const needed = Object.keys(permissions).filter((name) => name !== breakGlass);
	for (const [index, missing] of ["nothing", ...needed].entries()) {
		const granted = Object.keys(permissions).filter((name) => name !== missing);
		const api = await actAs(context, `lacking-${index}`, granted);
		await plane.api.delete("Secret", home.namespace, home.secret);
		const replicas: Replica[] = [];
		const balancer = await startBalancer({ backends: () => replicas, everyMs: 50 });
		await install(balancer.port);
		const patience = new AbortController();
		const timer = setTimeout(() => patience.abort(), 1500);
		const start = startReplica({
			api,
			times: { ...times, settleMs: 0 },
			keepAlive: true,
			peers: () => replicas,
			signal: patience.signal,
		});
		const replica = await start.catch(() => null);
		clearTimeout(timer);
		const isDone = async (): Promise<boolean> => {
			if (replica === null) {
				return false;
			}
			replicas.push(replica);
			await plane.api
				.patch("Secret", home.namespace, home.secret, {
					metadata: { annotations: { [rotateAnnotation]: "now" } },
				})
				.catch(() => {});
			for (const end = Date.now() + 2000; Date.now() < end; await sleep(100)) {
				const { fault, lookFault, rotation } = replica.certificates.status();
				if (
					fault === null &&
					lookFault === null &&
					rotation === "retiring" &&
					(await policies())[0] === "Fail"
				) {
					return true;
				}
			}
			return false;
		};
		assert.equal(await isDone(), missing === "nothing", `without the permission to ${missing}`);
		await replica?.stop();
		await balancer.stop();
	}
});
