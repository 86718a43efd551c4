import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import { defaultSettings, parseSettings } from "../../src/core/settings.ts";
import {
	backstop,
	guardPolicies,
	injection,
	namespacePolicies,
} from "../../src/export/admission-policies.ts";
import { generatedLabel } from "../../src/export/authorization-policies.ts";
import { tableDefinition } from "../../src/export/mesh-table.ts";
import { rulePolicies } from "../../src/export/rule-policies.ts";
import { rules } from "../../src/rules/table.ts";
import type { ApiAnswer, KubeObject, User } from "./api.ts";
import { compareGenerated } from "./backstop-generated.ts";
import {
	backstopOptions,
	compare,
	defineTable,
	dryCreate,
	installPolicies,
	messageOf,
	rulesIn,
	storeOlds,
	waitForAnswer,
	waymark,
	writeTable,
} from "./backstop-parity.ts";
import { useControlPlane } from "./shared.ts";
import { deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const options = backstopOptions(defaultSettings);
const team = "backstop-team";
const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };

const teamNamespace = (annotations: Readonly<Record<string, string>> = {}): Namespace => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: {
		name: team,
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: { "egress.waymark.dev/waypoint": "istio-egress/egress", ...annotations },
	},
});

const entry = (labels: Readonly<Record<string, string>> = {}, spec: object = {}): ServiceEntry => ({
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "payments", namespace: team, labels },
	spec: {
		hosts: ["api.example.com"],
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
		...spec,
	},
});

const labelEngine = createEngine(rules.filter(({ id }) => id === "namespace-label"));
const ambient = { "istio.io/dataplane-mode": "ambient" };

/** Labels of a Namespace from which a policy is derived, or none. */
const labelSets: readonly Readonly<Record<string, string>>[] = [
	{},
	ambient,
	{ ...ambient, "istio.io/rev": "stable" },
	{ ...ambient, "istio-injection": "enabled" },
	{ ...ambient, "istio.io/use-waypoint": "own" },
	{ ...ambient, "istio.io/use-waypoint-canary": "own" },
	{ "istio.io/use-waypoint": "none" },
	{ "istio.io/use-waypoint": "own", "istio.io/dataplane-mode": "none" },
	{ ...ambient, "example.com/color": "blue" },
	{ "istio-injection": "disabled" },
];
const labelledNamespaces = [{}, { "egress.waymark.dev/mode": "enforce" }].flatMap((annotations) =>
	labelSets.map((labels) => ({
		apiVersion: "v1",
		kind: "Namespace" as const,
		metadata: { name: team, labels, annotations },
	})),
);
const editor: User = { name: "alice", groups: ["security"] };

/** Writes a Namespace as a policy editor: creates it, or replaces what stands. */
async function storeNamespace(body: KubeObject): Promise<void> {
	const path = "/api/v1/namespaces";
	const created = await plane.api.request("POST", path, { body, as: editor });
	const answer =
		created.status === 409
			? await plane.api.request("PUT", `${path}/${team}`, { body, as: editor })
			: created;
	assert.ok(answer.status === 200 || answer.status === 201, messageOf(answer));
}

function isServed(kind: string): boolean {
	return kind !== "ASMEgressTrafficPolicy" && kind !== "Namespace";
}

/** Rules whose page shows what only other objects tell: the Service of a Gateway, or the pods that one selects. */
const needOtherObjects: ReadonlySet<string> = new Set([
	...["httproute", "grpcroute", "tlsroute", "tcproute"].map((kind) => `${kind}-egress-backend`),
	"virtualservice-egress-gateway",
]);

/** Lets users do everything that no policy forbids. */
async function allowEverything(...users: readonly string[]): Promise<AsyncDisposable> {
	await plane.api.apply({
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRoleBinding",
		metadata: { name: "backstop-everything" },
		roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
		subjects: users.map((name) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "User", name })),
	});
	return {
		async [Symbol.asyncDispose]() {
			await plane.api.delete("ClusterRoleBinding", undefined, "backstop-everything");
		},
	};
}

describe("the admission policies, without any webhook", () => {
	it("judge generated entries and their updates as evaluate does", async () => {
		const parity = await compareGenerated(plane, { seed: 41, creations: 120, updates: 80 });
		for (const [name, { same, denied, differences }] of Object.entries(parity)) {
			assert.deepEqual(differences, [], name);
			assert.ok(same > 60 && denied > 20 && same - denied > 10, `${name}: ${same} alike, ${denied} refused`);
		}
	});

	it("refuse an update that repeats an old mistake in an endpoint, and let one pass that does not", async () => {
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, team));
		const namespace = teamNamespace({
			"egress.waymark.dev/allowed-hosts": "*.example.com",
			"egress.waymark.dev/allowed-ports": "443",
		});
		await plane.api.apply(namespace as KubeObject);
		const at = (address: string, port: number): object => ({ address, ports: { tls: port } });
		const [first, second] = [at("a.example.com", 8443), at("b.example.com", 8443)];
		const denied = { address: "169.254.169.254" };
		const many = Array.from({ length: 70 }, (_, index) => at(`e${index}.example.com`, 8443));
		const ofEndpoints = (
			[
				[[first], [first, second]],
				[[first], [first, first]],
				[[first], [first, at("b.example.com", 443)]],
				[[first, second], [second]],
				[[first], [second]],
				[[first, second, second], many],
				[[denied], [denied, denied]],
				[[denied], [denied, { address: "198.51.100.7" }]],
				[[{ address: "a.example.net" }], [{ address: "a.example.net" }, { address: "b.example.net" }]],
			] as const
		).map(([before, after]) => ({ before: { endpoints: before }, after: { endpoints: after } }));
		const named = (spec: object, index: number): ServiceEntry => {
			const object = entry(bound, spec);
			return { ...object, metadata: { ...object.metadata, name: `update-${index}` } };
		};
		const tls = (number: number, targetPort: number): object => ({
			ports: [{ number, name: "tls", protocol: "TLS", targetPort }],
		});
		const ofPorts = [
			{ before: tls(443, 8443), after: tls(443, 8443) },
			{ before: tls(443, 8443), after: tls(443, 8444) },
			{ before: tls(8443, 8443), after: tls(443, 8443) },
		];
		const cases = [...ofEndpoints, ...ofPorts].map(({ before, after }, index) => ({
			old: named(before, index),
			object: named({ ...after, exportTo: ["."] }, index),
		}));
		assert.equal((await storeOlds(plane, cases)).length, cases.length);
		stack.use(await installPolicies(plane, rulePolicies(options, "waymark")));
		await waitForAnswer(plane, entry({ "istio.io/use-waypoint": "none" }), 403, { what: "the policies" });
		const world = new ClusterState(defaultSettings);
		world.set("Namespace", namespace);
		const judged = rules.filter(({ id }) => id.startsWith("serviceentry-policy-"));
		const parity = await compare(plane, world, judged, cases);
		assert.deepEqual(
			parity.differences.map((each) => [each.expected, each.got, each.case.old?.metadata?.name]),
			[],
		);
		assert.equal(parity.denied, 8);
	});

	it("find the bad example of each rule's page, and let the good one pass", async () => {
		const judged = rules.filter(
			({ id, kind, cel, severity }) =>
				severity === "error" &&
				isServed(kind) &&
				!needOtherObjects.has(id) &&
				cel?.problems.some((each) => each.needs === undefined),
		);
		await using _ = await installPolicies(plane, [
			...rulePolicies(options, "waymark"),
			...rulePolicies(options, "waymark-sidecar"),
		]);
		const places = new Set<string>();
		for (const { id, docs } of judged) {
			for (const object of [docs.bad, docs.good] as readonly AnyObject[]) {
				// Namespaces with their policy, one of each example's own.
				const suffix = id.replace(/^[a-z]+-/, "").slice(0, 40);
				const own = (name: string | null | undefined): string => `${name ?? "team"}-${suffix}`;
				for (const given of docs.given ?? []) {
					if (given.kind === "Namespace") {
						const name = own(given.metadata?.name);
						await plane.api.apply({ ...given, metadata: { ...given.metadata, name } } as KubeObject);
						places.add(name);
					}
				}
				const place = own(object.metadata?.namespace);
				if (!places.has(place)) {
					await plane.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: place } });
					places.add(place);
				}
				const asked = { ...object, metadata: { ...object.metadata, namespace: place } } as AnyObject;
				if (object === docs.bad) {
					const answer = await waitForAnswer(plane, asked, 403, { what: id });
					assert.ok(rulesIn(messageOf(answer)).includes(id), `${id}: ${messageOf(answer)}`);
				} else {
					const answer = await dryCreate(plane, asked);
					assert.ok(!rulesIn(messageOf(answer)).includes(id), `${id}: ${messageOf(answer)}`);
				}
			}
		}
		await deleteNamespaces(plane, ...places);
	});

	it("judge the largest entries that the definition takes, and refuse in words what is too large", async () => {
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, team));
		const hosts = "*.example.com, *.example.net, api.example.org";
		await plane.api.apply(
			teamNamespace({
				"egress.waymark.dev/allowed-hosts": hosts,
				"egress.waymark.dev/allowed-ports": "443, 8000-8255",
			}) as KubeObject,
		);
		stack.use(await installPolicies(plane, rulePolicies(options, "waymark")));
		await waitForAnswer(plane, entry({ "istio.io/use-waypoint": "none" }), 403, { what: "the policies" });
		const of = <T>(count: number, make: (index: number) => T): readonly T[] =>
			Array.from({ length: count }, (_, index) => make(index));
		const addresses = of(4096, (index) => ({
			address: `2001:db8:1111:2222:3333:4444:5555:${(index + 0x1000).toString(16)}`,
			ports: { tls: 443 },
		}));
		const names = of(4096, (index) => ({ address: `endpoint-${index}.a-region.example.com` }));
		const statics = { resolution: "STATIC" };
		const long = "a".repeat(60);
		for (const [what, spec, refusedFor] of [
			["4,096 endpoints by address", { ...statics, endpoints: addresses }, undefined],
			["4,096 endpoints by name", { endpoints: names }, undefined],
			[
				"the last of 4,096 endpoints denied",
				{ ...statics, endpoints: addresses.with(-1, { address: "169.254.169.254", ports: { tls: 443 } }) },
				"serviceentry-policy-address: spec.endpoints.address",
			],
			[
				"the last of 4,096 endpoints not allowed",
				{ endpoints: names.with(-1, { address: "evil.example.org" }) },
				"serviceentry-policy-host: spec.endpoints",
			],
			[
				"256 hosts of 250 characters and 256 addresses",
				{
					...statics,
					hosts: of(256, (index) => `h${index}.${long}.${long}.${long}.${"a.".repeat(20)}example.com`),
					addresses: of(256, (index) => `2001:db8:1111:2222:3333:4444:5555:${(index + 0x1000).toString(16)}`),
				},
				undefined,
			],
			[
				"256 ports",
				{ ports: of(256, (index) => ({ number: 8000 + index, name: `p${index}`, protocol: "TLS" })) },
				undefined,
			],
			[
				"256 hosts not allowed",
				{ hosts: of(256, (index) => `h${index}.example.org`) },
				"serviceentry-policy-host",
			],
			[
				"4,096 endpoints of 250 characters",
				{
					endpoints: of(4096, (index) => ({
						address: `h${index}.${long}.${long}.${long}.${"a.".repeat(20)}example.com`,
					})),
				},
				"object-size: spec.endpoints",
			],
		] as const) {
			const answer = await dryCreate(plane, entry(bound, spec));
			assert.equal(
				answer.status,
				refusedFor === undefined ? 201 : 403,
				`${what}: ${messageOf(answer).slice(0, 500)}`,
			);
			assert.ok(messageOf(answer).includes(refusedFor ?? ""), `${what}: ${messageOf(answer).slice(0, 500)}`);
		}
		// Long hosts are compared with each pattern by itself.
		const patterns = of(64, (index) => `*.team-${index}.example.com`).join(" ");
		await plane.api.apply(teamNamespace({ "egress.waymark.dev/allowed-hosts": patterns }) as KubeObject);
		const hosts256 = of(256, (index) => `h${index}.${long}.${long}.${long}.example.com`);
		const answer = await waitForAnswer(plane, entry(bound, { hosts: hosts256 }), 403);
		assert.match(messageOf(answer), /denied request: object-size: spec\.hosts: Too large/);
	});

	it("say every field that the API server would fill in, so that nothing shows as drift", async () => {
		const choice = { kubernetesMinor: 36, inject: true, live: true, staticManifests: false };
		const told = backstopOptions(defaultSettings, { actions: ["deny", "warn", "audit"], editors: "rbac" });
		const policies = backstop(told, choice).filter(({ kind }) => kind !== "CustomResourceDefinition");
		await defineTable(plane);
		try {
			for (const policy of policies) {
				const stored = await plane.api.apply(policy as KubeObject, { dryRun: true });
				assert.deepEqual(stored.spec, policy.spec, `${policy.kind} ${policy.metadata.name}`);
			}
		} finally {
			await plane.api.delete("CustomResourceDefinition", undefined, tableDefinition.metadata.name);
		}
	});

	it("add the waypoint labels of the namespace's policy, and nothing to what is bound, internal or opted out", async () => {
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, team));
		stack.use(await installPolicies(plane, injection(options, "v1")));
		await plane.api.apply(teamNamespace() as KubeObject);
		const labelsOf = async (object: ServiceEntry): Promise<unknown> => {
			const { body } = await dryCreate(plane, object);
			return (body as KubeObject).metadata.labels;
		};
		const deadline = Date.now() + 20_000;
		while ((await labelsOf(entry())) === undefined && Date.now() < deadline) {
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
		assert.deepEqual(await labelsOf(entry()), bound);
		assert.deepEqual(await labelsOf(entry({ app: "a" })), { app: "a", ...bound });
		assert.deepEqual(await labelsOf(entry({ "istio.io/use-waypoint-namespace": "istio-egress" })), bound);
		for (const [labels, spec] of [
			[{ "istio.io/use-waypoint": "other" }, {}],
			[{ "istio.io/use-waypoint": "none" }, {}],
			[{ "istio.io/use-waypoint-namespace": "elsewhere" }, {}],
			[{ app: "a" }, { location: "MESH_INTERNAL" }],
		] as const) {
			assert.deepEqual(await labelsOf(entry(labels, spec)), labels);
		}
		await plane.api.apply(teamNamespace({ "egress.waymark.dev/mode": "warn" }) as KubeObject);
		assert.equal(await labelsOf(entry()), undefined, "in mode warn only the webhook binds");
	});

	it("warn and record where the mode says so, and warn of a table that nobody vouches for", async () => {
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, team));
		await defineTable(plane);
		stack.defer(() => plane.api.delete("CustomResourceDefinition", undefined, tableDefinition.metadata.name));
		const told = backstopOptions(defaultSettings, { actions: ["deny", "warn", "audit"] });
		stack.use(
			await installPolicies(plane, [...rulePolicies(told, "waymark"), ...rulePolicies(told, "waymark-mesh")]),
		);
		await plane.api.apply(teamNamespace({ "egress.waymark.dev/mode": "warn" }) as KubeObject);
		const optedOut = entry({ "istio.io/use-waypoint": "none" });
		const warned = async (holds: (warnings: string) => boolean): Promise<string> => {
			for (let tries = 0; tries < 200; tries++) {
				const answer = await dryCreate(plane, optedOut);
				assert.equal(answer.status, 201, messageOf(answer));
				if (holds(answer.warnings.join("\n"))) {
					return answer.warnings.join("\n");
				}
				await new Promise((resolve) => setTimeout(resolve, 100));
			}
			throw new Error("Cannot see the expected warnings");
		};
		const fresh = new ClusterState();
		await writeTable(plane, fresh);
		await warned((text) => text.includes("serviceentry-waypoint-opt-out") && !text.includes("vouched"));
		await writeTable(plane, fresh, new Date(Date.now() - 3_600_000));
		await warned((text) => text.includes("vouched for its table"));
		await plane.api.apply(teamNamespace({ "egress.waymark.dev/mode": "audit" }) as KubeObject);
		await warned((text) => !text.includes("serviceentry-waypoint-opt-out"));
	});

	it("refuse a malformed annotation by whatever way it is written, and take a well-formed one", async () => {
		await using stack = new AsyncDisposableStack();
		const { settings } = parseSettings({ policyEditors: { groups: ["security"] } });
		stack.defer(() => deleteNamespaces(plane, team));
		stack.use(await installPolicies(plane, namespacePolicies(backstopOptions(settings))));
		stack.use(await allowEverything("alice", "mallory"));
		const security = { name: "alice", groups: ["security"] };
		const developer = { name: "mallory" };
		await waitForAnswer(plane, teamNamespace({ "egress.waymark.dev/mode": "Enforce" }), 403, {
			as: security,
			includes: "namespace-annotation",
		});
		assert.equal((await dryCreate(plane, teamNamespace(), security)).status, 201);
		const refused = await dryCreate(plane, teamNamespace(), developer);
		assert.equal(refused.status, 403);
		assert.match(messageOf(refused), /namespace-editor: .*"mallory" is no policy editor/);
		await plane.api.request("POST", "/api/v1/namespaces", {
			body: teamNamespace() as KubeObject,
			as: security,
		});
		for (const way of ["", "/status", "/finalize"]) {
			const path = `/api/v1/namespaces/${team}${way}`;
			const live = (await plane.api.request("GET", `/api/v1/namespaces/${team}`)).body as KubeObject;
			const changed = {
				...live,
				metadata: { ...live.metadata, annotations: { "egress.waymark.dev/mode": "off" } },
			};
			const answer = await plane.api.request("PUT", path, { body: changed, as: developer });
			assert.equal(answer.status, 403, `${path}: ${messageOf(answer)}`);
			for (const [label, rule] of [
				[
					"istio.io/rev",
					/namespace-label: metadata\.labels\["istio\.io\/rev"\]: .*"mallory" is no policy editor/,
				],
				["istio.io/use-waypoint", /namespace-label/],
				["example.com/color", undefined],
			] as const) {
				const labelled = {
					...live,
					metadata: { ...live.metadata, labels: { ...live.metadata.labels, [label]: "x" } },
				};
				const write = (as: User): Promise<ApiAnswer> =>
					plane.api.request("PUT", `${path}?dryRun=All`, { body: labelled, as });
				const denied = await write(developer);
				assert.equal(denied.status, rule === undefined ? 200 : 403, `${path} ${label}: ${messageOf(denied)}`);
				assert.match(messageOf(denied), rule ?? /^/);
				assert.equal((await write(security)).status, 200, `${path} ${label}`);
			}
		}
	});

	for (const file of [
		{ policyEditors: { groups: ["security"] } },
		{ policyEditors: { groups: ["security"] }, defaults: { ambient: "enforced" } },
		{ policyEditors: { groups: ["security"] }, defaults: { waypoint: "istio-egress/egress" } },
		{},
	] as const) {
		it(`refuse a label of a Namespace exactly where namespace-label does, with ${JSON.stringify(file)}`, async () => {
			await using stack = new AsyncDisposableStack();
			stack.defer(() => deleteNamespaces(plane, team));
			stack.use(await allowEverything("alice", "mallory"));
			const { settings } = parseSettings(file);
			stack.use(await installPolicies(plane, namespacePolicies(backstopOptions(settings))));
			const malformed = teamNamespace({ "egress.waymark.dev/mode": "Enforce" });
			await waitForAnswer(plane, malformed, 403, { as: editor, includes: "namespace-annotation" });
			const world = new ClusterState(settings);
			let refused = 0;
			for (const old of labelledNamespaces) {
				await storeNamespace(old);
				for (const labels of labelSets) {
					const object = { ...old, metadata: { ...old.metadata, labels } };
					const { denials } = evaluate(labelEngine, world, {
						kind: "Namespace",
						namespace: "",
						name: team,
						object,
						old,
						requester: { username: "mallory", groups: ["system:authenticated"] },
						today: "2026-01-01",
					});
					const path = `/api/v1/namespaces/${team}?dryRun=All`;
					const answer = await plane.api.request("PUT", path, { body: object, as: { name: "mallory" } });
					const said = messageOf(answer);
					assert.deepEqual(
						[answer.status, said.includes("namespace-label: ")],
						denials.length > 0 ? [403, true] : [200, false],
						`${JSON.stringify(old.metadata)} → ${JSON.stringify(labels)}: ${said}`,
					);
					refused += denials.length;
				}
			}
			assert.equal(refused > 50, "policyEditors" in file, `${refused} refused`);
		});
	}

	it("let only istiod write the status of a ServiceEntry", async () => {
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, team));
		stack.use(await installPolicies(plane, guardPolicies(options, false)));
		const accounts = ["istiod", "istiod-canary"].map((name) => `system:serviceaccount:istio-system:${name}`);
		stack.use(await allowEverything("mallory", ...accounts));
		await plane.api.apply(teamNamespace() as KubeObject);
		await plane.api.create(entry() as KubeObject);
		const path = `/apis/networking.istio.io/v1/namespaces/${team}/serviceentries/payments/status`;
		let address = 0;
		const write = async (name: string): Promise<number> => {
			const answer = await plane.api.request("PATCH", path, {
				as: { name },
				contentType: "application/merge-patch+json",
				body: { status: { addresses: [{ value: `192.0.2.${++address % 250}`, host: "api.example.com" }] } },
			});
			return answer.status;
		};
		const deadline = Date.now() + 20_000;
		while ((await write("mallory")) !== 403 && Date.now() < deadline) {
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
		assert.equal(await write("mallory"), 403);
		for (const account of accounts) {
			assert.equal(await write(account), 200);
		}
	});

	it("let only Waymark write the AuthorizationPolicies that it keeps, and anybody write others", async () => {
		await using stack = new AsyncDisposableStack();
		const { settings } = parseSettings({ reach: "enforce" });
		stack.defer(() => deleteNamespaces(plane, team));
		stack.use(await installPolicies(plane, guardPolicies(backstopOptions(settings), false)));
		stack.use(await allowEverything("mallory", waymark.name));
		await plane.api.apply(teamNamespace() as KubeObject);
		const collection = `/apis/security.istio.io/v1/namespaces/${team}/authorizationpolicies`;
		const policy = (name: string, labels: Readonly<Record<string, string>>): KubeObject => ({
			apiVersion: "security.istio.io/v1",
			kind: "AuthorizationPolicy",
			metadata: { name, namespace: team, labels },
			spec: { action: "DENY", rules: [{ from: [{ source: { namespaces: ["other"] } }] }] },
		});
		const kept = policy("kept", { [generatedLabel]: "payments" });
		const write = async (body: KubeObject, name: string): Promise<number> =>
			(await plane.api.request("POST", collection, { body, as: { name } })).status;
		const remove = async (name: string): Promise<number> =>
			(await plane.api.request("DELETE", `${collection}/kept`, { as: { name } })).status;
		const deadline = Date.now() + 20_000;
		while ((await write(policy(`try-${Date.now()}`, kept.metadata.labels ?? {}), "mallory")) !== 403) {
			assert.ok(Date.now() < deadline, "the guard is not in force");
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
		assert.equal(await write(policy("own", {}), "mallory"), 201);
		assert.equal(await write(kept, waymark.name), 201);
		assert.equal(await remove("mallory"), 403);
		const stripped = await plane.api.request("PATCH", `${collection}/kept`, {
			as: { name: "mallory" },
			contentType: "application/merge-patch+json",
			body: { metadata: { labels: null } },
		});
		assert.equal(stripped.status, 403);
		assert.equal(await remove(waymark.name), 200);
	});
});
