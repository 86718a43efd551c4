import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parseAllDocuments } from "yaml";
import type { Feature, GeneratedBundle, Plan } from "../support/generated-bundles.ts";
import { makeBundle } from "../support/generated-bundles.ts";
import { runVerb } from "../support/run-verb.ts";
import type { ConfigDump } from "./ads.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Effect } from "./effects.ts";
import { effectAtGateway, effectAtWaypoint } from "./effects.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

/** What a migration of a generated bundle came to. */
export interface Comparison {
	readonly plan: Plan;
	/** `same`, a silent `loss`, `held` back with a reason, or `refused`: istiod takes no such bundle. */
	readonly result: "same" | "loss" | "held" | "refused";
	/** The features that the report names as not carried. */
	readonly named: readonly Feature[];
	/** What differs, or why istiod refuses it. */
	readonly detail: string;
}

interface Migrated {
	readonly plan: Plan;
	readonly full: GeneratedBundle;
	/** The old way without what was named as lost: what the waypoint has to do. */
	readonly expected: GeneratedBundle;
	readonly named: readonly Feature[];
	readonly code: number;
	readonly withheld: readonly unknown[];
	readonly out: string;
}

const waypointNamespace = "gen-waypoints";
const waypoint = {
	type: "waypoint",
	namespace: waypointNamespace,
	name: "shared-1",
	labels: {
		"gateway.networking.k8s.io/gateway-name": "shared",
		"gateway.istio.io/managed": "istio.io-mesh-controller",
	},
} as const;

/**
 * Migrates generated bundles, and compares what istiod pushes to the old gateway of the same bundle without what the
 * report names as not carried with what it pushes to the waypoint: before anything of 3-remove is gone, and after.
 */
export async function compareBundles(
	plane: ControlPlane,
	plans: readonly Plan[],
	folder: string,
): Promise<readonly Comparison[]> {
	await using stack = new AsyncDisposableStack();
	await Promise.all([waypointNamespace, "istio-system"].map((name) => createNamespace(plane, name)));
	stack.defer(() => deleteNamespaces(plane, waypointNamespace));
	await createWaypoint(plane, waypointNamespace, "shared", { from: { from: "All" } });
	const results: Comparison[] = [];
	const migrated: Migrated[] = [];
	await inTurns([...plans.entries()], async ([index, plan]) => {
		const problem = await refusal(plane, makeBundle(`a${index}x`, plan.base, plan.features));
		if (problem === undefined) {
			migrated.push(await migrateBundle(plan, index, folder));
		} else {
			results.push({ plan, result: "refused", named: [], detail: problem });
		}
	});
	const namespaces = migrated.flatMap(({ full, expected }) => [full, expected]).map(nameOf);
	await Promise.all(namespaces.map((name) => createNamespace(plane, name)));
	stack.defer(() => inTurns(namespaces, (name) => dropNamespace(plane, name)));
	const applied: KubeObject[] = [];
	stack.defer(() => remove(plane, applied));
	for (const { full, expected, out } of migrated) {
		const old = [...full.objects, ...expected.objects] as unknown as readonly KubeObject[];
		const steered = new Set(deletions(out).map((words) => words.join(" ")));
		const kept = old.filter((object) => !steered.has(deletionOf(object)));
		applied.push(...kept, ...stage(out, "1-add"), ...stage(out, "2-switch"));
	}
	// What continues an object of the input comes after it, in a round of its own.
	const last = new Map(applied.map((object) => [deletionOf(object), object]));
	await inTurns([...last.values()], async (object) => void (await plane.api.apply(object)));
	const before = new Map<Migrated, Effect>();
	const during = await settledDump(plane, migrated, before);
	await remove(
		plane,
		migrated.flatMap(({ out }) => stage(out, "3-remove")),
	);
	const after = await settledDump(plane, migrated, before);
	for (const each of migrated) {
		results.push(judge(each, before.get(each), during, after));
	}
	return results;
}

/**
 * What istiod pushes to the waypoint, read again a few times while it differs from what it pushes to the gateways: each
 * kind of object reaches istiod on a watch of its own, and some are late on a busy machine.
 */
async function settledDump(
	plane: ControlPlane,
	migrated: readonly Migrated[],
	before: Map<Migrated, Effect>,
): Promise<ConfigDump> {
	let dump: ConfigDump | undefined;
	let differing = migrated;
	for (let attempt = 0; attempt < 5 && (dump === undefined || differing.length > 0); attempt++) {
		await waitForPush(plane);
		const current = await dumpConfig(plane, waypoint);
		await inTurns(differing, async (each) => {
			if (before.get(each) === undefined || attempt > 0) {
				before.set(each, await effectOfGateway(plane, each.expected));
			}
		});
		differing = migrated.filter(
			(each) => each.withheld.length === 0 && !isSame(each, before.get(each), current),
		);
		dump = current;
	}
	return dump ?? new Map();
}

/** Ends a namespace in which nothing is left but what istiod and the API server put there. */
async function dropNamespace({ api }: ControlPlane, name: string): Promise<void> {
	await api.delete("Namespace", undefined, name);
	await api.request("DELETE", `/api/v1/namespaces/${name}/configmaps`);
	const body = { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: [] } };
	await api.request("PUT", `/api/v1/namespaces/${name}/finalize`, { body });
}

/** Eight at a time. */
async function inTurns<T>(values: readonly T[], work: (value: T) => Promise<void>): Promise<void> {
	const rest = values.values();
	const worker = async (): Promise<void> => {
		for (const value of rest) {
			await work(value);
		}
	};
	await Promise.all(Array.from({ length: 8 }, worker));
}

const nameOf = ({ host }: GeneratedBundle): string => host.split(".")[1] ?? "";

async function refusal(plane: ControlPlane, bundle: GeneratedBundle): Promise<string | undefined> {
	for (const object of bundle.objects as unknown as readonly KubeObject[]) {
		const verdict = await plane.istiod.validate(object);
		if (!verdict.allowed) {
			return `${object.kind}: ${verdict.message}`;
		}
		const answer = await plane.api
			.apply({ ...object, metadata: { ...object.metadata, namespace: "default" } }, { dryRun: true })
			.then(
				() => undefined,
				(error: unknown) => String(error),
			);
		if (answer !== undefined) {
			return `${object.kind}: ${answer}`;
		}
	}
	return undefined;
}

interface Json {
	readonly bundles: readonly {
		readonly ledger: readonly {
			readonly object: { readonly kind: string; readonly name: string };
			readonly path: string;
			readonly fate: string;
		}[];
	}[];
	readonly withheld: readonly unknown[];
}

async function migrateBundle(plan: Plan, index: number, folder: string): Promise<Migrated> {
	const full = makeBundle(`a${index}x`, plan.base, plan.features);
	const file = join(folder, `${index}.yaml`);
	const out = join(folder, String(index));
	mkdirSync(folder, { recursive: true });
	writeFileSync(file, full.text);
	const common = ["--waypoint", `${waypointNamespace}/shared`, "--output", "json"];
	const run = await runVerb("migrate", file, "--out", out, ...common);
	if (run.code > 1) {
		throw new Error(`Cannot migrate ${plan.features.map(({ name }) => name).join(", ")}: ${run.error}`);
	}
	const json = JSON.parse(run.out) as Json;
	const lost = json.bundles.flatMap((each) => each.ledger).filter(({ fate }) => fate === "not carried");
	const named = plan.features.filter((feature) => {
		const place = full.places.get(feature);
		// Files become a Secret, which the comparison expects instead.
		if (isOfFiles(feature)) {
			return false;
		}
		return (
			place !== undefined &&
			lost.some(
				({ object, path }) =>
					object.kind === place.kind &&
					object.name.endsWith("-clients") === (plan.base === "split" && feature.slot.startsWith("hop")) &&
					(path === place.path ||
						(/^[.[]/.test(path.slice(place.path.length)) && path.startsWith(place.path))),
			)
		);
	});
	const expected = makeBundle(
		`b${index}x`,
		plan.base,
		plan.features
			.filter((feature) => (!named.includes(feature) || isLimit(feature)) && !fixed.has(feature.name))
			.map(atGateway(plan, named)),
	);
	return { plan, full, expected, named, code: run.code, withheld: json.withheld, out };
}

/** TLS settings with certificates in files, which become a Secret. */
function isOfFiles({ name }: Feature): boolean {
	return /tls#(?:files|crl)$/.test(name);
}

/** A limit that is named as lost, and stands in the DestinationRule still, where a waypoint passes over it. */
const isLimit = ({ name }: Feature): boolean => name.endsWith("#streams");

/** What made the old way lead nowhere, and cannot in ambient: resolution NONE of a name, routes that no gateway sees. */
const fixed: ReadonlySet<string> = new Set([
	"entry: resolution#none",
	"route: exportTo#own",
	"entry: exportTo#own",
]);

/** What can hold for none of the gateway's requests to the host: a policy without such a rule is another text. */
const neverHolds =
	/#other|notPorts#own|notHosts#own|condition: (?:destination\.ip|destination\.port other|connection)/;

/** What the hop of the sidecars said and was carried is what the one hop that is left has to do. */
function atGateway(plan: Plan, named: readonly Feature[]): (feature: Feature) => Feature {
	return (feature) => {
		const says = plan.features.some(
			(each) => each.slot === "out" && each.field === feature.field && !named.includes(each),
		);
		if (isOfFiles(feature)) {
			const { mode } = feature.value as { readonly mode: string };
			return { ...feature, value: { mode, credentialName: "@-client" } };
		}
		return feature.slot === "hop" && !says ? { ...feature, slot: "out" } : feature;
	};
}

function stage(out: string, name: string): readonly KubeObject[] {
	const path = join(out, name);
	return existsSync(path)
		? readdirSync(path).flatMap((file) =>
				parseAllDocuments(readFileSync(join(path, file), "utf8")).map((each) => each.toJS() as KubeObject),
			)
		: [];
}

/** The deletions that the report orders for the window in which the clients move. */
export function deletions(out: string): readonly (readonly string[])[] {
	const report = readFileSync(join(out, "REPORT.md"), "utf8");
	return [...report.matchAll(/^ +kubectl (delete [a-z]+\..*)$/gm)].map(([, command = ""]) =>
		command.split(" "),
	);
}

function deletionOf({ apiVersion, kind, metadata }: KubeObject): string {
	const group = apiVersion.split("/")[0] ?? "";
	return `delete ${kind.toLowerCase()}.${group} -n ${metadata.namespace} ${metadata.name}`;
}

async function remove(plane: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
	await inTurns(objects, async ({ apiVersion, kind, metadata }) => {
		const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
		await plane.api.delete(`${kind}${group}`, metadata.namespace, metadata.name ?? "");
	});
}

async function effectOfGateway(plane: ControlPlane, bundle: GeneratedBundle): Promise<Effect> {
	const name = nameOf(bundle);
	const dump = await dumpConfig(plane, {
		type: "router",
		namespace: "istio-system",
		name: `egress-${name}`,
		labels: { istio: "egressgateway", world: name },
	});
	return effectAtGateway(dump, bundle.host, bundle.gatewayPort);
}

/** An effect in which nothing tells the two bundles apart. */
function comparable({ plan }: Migrated, effect: Effect | undefined, bundle: GeneratedBundle): unknown {
	const isUnsure = plan.features.some(({ name }) => neverHolds.test(name));
	return JSON.parse(
		JSON.stringify(isUnsure ? { routes: effect?.routes ?? [] } : (effect ?? {}))
			.replaceAll(nameOf(bundle), "own")
			.replaceAll(/"(?:http2ProtocolOptions":\{"maxConcurrentStreams":11\}|maxConcurrentStreams":11),?/g, "")
			.replaceAll("api.own.example-client", "api-own-example-client"),
	);
}

function atWaypoint(migrated: Migrated, dump: ConfigDump): unknown {
	const { full } = migrated;
	return comparable(migrated, effectAtWaypoint(dump, full.host, full.port), full);
}

function isSame(migrated: Migrated, before: Effect | undefined, dump: ConfigDump): boolean {
	return isDeepStrictEqual(atWaypoint(migrated, dump), comparable(migrated, before, migrated.expected));
}

function judge(
	migrated: Migrated,
	before: Effect | undefined,
	during: ConfigDump,
	after: ConfigDump,
): Comparison {
	const { plan, expected, named, code, withheld } = migrated;
	if (named.length > 0 && code !== 1) {
		const detail = "something is named as not carried, and the exit code is 0";
		return { plan, result: "loss", named, detail };
	}
	const isSameFirst = isSame(migrated, before, during);
	if (isSameFirst && isSame(migrated, before, after)) {
		return { plan, result: "same", named, detail: "" };
	}
	if (withheld.length > 0 && code === 1) {
		return { plan, result: "held", named, detail: JSON.stringify(withheld) };
	}
	const when = isSameFirst ? "after 3-remove" : "while 3-remove is there still";
	const found = JSON.stringify(atWaypoint(migrated, isSameFirst ? after : during));
	const want = JSON.stringify(comparable(migrated, before, expected));
	return { plan, result: "loss", named, detail: `${when}\nbefore ${want}\nafter  ${found}` };
}
