import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import type { Edit } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AnyObject, ServiceEntry } from "../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../core/policy.ts";
import type { Notice } from "./events.ts";
import type { ReportServer } from "./publish.ts";
import { statusOf } from "./publish.ts";

/** Whether entries that were there before Waymark are only counted, or bound. */
export type BackfillExtent = "report" | "apply";

/** A stored entry that the policy would bind if it were written today, with the labels that do it. */
export interface UnboundEntry {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
	/** As it was judged; undefined where the world was not read from an API server. */
	readonly resourceVersion?: string;
	readonly apiVersion: string;
	readonly labels: Readonly<Record<string, string>>;
}

/** How backfilling stands: `halted` after a surprise, until Waymark is started anew. */
export interface BackfillStatus {
	readonly state: "waiting" | "reporting" | "applying" | "done" | "halted";
	/** Entries that are still to be bound. */
	readonly pending: number;
	/** Entries that were bound by this replica. */
	readonly bound: number;
	readonly problem: string | undefined;
}

/** The pace of backfilling. */
export interface BackfillTimes {
	/** Between the writes of two entries. */
	readonly restMs: number;
	/** How long istiod may take to say that an entry is bound. */
	readonly boundMs: number;
	/** How often it is looked for entries once there are none left. */
	readonly lookMs: number;
}

const defaultTimes: BackfillTimes = { restMs: 500, boundMs: 30_000, lookMs: 10_000 };
const deadlineMs = 10_000;
const bindingRule = "serviceentry-waypoint-binding";
const bindingLabels: readonly string[] = [useWaypointLabel, useWaypointNamespaceLabel];

/**
 * What the mutating webhook would do to a stored entry, if that is to bind it: the two labels, where the mode of its
 * namespace fixes, and where the entry breaks no rule as an error once it has them.
 */
export function unboundEntry(
	engine: Engine,
	inventory: Inventory,
	entry: ServiceEntry,
	today: string,
): UnboundEntry | undefined {
	const { namespace, name, uid, resourceVersion, labels, deletionTimestamp } = entry.metadata ?? {};
	if (namespace == null || name == null || uid == null || deletionTimestamp != null) {
		return undefined;
	}
	const judge = (object: AnyObject) =>
		evaluate(engine, inventory, { kind: "ServiceEntry", namespace, name, object, today });
	const { mode, findings } = judge(entry);
	const found = findings.find(({ rule }) => rule === bindingRule);
	const added = labelsOf(found?.fix ?? []);
	if ((mode !== "enforce" && mode !== "warn") || found === undefined || added === undefined) {
		return undefined;
	}
	const bound = { ...entry, metadata: { ...entry.metadata, labels: { ...labels, ...added } } };
	return judge(bound).findings.some(({ severity }) => severity === "error")
		? undefined
		: {
				namespace,
				name,
				uid,
				...(resourceVersion == null ? {} : { resourceVersion }),
				apiVersion: entry.apiVersion ?? "networking.istio.io/v1",
				labels: added,
			};
}

/** The labels of a fix that does nothing but bind. */
function labelsOf(fix: readonly Edit[]): Readonly<Record<string, string>> | undefined {
	const labels: Record<string, string> = {};
	for (const edit of fix) {
		const [metadata, field, label] = edit.path;
		if (
			edit.op !== "set" ||
			edit.path.length !== 3 ||
			metadata !== "metadata" ||
			field !== "labels" ||
			typeof label !== "string" ||
			!bindingLabels.includes(label) ||
			typeof edit.value !== "string"
		) {
			return undefined;
		}
		labels[label] = edit.value;
	}
	return fix.length === 0 ? undefined : labels;
}

/** What backfilling needs. */
export interface BackfillOptions {
	readonly extent: BackfillExtent;
	readonly engine: Engine;
	readonly inventory: Inventory;
	readonly server: ReportServer;
	/** Settles when everything was judged once: before that, the world may lack what forbids a binding. */
	readonly complete: Promise<void>;
	readonly today: () => string;
	readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
	/** Told of the surprise that ends it. */
	readonly onHalt: (notice: Notice) => void;
	readonly times?: Partial<BackfillTimes>;
}

/** Backfilling during one spell as holder of the Lease. */
export interface Backfill {
	status(): BackfillStatus;
	readonly ended: Promise<void>;
}

/** What ends backfilling: anything but an entry that istiod calls bound. */
class Surprise extends Error {}

/**
 * Binds stored entries one after the other: each is written by server-side apply with the two labels and nothing else,
 * and the next one only after istiod called it bound. The first surprise ends it.
 */
export function startBackfill(options: BackfillOptions, signal: AbortSignal): Backfill {
	const { extent, inventory, server, log } = options;
	const times = { ...defaultTimes, ...options.times };
	let status: BackfillStatus = { state: "waiting", pending: 0, bound: 0, problem: undefined };
	const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal, ref: false }).catch(() => {});
	/** The watch may bring the labels later than istiod's word; and whoever takes them off again has a reason. */
	const bound = new Set<string>();
	/** Entries to bind now; judged in small pieces, since admission has the processor first. */
	const look = async (): Promise<readonly UnboundEntry[]> => {
		const found: UnboundEntry[] = [];
		let began = performance.now();
		for (const entry of inventory.all("ServiceEntry")) {
			const unbound = unboundEntry(options.engine, inventory, entry, options.today());
			if (unbound !== undefined && !bound.has(unbound.uid)) {
				found.push(unbound);
			}
			if (performance.now() - began > 3) {
				await pause(10);
				began = performance.now();
			}
			if (signal.aborted) {
				return [];
			}
		}
		return found;
	};
	const bind = async (entry: UnboundEntry): Promise<void> => {
		const path = pathOf(entry);
		const { namespace, name, uid, resourceVersion, labels } = entry;
		await server.request("PATCH", path, {
			// An author who applied `labels: {}` owns the map, and would be a conflict; the labels themselves are not there.
			query: { fieldManager: "waymark-backfill", force: "true" },
			body: {
				apiVersion: entry.apiVersion,
				kind: "ServiceEntry",
				// An entry that is gone or another one by now is a conflict: nobody's own label is overwritten unseen.
				metadata: {
					namespace,
					name,
					uid,
					...(resourceVersion === undefined ? {} : { resourceVersion }),
					labels,
				},
			},
			contentType: "application/apply-patch+yaml",
			signal,
			deadlineMs,
		});
		const end = performance.now() + times.boundMs;
		let said = "istiod says nothing of it";
		while (!signal.aborted) {
			const { status, message } = conditionOf(await server.request("GET", path, { signal, deadlineMs }));
			if (status === "True") {
				return;
			}
			said =
				status === undefined ? said : `WaypointBound is ${status}${message === "" ? "" : `: ${message}`}`;
			if (performance.now() > end) {
				throw new Surprise(`not bound ${times.boundMs / 1000} s after it got its labels: ${said}`);
			}
			await pause(Math.min(1000, times.boundMs / 10));
		}
	};
	const halt = (entry: UnboundEntry, error: unknown): void => {
		const problem = error instanceof Error ? error.message : String(error);
		status = { ...status, state: "halted", problem: `${entry.namespace}/${entry.name}: ${problem}` };
		const { namespace, name, labels } = entry;
		log.error({ namespace, name, labels, problem, ...counts(status) }, "backfill halted");
		options.onHalt({
			about: {
				apiVersion: entry.apiVersion,
				kind: "ServiceEntry",
				namespace,
				name,
				uid: entry.uid,
			},
			reason: "Backfill",
			note: `Backfill has stopped here: ${problem}`,
		});
	};
	/** The same entry as it is by now: since the look others were bound, and policies may have changed. */
	const lookAgain = ({ namespace, name }: UnboundEntry): UnboundEntry | undefined => {
		const entry = inventory.get("ServiceEntry", namespace, name);
		return entry && unboundEntry(options.engine, inventory, entry, options.today());
	};
	/** Binds what is to be bound; whether it may go on. */
	const round = async (entries: readonly UnboundEntry[]): Promise<boolean> => {
		for (const [index, seen] of entries.entries()) {
			status = { ...status, state: "applying", pending: entries.length - index };
			const entry = lookAgain(seen);
			if (entry === undefined || bound.has(entry.uid)) {
				continue;
			}
			try {
				await bind(entry);
			} catch (error) {
				if (signal.aborted) {
					return false;
				}
				if (isAnotherByNow(error)) {
					// The next look waits for the watch, which brings what it is now.
					await pause(times.restMs);
					continue;
				}
				halt(entry, error);
				return false;
			}
			if (signal.aborted) {
				return false;
			}
			bound.add(entry.uid);
			status = { ...status, bound: bound.size, pending: entries.length - index - 1 };
			log.info({ namespace: entry.namespace, name: entry.name, ...counts(status) }, "entry bound");
			await pause(times.restMs);
		}
		return true;
	};
	const spell = async (): Promise<void> => {
		await Promise.race([
			options.complete,
			new Promise((resolve) => signal.addEventListener("abort", resolve)),
		]);
		let told = -1;
		while (!signal.aborted) {
			const entries = await look();
			const state = extent === "report" ? "reporting" : entries.length === 0 ? "done" : "applying";
			status = { ...status, state, pending: entries.length };
			if (entries.length !== told) {
				told = entries.length;
				const examples = entries.slice(0, 5).map(({ namespace, name }) => `${namespace}/${name}`);
				log.info({ extent, ...counts(status), examples }, "entries to backfill");
			}
			if (extent === "apply" && entries.length > 0) {
				if (!(await round(entries))) {
					return;
				}
				continue;
			}
			await pause(times.lookMs);
		}
	};
	return { status: () => status, ended: spell() };
}

function counts({ pending, bound }: BackfillStatus): { readonly pending: number; readonly bound: number } {
	return { pending, bound };
}

function pathOf({ apiVersion, namespace, name }: UnboundEntry): string {
	return `/apis/${apiVersion}/namespaces/${encodeURIComponent(namespace)}/serviceentries/${encodeURIComponent(name)}`;
}

/** Whether an entry was deleted, made anew or written since it was judged: the next look sees what is there. */
function isAnotherByNow(error: unknown): boolean {
	return statusOf(error) === 404 || statusOf(error) === 409;
}

/** What istiod says of an entry's binding, shortened. */
function conditionOf(object: unknown): { readonly status: string | undefined; readonly message: string } {
	const { conditions } = ((object as AnyObject & { readonly status?: unknown }).status ?? {}) as {
		readonly conditions?: unknown;
	};
	const list = Array.isArray(conditions) ? (conditions as readonly Readonly<Record<string, unknown>>[]) : [];
	const found = list.find(({ type }) => type === "istio.io/WaypointBound");
	const { status, message } = found ?? {};
	return {
		status: typeof status === "string" ? status : undefined,
		message: typeof message === "string" ? message.slice(0, 200) : "",
	};
}
