import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConditionRequest, MatchCondition } from "../../scripts/match-conditions.ts";
import { matchConditions } from "../../scripts/match-conditions.ts";
import { rules } from "../../src/rules/table.ts";
import type { ControlPlane } from "./control-plane.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const team = "conditions";
const conditions: readonly MatchCondition[] = [
	...new Map(
		Object.values(matchConditions(rules))
			.flat()
			.map((condition) => [condition.name, condition]),
	).values(),
];

interface Case {
	readonly what: string;
	readonly object: object;
	/** What is in the cluster before; the case is then an update. */
	readonly old?: object;
	/** The old object is being deleted, and waits for a finalizer. */
	readonly deleting?: boolean;
}

const bound = { "istio.io/use-waypoint": "waypoint", "istio.io/use-waypoint-namespace": "egress" };
const plainSpec = {
	hosts: ["api.example.com"],
	ports: [{ number: 443, name: "tls", protocol: "TLS" }],
	location: "MESH_EXTERNAL",
	resolution: "DNS",
};

function entry(metadata: object = {}, spec: object = {}): object {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name: "one", namespace: team, ...metadata },
		spec: { ...plainSpec, ...spec },
	};
}

function destinationRule(spec: object = {}): object {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "one", namespace: team },
		spec: { host: "api.example.com", ...spec },
	};
}

function service(spec: object, metadata: object = {}): object {
	return { apiVersion: "v1", kind: "Service", metadata: { name: "one", namespace: team, ...metadata }, spec };
}

function namespace(annotations?: object, labels?: object): object {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: { name: "conditions-other", ...(annotations && { annotations }), ...(labels && { labels }) },
	};
}

const policy = { "egress.waymark.dev/mode": "warn" };
const cases: readonly Case[] = [
	{ what: "an entry without labels", object: entry() },
	{ what: "an entry with another label", object: entry({ labels: { app: "shop" } }) },
	{ what: "a bound entry", object: entry({ labels: bound }) },
	{ what: "an entry with an empty label", object: entry({ labels: { "istio.io/use-waypoint": "" } }) },
	{ what: "an entry that opts out", object: entry({ labels: { "istio.io/use-waypoint": "none" } }) },
	{
		what: "a bound entry in capitals",
		object: entry({ labels: bound }, { hosts: ["a.com", "API.example.com"] }),
	},
	{
		what: "a bound entry with a final dot",
		object: entry({ labels: bound }, { hosts: ["api.example.com."] }),
	},
	{
		what: "a bound entry with a wildcard",
		object: entry({ labels: bound }, { hosts: ["*.example.com"], resolution: "NONE" }),
	},
	{ what: "a bound entry with an empty host", object: entry({ labels: bound }, { hosts: [""] }) },
	{ what: "a bound entry exported once", object: entry({ labels: bound }, { exportTo: ["."] }) },
	{ what: "a bound entry exported twice", object: entry({ labels: bound }, { exportTo: [".", "."] }) },
	{ what: "a bound entry with no endpoints in a list", object: entry({ labels: bound }, { endpoints: [] }) },
	{
		what: "a bound entry with endpoints",
		object: entry({ labels: bound }, { resolution: "STATIC", endpoints: [{ address: "203.0.113.1" }] }),
	},
	{ what: "a bound entry without a spec", object: { ...entry({ labels: bound }), spec: undefined } },
	{ what: "a DestinationRule", object: destinationRule() },
	{
		what: "a DestinationRule for chosen pods",
		object: destinationRule({ workloadSelector: { matchLabels: { app: "x" } } }),
	},
	{ what: "an entry that stays as it is", object: entry(), old: entry() },
	{
		what: "a bound entry that stays as it is",
		object: entry({ labels: bound }),
		old: entry({ labels: bound }),
	},
	{
		what: "an entry of which only a finalizer changes",
		object: entry({ finalizers: ["example.com/a"] }),
		old: entry(),
	},
	{ what: "an entry that gets an owner", object: entry({ ownerReferences: [owner()] }), old: entry() },
	{ what: "an entry that gets a label", object: entry({ labels: bound }), old: entry() },
	{ what: "an entry that loses its labels", object: entry(), old: entry({ labels: bound }) },
	{ what: "an entry that gets an annotation", object: entry({ annotations: { a: "b" } }), old: entry() },
	{
		what: "an entry whose annotation changes",
		object: entry({ annotations: { a: "c" } }),
		old: entry({ annotations: { a: "b" } }),
	},
	{ what: "an entry with another host", object: entry({}, { hosts: ["www.example.com"] }), old: entry() },
	{
		what: "an entry with another port name",
		object: entry({}, { ports: [{ number: 443, name: "https", protocol: "TLS" }] }),
		old: entry(),
	},
	{
		what: "an entry whose hosts change places",
		object: entry({}, { hosts: ["b.com", "a.com"] }),
		old: entry({}, { hosts: ["a.com", "b.com"] }),
	},
	{
		what: "an entry that is being deleted and changed",
		object: entry({ finalizers: [], labels: bound }),
		old: entry({ finalizers: ["example.com/a"] }),
		deleting: true,
	},
	{
		what: "a Service that is an alias",
		object: service({ type: "ExternalName", externalName: "a.example" }),
	},
	{ what: "a Service of pods", object: service({ ports: [{ port: 80 }] }) },
	{
		what: "a Service at a shared waypoint",
		object: service({ ports: [{ port: 80 }] }, { labels: bound }),
	},
	{
		what: "a Service at a waypoint of its own namespace that gets a shared one",
		object: service({ ports: [{ port: 80 }] }, { labels: bound }),
		old: service({ ports: [{ port: 80 }] }, { labels: { "istio.io/use-waypoint": "own" } }),
	},
	{
		what: "an alias that changes",
		object: service({ type: "ExternalName", externalName: "b.example" }),
		old: service({ type: "ExternalName", externalName: "a.example" }),
	},
	{ what: "a namespace", object: namespace() },
	{
		what: "a namespace with a foreign annotation",
		object: namespace({ "example.com/egress.waymark.dev": "x" }),
	},
	{ what: "a namespace with a policy", object: namespace(policy) },
	{ what: "a namespace that gets a policy", object: namespace(policy), old: namespace() },
	{ what: "a namespace that loses its policy", object: namespace(), old: namespace(policy) },
	{
		what: "a namespace with a policy that gets a label",
		object: namespace(policy, { a: "b" }),
		old: namespace(policy),
	},
	{
		what: "a namespace with a policy that stays as it is",
		object: namespace(policy),
		old: namespace(policy),
	},
	{
		what: "a namespace without a policy that gets a label",
		object: namespace(undefined, { a: "b" }),
		old: namespace(),
	},
];

function owner(): object {
	return { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: "3c5ad3a3-6fd6-4b2f-a3a7-5d7a4d2f1d11" };
}

it("the match conditions are to the API server what the unit tests take them for", async (context) => {
	await using stack = new AsyncDisposableStack();
	await createNamespace(plane, team);
	stack.defer(() => deleteNamespaces(plane, team));
	const recorder = await startRecorder(plane);
	stack.defer(() => recorder.stop());
	const configuration = {
		apiVersion: "admissionregistration.k8s.io/v1",
		kind: "MutatingWebhookConfiguration",
		metadata: { name: "match-conditions" },
		webhooks: ["always", ...conditions.map(({ name }) => name)].map((name) => ({
			name: `${name}.conditions.waymark.dev`,
			admissionReviewVersions: ["v1"],
			sideEffects: "None",
			// A condition that cannot be evaluated then fails the request, and the test.
			failurePolicy: "Fail",
			clientConfig: { url: `${recorder.url}/${name}`, caBundle: recorder.caBundle },
			rules: [
				{
					apiGroups: ["networking.istio.io", ""],
					apiVersions: ["*"],
					operations: ["CREATE", "UPDATE"],
					resources: ["serviceentries", "destinationrules", "namespaces", "services"],
				},
			],
			namespaceSelector: {
				matchExpressions: [
					{ key: "kubernetes.io/metadata.name", operator: "In", values: [team, "conditions-other"] },
				],
			},
			matchConditions: conditions
				.filter((condition) => condition.name === name)
				.map(({ expression }) => ({ name, expression })),
		})),
	};
	const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
	const created = await plane.api.request("POST", path, { body: configuration });
	assert.equal(created.status, 201, JSON.stringify(created.body));
	stack.defer(async () => {
		await plane.api.delete("MutatingWebhookConfiguration", undefined, "match-conditions");
	});
	for (let calls = 0; calls === 0; ) {
		await sleep(50);
		recorder.take();
		await send(entry(), false);
		calls = recorder.take().size;
	}
	let evaluated = 0;
	for (const { what, object, old, deleting } of cases) {
		await remove(old ?? object);
		if (old !== undefined) {
			await store(old, deleting === true);
		}
		recorder.take();
		await send(object, old !== undefined);
		const seen = recorder.take();
		const request = seen.get("always");
		assert.ok(request !== undefined, `${what}: the API server asked nobody`);
		for (const condition of conditions) {
			assert.equal(seen.has(condition.name), condition.holds(request), `${what}: ${condition.name}`);
			evaluated += 1;
		}
		await remove(old ?? object);
	}
	context.diagnostic(`${cases.length} requests, ${evaluated} conditions evaluated by the API server`);
});

interface Place {
	readonly collection: string;
	readonly name: string;
}

function placeOf(object: object): Place {
	const { kind, metadata } = object as {
		readonly kind: string;
		readonly metadata: { readonly name: string; readonly namespace?: string };
	};
	const { namespace: where } = metadata;
	const collections: Readonly<Record<string, string>> = {
		Namespace: "/api/v1/namespaces",
		Service: `/api/v1/namespaces/${where}/services`,
		ServiceEntry: `/apis/networking.istio.io/v1/namespaces/${where}/serviceentries`,
		DestinationRule: `/apis/networking.istio.io/v1/namespaces/${where}/destinationrules`,
	};
	return { collection: collections[kind] ?? "", name: metadata.name };
}

/** Sends a dry run: a creation, or an update of what is there. */
async function send(object: object, isUpdate: boolean): Promise<void> {
	const { collection, name } = placeOf(object);
	const { metadata } = object as { readonly metadata: object };
	for (;;) {
		const answer = isUpdate
			? await plane.api.request("PUT", `${collection}/${name}?dryRun=All`, {
					body: { ...object, metadata: { ...metadata, resourceVersion: await versionOf(object) } },
				})
			: await plane.api.request("POST", `${collection}?dryRun=All`, { body: object });
		// 409: istiod has written a status in between. 422: wrong to the schema, which comes after mutating webhooks.
		if (answer.status !== 409) {
			assert.ok([200, 201, 422].includes(answer.status), JSON.stringify(answer.body));
			return;
		}
	}
}

async function versionOf(object: object): Promise<string> {
	const { collection, name } = placeOf(object);
	const live = await plane.api.request("GET", `${collection}/${name}`);
	return (live.body as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion;
}

async function store(object: object, deleting: boolean): Promise<void> {
	const { collection, name } = placeOf(object);
	const answer = await plane.api.request("POST", collection, { body: object });
	assert.equal(answer.status, 201, JSON.stringify(answer.body));
	if (deleting) {
		await plane.api.request("DELETE", `${collection}/${name}`);
	}
}

async function remove(object: object): Promise<void> {
	const { collection, name } = placeOf(object);
	if (collection === "/api/v1/namespaces") {
		return deleteNamespaces(plane, name);
	}
	const live = await plane.api.request("GET", `${collection}/${name}`);
	if (live.status === 200) {
		const body = [{ op: "remove", path: "/metadata/finalizers" }];
		await plane.api.request("PATCH", `${collection}/${name}`, {
			body,
			contentType: "application/json-patch+json",
		});
		await plane.api.request("DELETE", `${collection}/${name}`);
	}
}

/** A webhook that allows everything and keeps each request by the path that it came to. */
async function startRecorder(of: ControlPlane): Promise<{
	readonly url: string;
	readonly caBundle: string;
	/** What came since the last time. */
	take(): ReadonlyMap<string, ConditionRequest>;
	stop(): Promise<void>;
}> {
	const { certificate: cert, key } = await of.issueServerCertificate(["127.0.0.1"]);
	let seen = new Map<string, ConditionRequest>();
	const server = createServer({ cert, key }, (request, response) => {
		let text = "";
		request.setEncoding("utf8");
		request.on("data", (chunk: string) => {
			text += chunk;
		});
		request.on("end", () => {
			const review = JSON.parse(text) as { readonly request: ConditionRequest & { readonly uid: string } };
			seen.set(new URL(request.url ?? "/", "https://localhost").pathname.slice(1), review.request);
			response.setHeader("content-type", "application/json");
			response.end(
				JSON.stringify({
					apiVersion: "admission.k8s.io/v1",
					kind: "AdmissionReview",
					response: { uid: review.request.uid, allowed: true },
				}),
			);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
		caBundle: Buffer.from(of.connection.authority.certificate).toString("base64"),
		take() {
			const taken = seen;
			seen = new Map();
			return taken;
		},
		stop: () =>
			new Promise((resolve) => {
				server.closeAllConnections();
				server.close(() => resolve());
			}),
	};
}
