import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { createAuthority } from "../../../src/certificates/authority.ts";
import type { CertificatePair } from "../../../src/certificates/inspect.ts";
import { fingerprints, verificationFault } from "../../../src/certificates/inspect.ts";
import { rotateAnnotation } from "../../../src/kube/install/authority-secret.ts";
import type { OwnCertificates, OwnCertificateTimes } from "../../../src/kube/install/own-certificates.ts";
import { keepOwnCertificates } from "../../../src/kube/install/own-certificates.ts";
import type {
	WebhookConfiguration,
	WebhookConfigurationRef,
} from "../../../src/kube/install/webhook-configurations.ts";
import { bundlesOf } from "../../../src/kube/install/webhook-configurations.ts";
import type { ObjectServer, StoredObject } from "../../support/object-server.ts";
import { startObjectServer } from "../../support/object-server.ts";

const hour = 3_600_000;
const day = 24 * hour;
const secretPath = "/api/v1/namespaces/waymark/secrets/waymark-certificates";
const root = "/apis/admissionregistration.k8s.io/v1";
const paths = {
	validating: `${root}/validatingwebhookconfigurations/waymark`,
	mutating: `${root}/mutatingwebhookconfigurations/waymark`,
};
const configurations: readonly WebhookConfigurationRef[] = [
	{ kind: "ValidatingWebhookConfiguration", name: "waymark" },
	{ kind: "MutatingWebhookConfiguration", name: "waymark" },
];
const fast: Partial<OwnCertificateTimes> = { intervalMs: 40, settleMs: 60, firstBackoffMs: 10 };
const name = "waymark.waymark.svc";

interface World {
	readonly server: ObjectServer;
	/** Milliseconds by which the clock of every replica is ahead of the real one. */
	clock: number;
	/** Starts a replica; it knows that its clock is so many milliseconds ahead of the API server's. */
	replica(times?: Partial<OwnCertificateTimes>, aheadMs?: number): Promise<OwnCertificates>;
	live(): readonly string[];
	/** Which replicas the webhooks would not trust at this moment, and why. */
	faults(): readonly string[];
	/** What `faults()` said after any change before which every replica had been trusted before. */
	readonly lost: readonly string[];
	/** Waits until every replica is trusted; from then on, what is lost is noted. */
	trusted(): Promise<void>;
}

async function world(context: TestContext): Promise<World> {
	const server = await startObjectServer(context);
	server.set(paths.validating, {
		metadata: { name: "waymark", labels: { "helm.sh/chart": "waymark" } },
		webhooks: [
			{
				name: "validate.waymark.dev",
				failurePolicy: "Ignore",
				clientConfig: { service: { name: "waymark" } },
			},
			{ name: "canary.waymark.dev", failurePolicy: "Ignore", clientConfig: { service: { name: "waymark" } } },
		],
	});
	server.set(paths.mutating, {
		metadata: { name: "waymark" },
		webhooks: [{ name: "mutate.waymark.dev", clientConfig: { service: { name: "waymark" } } }],
	});
	const replicas: OwnCertificates[] = [];
	const lost: string[] = [];
	let allTrusted = false;
	const self: World = {
		server,
		clock: 0,
		lost,
		async replica(times = {}, aheadMs = 0) {
			const replica = await keepOwnCertificates({
				api: server.api,
				namespace: "waymark",
				secretName: "waymark-certificates",
				names: [name, "127.0.0.1"],
				configurations,
				log: pino({ level: "silent" }),
				now: () => new Date(Date.now() + self.clock + aheadMs),
				skewMs: () => aheadMs,
				times: { ...fast, ...times },
			});
			context.after(() => replica.stop());
			allTrusted = false;
			replicas.push(replica);
			replica.onChange(() => judge("a leaf"));
			return replica;
		},
		async trusted() {
			await until("trust", () => self.faults().length === 0);
			allTrusted = true;
		},
		live: () =>
			Object.values(paths).flatMap((path) => bundlesOf(server.get(path) as unknown as WebhookConfiguration)),
		faults: () =>
			replicas.flatMap((replica, index) =>
				self.live().flatMap((bundle) => {
					const now = new Date(Date.now() + self.clock);
					const fault = verificationFault(replica.current().cert, { now, bundle, name });
					return fault === null ? [] : [`replica ${index}: ${fault}`];
				}),
			),
	};
	const judge = (path: string): void => {
		const faults = self.faults();
		if (allTrusted) {
			lost.push(...faults.map((fault) => `after the change of ${path}: ${fault}`));
		}
		allTrusted = faults.length === 0;
	};
	server.onWrite(judge);
	return self;
}

function secretOf({ server }: World): Readonly<Record<string, string>> {
	const { data } = server.get(secretPath) as StoredObject & {
		readonly data: Readonly<Record<string, string>>;
	};
	return Object.fromEntries(
		Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
	);
}

async function until(what: string, holds: () => boolean): Promise<void> {
	const end = Date.now() + 15_000;
	while (!holds()) {
		assert.ok(Date.now() < end, `${what}: not within 15 s`);
		await sleep(5);
	}
}

function setSecret({ server }: World, data: Readonly<Record<string, string>>): void {
	const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
	const present = server.get(secretPath);
	server.set(secretPath, { ...present, data: Object.fromEntries(encoded) });
}

test("keepOwnCertificates() by five replicas at once ends with one CA that every webhook trusts", async (context) => {
	const scene = await world(context);
	const replicas = await Promise.all(Array.from({ length: 5 }, () => scene.replica()));
	const creations = scene.server.seen.filter(({ method }) => method === "POST");
	assert.ok(creations.length >= 1);
	await scene.trusted();
	for (const bundle of scene.live()) {
		assert.deepEqual(fingerprints(bundle), fingerprints(secretOf(scene)["ca.crt"] ?? ""));
	}
	await until("status", () => replicas.every((replica) => replica.status().fault === null));
	assert.equal(
		new Set(replicas.map((replica) => replica.current().key)).size,
		5,
		"each has a key of its own",
	);
	const { metadata, webhooks } = scene.server.get(paths.validating) as unknown as {
		metadata: object;
		webhooks: object[];
	};
	assert.ok(
		"labels" in metadata && webhooks.every((webhook) => "failurePolicy" in webhook),
		"the rest stays",
	);
});

test("keepOwnCertificates() writes nothing while nothing drifts", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica({ settleMs: 0 });
	const writes = (): number => scene.server.seen.filter(({ method }) => method !== "GET").length;
	const before = writes();
	assert.equal(before, 3);
	const leaf = replica.current().cert;
	await Promise.all([replica.refresh(), sleep(200)]);
	assert.equal(writes(), before);
	assert.equal(replica.current().cert, leaf);
});

test("keepOwnCertificates() renews the leaf at two thirds of its life by the wall clock", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	const first = replica.current().cert;
	scene.clock = 4 * day;
	await replica.refresh();
	assert.equal(replica.current().cert, first);
	scene.clock = 5 * day;
	await replica.refresh();
	assert.notEqual(replica.current().cert, first);
	assert.deepEqual(scene.faults(), []);
	const lateMs = Date.now() + 12 * day - (replica.status().leafExpires?.getTime() ?? 0);
	assert.ok(lateMs >= 0 && lateMs < 10_000, `the new leaf ends ${lateMs} ms before 12 days from now`);
});

test("keepOwnCertificates() rotates the CA in two steps without a moment of distrust", async (context) => {
	const scene = await world(context);
	const brief = { authorityMs: 30 * day };
	const replicas = await Promise.all([scene.replica(brief), scene.replica(brief), scene.replica(brief)]);
	await scene.trusted();
	const [old] = fingerprints(secretOf(scene)["ca.crt"] ?? "");
	for (const days of [4.8, 9.6, 14.4, 19.2, 20.4]) {
		assert.equal(replicas[0]?.status().rotation, "none");
		scene.clock = days * day;
		await Promise.all(replicas.map((replica) => replica.refresh()));
	}
	await until("switch", () => fingerprints(secretOf(scene)["ca.crt"] ?? "")[0] !== old);
	assert.deepEqual(fingerprints(secretOf(scene)["retired-ca.crt"] ?? ""), [old]);
	assert.equal(secretOf(scene)["next-ca.crt"], undefined);
	await until("leaves of the new CA", () =>
		replicas.every(
			(replica) =>
				verificationFault(replica.current().cert, {
					now: new Date(Date.now() + scene.clock),
					bundle: secretOf(scene)["ca.crt"] ?? "",
				}) === null,
		),
	);
	await until("the retirement", () => replicas[0]?.status().rotation === "retiring");
	assert.equal(fingerprints(scene.live()[0] ?? "").length, 2);
	scene.clock += 5 * day;
	await Promise.all(replicas.map((replica) => replica.refresh()));
	assert.equal(
		fingerprints(scene.live()[0] ?? "").length,
		2,
		"the old CA is trusted while a leaf of it may live",
	);
	scene.clock += 4 * day;
	await until("the old CA to go", () => scene.live().every((bundle) => fingerprints(bundle).length === 1));
	await until("the end of the rotation", () => replicas[0]?.status().rotation === "none");
	assert.deepEqual(scene.faults(), []);
	assert.deepEqual(scene.lost, []);
});

test("keepOwnCertificates() rotates on request and takes the request away", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	await replica.refresh();
	const [old] = fingerprints(secretOf(scene)["ca.crt"] ?? "");
	const secret = scene.server.get(secretPath);
	scene.server.set(secretPath, {
		...secret,
		metadata: { ...secret?.metadata, annotations: { [rotateAnnotation]: "now", "example.org/kept": "yes" } },
	});
	await until("switch", () => fingerprints(secretOf(scene)["ca.crt"] ?? "")[0] !== old);
	assert.deepEqual(scene.server.get(secretPath)?.metadata.annotations, { "example.org/kept": "yes" });
	assert.equal(fingerprints(scene.live()[0] ?? "").length, 2);
	assert.deepEqual(scene.lost, []);
});

test("keepOwnCertificates() does not switch while one configuration cannot be given the next CA", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	const [old] = fingerprints(secretOf(scene)["ca.crt"] ?? "");
	scene.server.intercept(({ method, path }) =>
		method === "PUT" && path === paths.mutating
			? { status: 403, body: { message: "forbidden", reason: "Forbidden" } }
			: null,
	);
	scene.clock = 244 * day;
	await assert.rejects(replica.refresh(), /forbidden/);
	await sleep(300);
	assert.equal(fingerprints(secretOf(scene)["ca.crt"] ?? "")[0], old);
	assert.equal(replica.status().rotation, "publishing");
	assert.match(replica.status().lookFault ?? "", /forbidden/);
	scene.server.intercept(() => null);
	await until("switch", () => fingerprints(secretOf(scene)["ca.crt"] ?? "")[0] !== old);
	assert.equal(replica.status().lookFault, null);
});

test("keepOwnCertificates() puts a deleted Secret back with the same CA", async (context) => {
	const scene = await world(context);
	await Promise.all([scene.replica(), scene.replica(), scene.replica()]);
	await scene.trusted();
	const before = secretOf(scene)["ca.crt"];
	scene.server.delete(secretPath);
	await until("the Secret", () => scene.server.get(secretPath) !== undefined);
	assert.equal(secretOf(scene)["ca.crt"], before);
	assert.deepEqual(scene.faults(), []);
	assert.deepEqual(scene.lost, []);
});

test("keepOwnCertificates() that starts after the Secret is lost makes a new CA and keeps trust in the old one", async (context) => {
	const scene = await world(context);
	// This one stands for replicas that were restarted long ago: it does not look again.
	const old = await scene.replica({ intervalMs: hour });
	await scene.trusted();
	const before = fingerprints(secretOf(scene)["ca.crt"] ?? "");
	scene.server.delete(secretPath);
	await scene.replica();
	await scene.trusted();
	assert.notDeepEqual(fingerprints(secretOf(scene)["ca.crt"] ?? ""), before);
	assert.deepEqual(fingerprints(secretOf(scene)["retired-ca.crt"] ?? ""), before);
	await old.refresh();
	assert.deepEqual(scene.faults(), []);
	assert.deepEqual(scene.lost, []);
});

const foreign: CertificatePair = await createAuthority({ now: new Date() });
const corruptions: Readonly<
	Record<string, (data: Readonly<Record<string, string>>) => Readonly<Record<string, string>>>
> = {
	"is empty": () => ({}),
	"holds garbage": () => ({ "ca.crt": "garbage", "ca.key": "garbage" }),
	"has the key of another CA": (data) => ({ ...data, "ca.key": foreign.key }),
	"has the certificate of another CA": (data) => ({ ...data, "ca.crt": foreign.cert }),
	"has lost its key": (data) => ({ "ca.crt": data["ca.crt"] ?? "" }),
};

for (const [what, corrupt] of Object.entries(corruptions)) {
	test(`keepOwnCertificates() restores the CA when the Secret ${what}`, async (context) => {
		const scene = await world(context);
		await Promise.all([scene.replica(), scene.replica()]);
		await scene.trusted();
		const before = secretOf(scene);
		setSecret(scene, corrupt(before));
		await until("the CA", () => {
			const now = secretOf(scene);
			return now["ca.crt"] === before["ca.crt"] && now["ca.key"] === before["ca.key"];
		});
		await sleep(100);
		assert.deepEqual(scene.faults(), []);
		assert.deepEqual(scene.lost, []);
	});
}

test("keepOwnCertificates() adopts another good CA in the Secret without a moment of distrust", async (context) => {
	const scene = await world(context);
	const replicas = await Promise.all([
		scene.replica({ intervalMs: hour }),
		scene.replica({ intervalMs: hour }),
	]);
	await scene.trusted();
	const before = fingerprints(secretOf(scene)["ca.crt"] ?? "");
	setSecret(scene, { "ca.crt": foreign.cert, "ca.key": foreign.key });
	// A fresh replica sees the Secret first: it must not publish the new CA alone.
	await scene.replica();
	assert.deepEqual(scene.lost, []);
	await sleep(100);
	await Promise.all(replicas.map((replica) => replica.refresh()));
	await sleep(100);
	await Promise.all(replicas.map((replica) => replica.refresh()));
	await until("leaves of the other CA", () =>
		replicas.every(
			(replica) =>
				verificationFault(replica.current().cert, { now: new Date(), bundle: foreign.cert }) === null,
		),
	);
	assert.deepEqual(fingerprints(secretOf(scene)["retired-ca.crt"] ?? ""), before);
	assert.deepEqual(scene.lost, []);
	await scene.trusted();
});

test("keepOwnCertificates() leaves other keys of the Secret alone: a Secret of type kubernetes.io/tls must have its own", async (context) => {
	const scene = await world(context);
	scene.server.set(secretPath, { metadata: { name: "waymark-certificates" }, type: "kubernetes.io/tls" });
	setSecret(scene, { "ca.crt": foreign.cert, "tls.crt": "a leaf", "tls.key": "a key" });
	await scene.replica();
	await scene.trusted();
	const data = secretOf(scene);
	assert.deepEqual([data["tls.crt"], data["tls.key"]], ["a leaf", "a key"]);
	assert.notEqual(data["ca.crt"], foreign.cert, "a CA without its key cannot sign");
	assert.deepEqual(fingerprints(data["retired-ca.crt"] ?? ""), fingerprints(foreign.cert));
});

test("keepOwnCertificates() drops a broken next CA and a broken list of retired ones", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	const before = secretOf(scene);
	setSecret(scene, { ...before, "next-ca.crt": "garbage", "retired-ca.crt": "garbage" });
	await replica.refresh();
	assert.deepEqual(secretOf(scene), before);
	assert.deepEqual(scene.lost, []);
});

test("keepOwnCertificates() gives a tampered caBundle its certificates back, and nothing else", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	const bundles = scene.live();
	for (const caBundle of ["", Buffer.from(foreign.cert).toString("base64"), "garbage"]) {
		const present = scene.server.get(paths.mutating);
		scene.server.set(paths.mutating, {
			...present,
			webhooks: [{ name: "mutate.waymark.dev", clientConfig: { caBundle } }],
		});
		await replica.refresh();
		assert.deepEqual(scene.live(), bundles);
	}
	assert.equal(replica.status().fault, null);
});

test("keepOwnCertificates() waits for the API server at its start and outlives its absence later", async (context) => {
	const scene = await world(context);
	let refused = 0;
	const refuse = (): { status: number; body: object } => {
		refused += 1;
		return { status: 503, body: { message: "starting", reason: "ServiceUnavailable" } };
	};
	scene.server.intercept(() => (refused < 4 ? refuse() : null));
	const replica = await scene.replica();
	assert.equal(refused, 4);
	assert.ok(replica.status().lookFaults >= 1);
	await replica.refresh();
	const first = replica.current().cert;
	scene.server.intercept(refuse);
	// Nobody can be asked, but a leaf of the CA that everybody trusts is better than one that is over.
	scene.clock = 6 * day;
	await until("renewal", () => replica.current().cert !== first);
	assert.deepEqual(scene.faults(), []);
	assert.match(replica.status().lookFault ?? "", /starting/);
});

test("stop() of own certificates waits for no API server that does not answer", async (context) => {
	const scene = await world(context);
	const replica = await scene.replica();
	scene.server.intercept(() => new Promise(() => {}));
	replica.refresh().catch(() => {});
	await sleep(100);
	const begun = performance.now();
	await replica.stop();
	assert.ok(performance.now() - begun < 5000);
	assert.equal(replica.status().lookFault, null, "an end is no fault");
});

test("keepOwnCertificates() says what is missing as long as a configuration is not installed", async (context) => {
	const scene = await world(context);
	const installed = scene.server.get(paths.mutating) ?? {};
	scene.server.delete(paths.mutating);
	const replica = await scene.replica();
	assert.match(replica.status().fault ?? "", /MutatingWebhookConfiguration waymark does not exist/);
	scene.server.set(paths.mutating, installed);
	await until("trust", () => replica.status().fault === null);
});

test("keepOwnCertificates() by replicas whose clocks differ by hours neither fights nor churns", async (context) => {
	const scene = await world(context);
	const ahead = await scene.replica();
	const behind = await keepOwnCertificates({
		api: scene.server.api,
		namespace: "waymark",
		secretName: "waymark-certificates",
		names: [name],
		configurations,
		log: pino({ level: "silent" }),
		now: () => new Date(Date.now() - 5 * hour),
		times: { ...fast, settleMs: 0 },
	});
	context.after(() => behind.stop());
	const leaf = behind.current().cert;
	const writes = scene.server.seen.filter(({ method }) => method !== "GET").length;
	await Promise.all([sleep(200), ahead.refresh(), behind.refresh()]);
	assert.equal(behind.current().cert, leaf);
	assert.equal(behind.status().fault, null);
	assert.equal(scene.server.seen.filter(({ method }) => method !== "GET").length, writes);
});

for (const aheadMs of [3 * hour, 9 * day, 3650 * day]) {
	test(`keepOwnCertificates() by a clock that is ${aheadMs / hour} h ahead rotates by the API server's, and loses nothing`, async (context) => {
		const scene = await world(context);
		await Promise.all([scene.replica({ intervalMs: hour }), scene.replica({ intervalMs: hour })]);
		await scene.trusted();
		const [old] = fingerprints(secretOf(scene)["ca.crt"] ?? "");
		const ahead = await scene.replica({}, aheadMs);
		await scene.trusted();
		assert.equal(fingerprints(secretOf(scene)["ca.crt"] ?? "")[0], old, "it replaces no CA that is good");
		const secret = scene.server.get(secretPath);
		scene.server.set(secretPath, {
			...secret,
			metadata: { ...secret?.metadata, annotations: { [rotateAnnotation]: "now" } },
		});
		await until("switch", () => fingerprints(secretOf(scene)["ca.crt"] ?? "")[0] !== old);
		await ahead.refresh();
		assert.deepEqual(fingerprints(secretOf(scene)["retired-ca.crt"] ?? ""), [old], "others serve its leaves");
		assert.deepEqual([scene.faults(), scene.lost], [[], []]);
	});
}
