/**
 * What a webhook adds to one write: a ServiceEntry is created, and the same manifest is applied again, through a real
 * API server; without a webhook, with one that always answers the same (the floor), with Waymark, and with the backstop's admission policies, in turn.
 *
 * npm run bench:e2e [-- --rounds 10 --count 100]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { backstop } from "../../src/export/admission-policies.ts";
import type { Manifest } from "../../src/export/mesh-table.ts";
import { handshakeFault } from "../../src/kube/install/endpoints.ts";
import type { KubeObject } from "../e2e/api.ts";
import { expectSuccess } from "../e2e/api.ts";
import { backstopOptions, defineTable, writeTable } from "../e2e/backstop-parity.ts";
import { startControlPlane } from "../e2e/control-plane.ts";
import { render } from "../e2e/installation.ts";
import { freePorts, waitUntilReady } from "../e2e/processes.ts";
import type { ServeReplica } from "../e2e/serve-replicas.ts";
import { startServeReplicas } from "../e2e/serve-replicas.ts";
import { createNamespace, createWaypointByHand, serviceEntry, useWaypoint } from "../e2e/world.ts";

const { values } = parseArgs({
	options: { rounds: { type: "string", default: "10" }, count: { type: "string", default: "100" } },
});
const rounds = Number(values.rounds);
const count = Number(values.count);

/** One way to write; all of them take turns, entry by entry. */
interface Variant {
	readonly name: string;
	/** Where its webhooks are; none without. */
	readonly mutate?: string;
	readonly validate?: string;
	/** The webhooks otherwise than the chart has them. */
	readonly adjust?: (webhooks: readonly ChartWebhook[]) => readonly ChartWebhook[];
	/** Whether entries must come back bound. */
	readonly binds: boolean;
	/** The admission policies of the backstop that hold there. */
	readonly policies?: readonly Manifest[];
	/** Whether entries are written with the labels already: where nothing adds them. */
	readonly isLabelled?: boolean;
	/** Values of the chart for its webhooks. */
	readonly values?: readonly string[];
}

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const { processes } = plane;
const pair = await plane.issueServerCertificate();
const folder = join(processes.folder, "serving");
await mkdir(folder);
await writeFile(join(folder, "tls.crt"), pair.certificate);
await writeFile(join(folder, "tls.key"), pair.key, { mode: 0o600 });

// The chart lets Waymark read the mesh's configuration there.
await createNamespace(plane, "istio-system");
const floor = await startFloor();
const replica = await startWaymark();
const waymark = `https://127.0.0.1:${replica.port}`;
const webhookVariants: readonly Variant[] = [
	{ name: "none", binds: false },
	{
		name: "floor",
		mutate: `${floor}/mutate`,
		validate: `${floor}/validate`,
		adjust: unconditional,
		binds: false,
	},
	{
		name: "floor-patching",
		mutate: `${floor}/mutate-always`,
		validate: `${floor}/validate`,
		adjust: unconditional,
		binds: true,
	},
	{
		name: "waymark",
		mutate: `${waymark}/mutate`,
		validate: `${waymark}/validate`,
		binds: true,
	},
	// One webhook for creations and updates, with its conditions: why the chart has two.
	{
		name: "waymark-joined",
		mutate: `${waymark}/mutate`,
		validate: `${waymark}/validate`,
		adjust: joined,
		binds: true,
	},
];
const backstopValues = ["--set=backstop.mode=full", "--set=backstop.deep=audit"];
const variants: readonly Variant[] = [
	...webhookVariants,
	// What the API server itself takes for the same number of policies, which say nothing and add constant labels.
	{ name: "full-empty", binds: true, policies: policiesOf(true).map(saysNothing) },
	// Policies that refuse alone, with injection and the table, and with the webhooks for what is not plain.
	{ name: "validate", binds: true, isLabelled: true, policies: policiesOf(false) },
	{ name: "full", binds: true, policies: policiesOf(true) },
	{
		name: "full-uncommon",
		mutate: `${waymark}/mutate`,
		validate: `${waymark}/validate`,
		values: backstopValues,
		binds: true,
		policies: policiesOf(true),
	},
];
await createNamespace(plane, "istio-egress");
await createWaypointByHand(plane, "istio-egress", "egress", { from: { from: "All" } });
await installTable();
for (const variant of variants) {
	await createNamespace(plane, namespaceOf(variant), {
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: { "egress.waymark.dev/waypoint": "istio-egress/egress" },
	});
	await register(variant);
	await installPolicies(variant);
}
await untilInForce();
await measure("warm-up");
const created: Round[] = [];
const applied: Round[] = [];
for (let round = 0; round < rounds; round++) {
	const { creating, applying } = await measure(`r${round}`);
	created.push(creating);
	applied.push(applying);
}
tell("create", created);
tell("re-apply", applied);
await tellInside();

/** The policies about ServiceEntries; the others never see one. */
function policiesOf(live: boolean): readonly Manifest[] {
	const choice = { kubernetesMinor: 36, inject: live, live, staticManifests: false };
	return backstop(backstopOptions(defaultSettings), choice).filter(({ metadata }) =>
		["waymark", "waymark-updates", "waymark-mesh"].includes(metadata.name),
	);
}

/** A policy without words or conditions: it finds all well, or adds two labels. */
function saysNothing(policy: Manifest): Manifest {
	const { matchConditions: _, variables: __, ...spec } = policy.spec as Readonly<Record<string, unknown>>;
	const patch = `[JSONPatch{op: "add", path: "/metadata/labels",
  value: {"istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress"}}]`;
	const said =
		policy.kind === "MutatingAdmissionPolicy"
			? { mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: patch } }] }
			: {
					validations: [{ expression: "true", messageExpression: "''" }],
					// That of the table ends with its condition where the entry is plain.
					...(policy.metadata.name === "waymark-mesh"
						? { matchConditions: [{ name: "none", expression: "false" }] }
						: {}),
				};
	return policy.kind.endsWith("Policy") ? { ...policy, spec: { ...spec, ...said } } : policy;
}

async function installTable(): Promise<void> {
	await defineTable(plane);
	const world = new ClusterState(defaultSettings);
	world.set("KubernetesGateway", {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { name: "egress", namespace: "istio-egress" },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [
				{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "All" } } },
			],
		},
		status: { addresses: [{ type: "IPAddress", value: "10.96.0.9" }] },
	});
	await writeTable(plane, world);
}

/** The policies of a variant, under names of its own and for its namespace alone. */
async function installPolicies(variant: Variant): Promise<void> {
	for (const { metadata, spec, ...rest } of variant.policies ?? []) {
		const { policyName, matchConstraints } = spec as {
			readonly policyName?: string;
			readonly matchConstraints?: object;
		};
		const own = `${namespaceOf(variant)}-`;
		const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": namespaceOf(variant) } };
		await plane.api.apply({
			...rest,
			metadata: { ...metadata, name: own + metadata.name },
			spec: {
				...(spec as object),
				...(policyName === undefined ? {} : { policyName: own + policyName }),
				...(matchConstraints === undefined
					? {}
					: { matchConstraints: { ...matchConstraints, namespaceSelector } }),
			},
		} as KubeObject);
	}
}

async function startFloor(): Promise<string> {
	const [port = 0] = await freePorts(1);
	const running = processes.start({
		name: "floor",
		command: process.execPath,
		args: [join(import.meta.dirname, "floor.ts"), folder, String(port)],
		env: { PATH: process.env.PATH },
	});
	const isUp = async (): Promise<boolean> =>
		(await handshakeFault(
			{ host: "127.0.0.1", port },
			"127.0.0.1",
			plane.connection.authority.certificate,
		)) === null;
	await waitUntilReady(running, isUp, 20_000);
	return `https://127.0.0.1:${port}`;
}

/** One real replica, called without a balancer between. */
async function startWaymark(): Promise<ServeReplica> {
	const fleet = await startServeReplicas(plane, processes, {
		count: 1,
		certificates: folder,
		values: ["certificates.mode=provided", "certificates.provided.secretName=serving"],
		// The chart's rights are needed; its webhooks are registered below, once for each variant.
		adjust: (object) => ("webhooks" in object ? { ...object, webhooks: [] } : object),
	});
	stack.defer(() => fleet.stop());
	const [only] = fleet.replicas;
	if (only === undefined) {
		throw new Error("Cannot measure Waymark: it was not started");
	}
	return only;
}

/** What Waymark says of itself: the time from a parsed review to its answer, and reads of the API server meanwhile. */
async function tellInside(): Promise<void> {
	const text = await (await fetch(`${replica.operations}/metrics`)).text();
	const wanted = /^waymark_(admission_duration_seconds_(sum|count)|confirmations_total)\{/;
	console.log(
		`\nof Waymark's own metrics:\n  ${text
			.split("\n")
			.filter((line) => wanted.test(line))
			.join("\n  ")}`,
	);
}

function namespaceOf({ name }: Variant): string {
	return `bench-${name}`;
}

interface ChartWebhook {
	readonly name: string;
	readonly rules: readonly object[];
	readonly matchConditions?: readonly object[];
}

/** The webhooks for creations and updates in one each. */
function joined(webhooks: readonly ChartWebhook[]): readonly ChartWebhook[] {
	return webhooks
		.filter(({ matchConditions }) => matchConditions !== undefined)
		.map((webhook) => ({
			...webhook,
			rules: webhook.rules.map((rule) => ({ ...rule, operations: ["CREATE", "UPDATE"] })),
		}));
}

/** The webhooks for creations and updates in one each, without conditions. */
function unconditional(webhooks: readonly ChartWebhook[]): readonly ChartWebhook[] {
	return joined(webhooks).map(({ matchConditions: _, ...webhook }) => webhook);
}

/** The chart's own webhooks, called by URL for one namespace alone. */
async function register(variant: Variant): Promise<void> {
	const objects = await render(plane, "--set=webhooks.url=https://127.0.0.1:1", ...(variant.values ?? []));
	for (const object of objects) {
		const isMutating = object.kind === "MutatingWebhookConfiguration";
		const url = isMutating ? variant.mutate : variant.validate;
		if (url === undefined || (!isMutating && object.kind !== "ValidatingWebhookConfiguration")) {
			continue;
		}
		const judging = (object.webhooks as readonly ChartWebhook[]).filter(({ name }) =>
			/^(mutate|validate)/.test(name),
		);
		const webhooks = (variant.adjust?.(judging) ?? judging).map((webhook) => ({
			...webhook,
			clientConfig: {
				url,
				caBundle: Buffer.from(plane.connection.authority.certificate).toString("base64"),
			},
			namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespaceOf(variant) } },
			failurePolicy: "Fail",
		}));
		await plane.api.apply({ ...object, metadata: { name: namespaceOf(variant) }, webhooks });
	}
}

/** The API server learns of the webhooks a moment later: then each binds, and the floor, which does not, is no later. */
async function untilInForce(): Promise<void> {
	for (const variant of variants.filter(({ binds }) => binds)) {
		for (const deadline = Date.now() + 20_000; ; await sleep(100)) {
			const entry = entryFor(variant, "probe", "probe.example.com");
			const stored = await plane.api.create(entry, { dryRun: true });
			if (isBound(stored.metadata.labels)) {
				break;
			}
			if (Date.now() > deadline) {
				throw new Error(`Cannot measure ${variant.name}: its webhooks are not in force after 20 s`);
			}
		}
	}
	await sleep(1_000);
}

function entryFor(variant: Variant, name: string, host: string): KubeObject {
	const labels = variant.isLabelled === true ? { labels: useWaypoint("egress", "istio-egress") } : {};
	return serviceEntry(namespaceOf(variant), name, host, labels);
}

function isBound(labels: Readonly<Record<string, string>> = {}): boolean {
	return labels["istio.io/use-waypoint"] === "egress";
}

/** Latencies in milliseconds by variant. */
type Round = ReadonlyMap<string, readonly number[]>;

async function measure(round: string): Promise<{ readonly creating: Round; readonly applying: Round }> {
	const creating = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
	const applying = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
	for (let index = 0; index < count; index++) {
		for (const variant of inTurn(index)) {
			creating.get(variant.name)?.push(await apply(variant, `${round}-${index}`));
		}
	}
	for (let index = 0; index < count; index++) {
		for (const variant of inTurn(index)) {
			applying.get(variant.name)?.push(await apply(variant, `${round}-${index}`));
		}
	}
	for (const variant of variants) {
		const path = `/apis/networking.istio.io/v1/namespaces/${namespaceOf(variant)}/serviceentries`;
		expectSuccess(`DELETE ${path}`, await plane.api.request("DELETE", path));
	}
	return { creating, applying };
}

/** Another order each time, so that none always follows the same one. */
function inTurn(index: number): readonly Variant[] {
	const start = index % variants.length;
	const turned = [...variants.slice(start), ...variants.slice(0, start)];
	return index % 2 === 0 ? turned : turned.toReversed();
}

async function apply(variant: Variant, name: string): Promise<number> {
	const entry = entryFor(variant, name, `${name}.${variant.name}.example.com`);
	const start = performance.now();
	const stored = await plane.api.apply(entry);
	const tookMs = performance.now() - start;
	if (isBound(stored.metadata.labels) !== variant.binds) {
		throw new Error(`Cannot measure ${variant.name}: ${name} is ${variant.binds ? "not " : ""}bound`);
	}
	return tookMs;
}

function quantile(sorted: readonly number[], share: number): number {
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function tell(what: string, measured: readonly Round[]): void {
	console.log(`\n${what}: milliseconds, ${measured.length} rounds of ${count}; min/median/max over rounds`);
	const of = (name: string, share: number): readonly number[] =>
		measured.map((round) =>
			quantile(
				(round.get(name) ?? []).toSorted((a, b) => a - b),
				share,
			),
		);
	for (const [label, share] of [
		["p50", 0.5],
		["p99", 0.99],
	] as const) {
		const none = of("none", share);
		const floorAdds = of("floor", share).map((value, round) => value - (none[round] ?? 0));
		for (const { name } of variants) {
			const all = of(name, share);
			const added = all.map((value, round) => value - (none[round] ?? 0));
			const ratios = added.map((value, round) => value / (floorAdds[round] ?? Number.NaN));
			console.log(
				`  ${label} ${name.padEnd(15)} ${spread(all)}${name === "none" ? "" : `   added ${spread(added)}   of the floor's ${spread(ratios)}`}`,
			);
		}
	}
	const pooled = new Map(
		variants.map(({ name }) => [
			name,
			measured.flatMap((round) => round.get(name) ?? []).toSorted((a, b) => a - b),
		]),
	);
	for (const share of [0.5, 0.99]) {
		const at = (name: string): number => quantile(pooled.get(name) ?? [], share);
		const ratio = (at("waymark") - at("none")) / (at("floor") - at("none"));
		const toPatching = (at("waymark") - at("none")) / (at("floor-patching") - at("none"));
		for (const name of ["full-empty", "validate", "full", "full-uncommon"]) {
			const adds = at(name) - at("none");
			const ofFloor = adds / (at("floor") - at("none"));
			console.log(
				`  all rounds together, p${share * 100}: ${name} adds ${adds.toFixed(2)} ms, ${ofFloor.toFixed(2)} × the floor`,
			);
		}
		console.log(
			`  all rounds together, p${share * 100}: waymark adds ${(at("waymark") - at("none")).toFixed(2)} ms, ${ratio.toFixed(2)} × the floor, ${toPatching.toFixed(2)} × the floor that patches`,
		);
	}
}

function spread(figures: readonly number[]): string {
	const sorted = figures.toSorted((a, b) => a - b);
	return [sorted[0], quantile(sorted, 0.5), sorted.at(-1)]
		.map((value) => (value ?? Number.NaN).toFixed(2))
		.join("/");
}
