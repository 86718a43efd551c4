import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Inventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import type { TableSpec } from "../export/mesh-table.ts";
import { meshTable, tableKind, tableName, tableVersion } from "../export/mesh-table.ts";
import type { ApiServer } from "../kube/client/api-writes.ts";
import { isConflict, readObject, statusOf } from "../kube/client/api-writes.ts";
import { keepLease } from "../kube/install/lease.ts";
import { createBackstopMetrics } from "../server/backstop-metrics.ts";
import type { Check } from "../server/probes.ts";

/** What of the backstop this installation has: policies without a table, or all of it. */
export type BackstopExtent = "validate" | "full";

/** What the backstop needs of a running Waymark. */
export interface BackstopOptions {
	readonly extent: BackstopExtent;
	readonly inventory: Inventory;
	readonly api: ApiServer;
	/** Waymark's own namespace, where the Lease is. */
	readonly namespace: string;
	/** This replica's name, unique among all. */
	readonly identity: string;
	/** The version that the policies should be of. */
	readonly version: string;
	/** Whether the world is whole and fresh: a table is never written of any other. */
	readonly isFresh: () => boolean;
	readonly registry: Registry;
	readonly log: Logger;
	readonly times?: Partial<BackstopTimes>;
}

/** How often things are looked at. */
export interface BackstopTimes {
	/** Whether the world is another one. */
	readonly lookMs: number;
	/** When a table that did not change is vouched for again. */
	readonly vouchMs: number;
	/** Whether the policies are there. */
	readonly policiesMs: number;
}

const defaultTimes: BackstopTimes = { lookMs: 200, vouchMs: 300_000, policiesMs: 60_000 };

/** The backstop as far as this replica sees to it. */
export interface Backstop {
	checks(): readonly Check[];
	stop(): Promise<void>;
}

/** How a policy was last seen. */
export type PolicyState = "present" | "absent" | "other version" | "unknown";

const withoutTable = [
	"waymark",
	"waymark-updates",
	"waymark-sidecar",
	"waymark-namespaces",
	"waymark-status",
];

/** The policies that refuse, which an installation with each extent has. */
export const expectedPolicies: { readonly [Extent in BackstopExtent]: readonly string[] } = {
	validate: withoutTable,
	full: [...withoutTable, "waymark-mesh", "waymark-mesh-sidecar", "waymark-table"],
};

/** Keeps the table while this replica holds the Lease, and looks whether the policies are there. */
export function startBackstop(options: BackstopOptions): Backstop {
	const times = { ...defaultTimes, ...options.times };
	const ending = new AbortController();
	const policies = new Map<string, PolicyState>(
		expectedPolicies[options.extent].map((name) => [name, "unknown"]),
	);
	let table = "not kept by this replica";
	let isTableWell = true;
	createBackstopMetrics(options.registry, () => policies);
	const looking = lookAtPolicies(options, policies, times, ending.signal);
	const lease =
		options.extent === "full"
			? keepLease({
					api: options.api,
					namespace: options.namespace,
					name: `${tableName}-table`,
					identity: options.identity,
					log: options.log,
					whileHeld: (signal) => {
						void keepTable(options, times, AbortSignal.any([signal, ending.signal]), (state, isWell) => {
							table = state;
							isTableWell = isWell;
						});
					},
				})
			: undefined;
	return {
		checks: () => [
			policyCheck(policies),
			...(lease === undefined
				? []
				: [
						isTableWell
							? { name: "mesh table", ok: true, detail: table }
							: { name: "mesh table", ok: false, advisory: true as const, detail: table },
					]),
		],
		async stop() {
			ending.abort();
			await Promise.all([looking, lease?.stop()]);
		},
	};
}

function policyCheck(policies: ReadonlyMap<string, PolicyState>): Check {
	const wrong = [...policies].filter(([, state]) => state !== "present");
	return wrong.length === 0
		? { name: "backstop", ok: true, detail: `${policies.size} policies` }
		: {
				name: "backstop",
				ok: false,
				advisory: true,
				detail: wrong.map(([name, state]) => `${name}: ${state}`).join(", "),
			};
}

async function lookAtPolicies(
	{ api, version, log }: BackstopOptions,
	policies: Map<string, PolicyState>,
	times: BackstopTimes,
	signal: AbortSignal,
): Promise<void> {
	while (!signal.aborted) {
		for (const [name, before] of policies) {
			const state = await policyState(api, name, version).catch((): PolicyState => "unknown");
			if (state !== before && state !== "present") {
				log.warn({ policy: name, state }, "admission policy of the backstop");
			}
			policies.set(name, state);
		}
		await sleep(times.policiesMs, undefined, { signal, ref: false }).catch(() => {});
	}
}

async function policyState(api: ApiServer, name: string, version: string): Promise<PolicyState> {
	const path = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/${encodeURIComponent(name)}`;
	const policy = (await readObject(api, path, { deadlineMs: 5_000 })) as {
		readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
	} | null;
	if (policy === null) {
		return "absent";
	}
	return policy.metadata?.labels?.["app.kubernetes.io/version"] === version ? "present" : "other version";
}

/** Every kind that the table rests on. */
const tableReads: readonly Kind[] = [
	"KubernetesGateway",
	"GatewayClass",
	"IstioGateway",
	"Service",
	"VirtualService",
];

/** Whether the world is another one than when it was asked last: an object of the world is replaced, never changed. */
function createWatch(inventory: Inventory): () => boolean {
	let seen: readonly unknown[] = [];
	return () => {
		const now: unknown[] = [inventory.mesh, inventory.settings];
		for (const kind of tableReads) {
			for (const object of inventory.all(kind)) {
				now.push(object);
			}
		}
		const isOther = now.length !== seen.length || now.some((object, index) => object !== seen[index]);
		seen = now;
		return isOther;
	};
}

async function keepTable(
	options: BackstopOptions,
	times: BackstopTimes,
	signal: AbortSignal,
	tell: (state: string, isWell: boolean) => void,
): Promise<void> {
	const { inventory, log } = options;
	const isOther = createWatch(inventory);
	let written = { text: "", at: Number.NEGATIVE_INFINITY };
	let logged = "";
	while (!signal.aborted) {
		const mayBeOther = options.isFresh() && (isOther() || written.text === "");
		const isOld = performance.now() - written.at > times.vouchMs;
		if (mayBeOther || (isOld && options.isFresh())) {
			try {
				const spec = meshTable(inventory);
				const text = JSON.stringify(spec);
				if (text !== written.text || isOld) {
					await writeTable(options.api, spec, isOld);
					written = { text, at: performance.now() };
					tell(`written ${new Date().toISOString()}`, true);
				}
				logged = "";
			} catch (error) {
				written = { text: "", at: Number.NEGATIVE_INFINITY };
				const problem = statusOf(error) === 404 ? "its definition is not installed" : String(error);
				tell(`cannot be written: ${problem}`, false);
				if (problem !== logged) {
					logged = problem;
					log.warn({ problem }, "mesh table not written");
				}
				await sleep(1_000, undefined, { signal, ref: false }).catch(() => {});
			}
		}
		await sleep(times.lookMs, undefined, { signal, ref: false }).catch(() => {});
	}
	tell("not kept by this replica", true);
}

/** Writes the table unless it says the same already; `vouch` writes the time of it anew all the same. */
async function writeTable(api: ApiServer, spec: TableSpec, vouch: boolean): Promise<void> {
	const collection = `/apis/${tableVersion}/meshtables`;
	const path = `${collection}/${tableName}`;
	const exchange = { deadlineMs: 10_000 };
	for (let tries = 0; ; tries++) {
		const old = (await readObject(api, path, exchange)) as {
			readonly metadata: object;
			readonly spec?: TableSpec & { readonly written?: string };
		} | null;
		const { written: before, ...rest } = old?.spec ?? { written: "" };
		if (old !== null && !vouch && before !== "" && isSame(rest, spec)) {
			return;
		}
		const body = {
			apiVersion: tableVersion,
			kind: tableKind,
			metadata: old === null ? { name: tableName } : old.metadata,
			spec: { written: new Date().toISOString(), ...spec },
		};
		try {
			await (old === null
				? api.request("POST", collection, { ...exchange, body })
				: api.request("PUT", path, { ...exchange, body }));
			return;
		} catch (error) {
			// Without the definition, the collection itself is not found.
			if (tries >= 3 || !isConflict(error) || (old === null && statusOf(error) === 404)) {
				throw error;
			}
		}
	}
}

/** Whether two tables say the same; the API server may keep the keys in another order. */
function isSame(one: unknown, other: unknown): boolean {
	return JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
}

function ordered(value: unknown): unknown {
	if (Array.isArray(value)) {
		return value.map(ordered);
	}
	return typeof value === "object" && value !== null
		? Object.fromEntries(
				Object.entries(value)
					.map(([key, each]) => [key, ordered(each)] as const)
					.toSorted(([a], [b]) => (a < b ? -1 : 1)),
			)
		: value;
}
