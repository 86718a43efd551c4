import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pacer } from "./pace.ts";
import { createPacer, noLoad } from "./pace.ts";
import type { ReportApi, ReportContent, ReportResource } from "./report.ts";
import { digestAnnotation, reportLabels, reportName, reportResources } from "./report.ts";

/** What writing reports needs of the API server: the parsed answer, or an error with its HTTP `status`. */
export interface ReportServer {
	request(
		method: "GET" | "PATCH" | "DELETE",
		path: string,
		options?: {
			readonly query?: Readonly<Record<string, string>>;
			readonly body?: unknown;
			readonly contentType?: string;
			readonly accept?: string;
			readonly signal?: AbortSignal;
			readonly deadlineMs?: number;
		},
	): Promise<unknown>;
}

interface Log {
	info(fields: object, message: string): void;
	warn(fields: object, message: string): void;
}

/** What is to be published, and where. */
export interface PublishOptions {
	readonly server: ReportServer;
	readonly api: ReportApi;
	/** What the report of a namespace says now; undefined: nothing in it is judged. "" stands for the whole cluster. */
	readonly content: (namespace: string) => ReportContent | undefined;
	/** Settles when everything was judged once: before that, a report would say too little. */
	readonly complete: Promise<void>;
	/** A name for this cluster on every report, so that those of several can be told apart. */
	readonly cluster: string | undefined;
	readonly log: Log;
	/** Shares time with what answers requests; without one nobody asks anything. */
	readonly pacer?: Pacer;
	readonly times?: Partial<PublishTimes>;
}

export interface PublishTimes {
	/** How long a namespace's report stays as it is after it was written. */
	readonly restMs: number;
	/** The same of the cluster's own, where one line stands for thousands of reports. */
	readonly clusterRestMs: number;
	/** How often it is looked whether the reports' CRD has come. */
	readonly lookMs: number;
	/** How often failed writes are tried again. */
	readonly againMs: number;
	/** How often it is looked whether the reports are still as they were written. */
	readonly checkMs: number;
}

/** How publishing stands. */
export interface PublishStatus {
	/** `missing`: the API server does not know reports. */
	readonly state: "starting" | "publishing" | "missing" | "failing";
	readonly written: number;
	readonly waiting: number;
	readonly problem: string | undefined;
}

/** Keeps the reports of one spell as holder of the Lease. */
export interface Publisher {
	/** A namespace's judgement is another one; "" stands for the cluster's own objects. What is worse than before goes first. */
	touch(namespace: string, isWorse?: boolean): void;
	status(): PublishStatus;
	/** Settles when the spell is over. */
	readonly ended: Promise<void>;
}

const defaultTimes: PublishTimes = {
	restMs: 10_000,
	clusterRestMs: 2_000,
	lookMs: 10_000,
	againMs: 5_000,
	checkMs: 300_000,
};
const deadlineMs = 10_000;
/** Milliseconds of processor that one write takes while it is sent and answered (measured without TLS: 0.25 to 0.42). */
const writeMs = 0.4;
/** Writes under way at once: an API server's default share for one user bears it. */
const mostWrites = 32;

/**
 * Keeps reports by server-side apply until the signal: one write a namespace and rest, none where nothing changed, and
 * none at all while the API server does not know reports.
 */
export function publishReports(options: PublishOptions, signal: AbortSignal): Publisher {
	const { server, log } = options;
	const times = { ...defaultTimes, ...options.times };
	const resources = reportResources[options.api];
	const waiting = new Set<string>();
	const worse = new Set<string>();
	/** What has become worse during a round: it does not wait for the next one. */
	const pressing = new Set<string>();
	const pacer = options.pacer ?? createPacer(noLoad);
	const digests = new Map<string, string>();
	const restUntil = new Map<string, number>();
	let status: PublishStatus["state"] = "starting";
	let problem: string | undefined;
	let written = 0;
	let learnedAt = 0;
	let wake: () => void = () => {};

	const say = (next: PublishStatus["state"], reason?: string): void => {
		if (next !== status) {
			const fields = { api: options.api, ...(reason === undefined ? {} : { problem: reason }) };
			if (next === "publishing") {
				log.info(fields, "reports are kept");
			} else {
				log.warn(fields, next === "missing" ? "reports are not kept: their CRD is missing" : "reports fail");
			}
		}
		status = next;
		problem = reason;
	};
	const pause = (ms: number): Promise<void> =>
		new Promise((resolve) => {
			const alarm = new AbortController();
			wake = () => alarm.abort();
			sleep(ms, undefined, { signal: AbortSignal.any([signal, alarm.signal]), ref: false }).then(
				resolve,
				() => resolve(),
			);
		});
	const pathOf = (resource: ReportResource, namespace: string, name?: string): string => {
		const scope = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
		const tail = name === undefined ? "" : `/${name}`;
		return `/apis/${resource.group}/${resource.version}${scope}/${resource.plural}${tail}`;
	};
	/** Learns which reports are there, and puts in line what is not as it was written; false while the CRD is missing. */
	const learn = async (): Promise<boolean> => {
		const found = new Map<string, string>();
		for (const resource of [resources.namespaced, resources.cluster]) {
			try {
				for await (const { namespace, digest } of listDigests(server, pathOf(resource, ""), signal)) {
					found.set(namespace, digest);
				}
			} catch (error) {
				if (statusOf(error) === 404) {
					say("missing");
					return false;
				}
				throw error;
			}
		}
		for (const namespace of new Set([...digests.keys(), ...found.keys()])) {
			if (digests.get(namespace) !== found.get(namespace)) {
				waiting.add(namespace);
			}
		}
		digests.clear();
		for (const [namespace, digest] of found) {
			digests.set(namespace, digest);
		}
		learnedAt = performance.now();
		return true;
	};
	/** Begins to write what a namespace's report says now; undefined: it says so already. */
	const beginWrite = (namespace: string): Promise<void> | undefined => {
		const resource = namespace === "" ? resources.cluster : resources.namespaced;
		const content = options.content(namespace);
		const path = pathOf(resource, namespace, reportName);
		if (content === undefined) {
			return digests.has(namespace)
				? server.request("DELETE", path, { signal, deadlineMs }).then(() => {
						digests.delete(namespace);
						written += 1;
					})
				: undefined;
		}
		const body = reportOf(resource, namespace, content, options);
		if (digests.get(namespace) === body.digest) {
			return undefined;
		}
		restUntil.set(namespace, performance.now() + (namespace === "" ? times.clusterRestMs : times.restMs));
		const answer = server.request("PATCH", path, {
			query: { fieldManager: "waymark", force: "true" },
			body: body.object,
			contentType: "application/apply-patch+yaml",
			signal,
			deadlineMs,
		});
		return answer.then(() => {
			digests.set(namespace, body.digest);
			written += 1;
		});
	};
	const begin = (namespace: string): Promise<void> | undefined =>
		beginWrite(namespace)?.catch((error: unknown) => {
			if (signal.aborted || isNamespaceGoing(error)) {
				digests.delete(namespace);
			} else {
				waiting.add(namespace);
				throw error;
			}
		});
	const mayWrite = (namespace: string): boolean => (restUntil.get(namespace) ?? 0) <= performance.now();
	/** The next whose report is to be looked at: what has become worse meanwhile, then what is left of the round. */
	const nextOf = (left: Iterator<string>): string | undefined => {
		for (const namespace of pressing) {
			pressing.delete(namespace);
			if (worse.has(namespace) && mayWrite(namespace)) {
				worse.delete(namespace);
				waiting.delete(namespace);
				return namespace;
			}
		}
		for (let next = left.next(); next.done !== true; next = left.next()) {
			if (mayWrite(next.value)) {
				return next.value;
			}
			// It was written meanwhile, since it had become worse.
			waiting.add(next.value);
		}
		return undefined;
	};
	/** Writes what may be written now; how long until more may be. */
	const round = async (): Promise<number> => {
		const due = [...worse, ...waiting.difference(worse)].filter(mayWrite);
		for (const namespace of due) {
			waiting.delete(namespace);
			worse.delete(namespace);
			restUntil.delete(namespace);
		}
		pressing.clear();
		const left = due.values();
		try {
			await writeInPieces(pacer, signal, () => nextOf(left), begin);
		} finally {
			for (const namespace of left) {
				waiting.add(namespace);
			}
		}
		say("publishing");
		let next = Number.POSITIVE_INFINITY;
		for (const namespace of waiting) {
			next = Math.min(next, restUntil.get(namespace) ?? 0);
		}
		return Math.max(50, next - performance.now());
	};
	const aborted = new Promise<void>((resolve) =>
		signal.addEventListener("abort", () => resolve(), { once: true }),
	);
	const spell = async (): Promise<void> => {
		let isLearned = false;
		while (!signal.aborted) {
			try {
				isLearned ||= await learn();
				await Promise.race([options.complete, aborted]);
				await pause(isLearned ? Math.min(await round(), times.checkMs) : times.lookMs);
				isLearned &&= performance.now() - learnedAt < times.checkMs;
			} catch (error) {
				if (statusOf(error) === 404) {
					// The CRD went away, and what was written with it: the next look tells.
					isLearned = false;
					say("missing");
				} else if (!signal.aborted) {
					say("failing", error instanceof Error ? error.message : String(error));
				}
				await pause(isLearned ? times.againMs : Math.min(times.lookMs, times.againMs));
			}
		}
	};
	return {
		touch(namespace, isWorse = false) {
			waiting.add(namespace);
			if (isWorse) {
				worse.add(namespace);
				pressing.add(namespace);
			}
			wake();
		},
		status: () => ({ state: status, written, waiting: waiting.size, problem }),
		ended: spell(),
	};
}

/**
 * Begins a write for each next namespace in pieces, some under way at once; settles when all have ended, and throws the
 * first failure, after which none begins.
 * @param begin undefined: there is nothing to write
 */
async function writeInPieces(
	pacer: Pacer,
	signal: AbortSignal,
	nextOf: () => string | undefined,
	begin: (namespace: string) => Promise<void> | undefined,
): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	let underWay = 0;
	let isPlanned = false;
	let isOver = false;
	let failure: { readonly error: unknown } | undefined;
	const plan = (): void => {
		if (isOver && underWay === 0) {
			resolve();
		} else if (!isOver && !isPlanned && underWay < mostWrites) {
			isPlanned = true;
			pacer.next(piece);
		}
	};
	const watch = (writing: Promise<void>): void => {
		underWay += 1;
		pacer.owe(writeMs);
		writing
			.catch((error: unknown) => {
				failure ??= { error };
				isOver = true;
			})
			.finally(() => {
				underWay -= 1;
				plan();
			});
	};
	const piece = (mayGoOn: () => boolean): void => {
		isPlanned = false;
		isOver ||= signal.aborted;
		while (!isOver && underWay < mostWrites && mayGoOn()) {
			const namespace = nextOf();
			const writing = namespace === undefined ? undefined : begin(namespace);
			isOver = namespace === undefined;
			if (writing !== undefined) {
				watch(writing);
			}
		}
		plan();
	};
	plan();
	await promise;
	if (failure !== undefined) {
		throw failure.error;
	}
}

function reportOf(
	resource: ReportResource,
	namespace: string,
	content: ReportContent,
	{ api, cluster }: PublishOptions,
): { readonly digest: string; readonly object: object } {
	const named = cluster === undefined ? {} : { "egress.waymark.dev/cluster": cluster };
	const digest = createHash("sha256")
		.update(JSON.stringify([content, named, resource.kind]))
		.digest("base64url")
		.slice(0, 22);
	return {
		digest,
		object: {
			apiVersion: `${resource.group}/${resource.version}`,
			kind: resource.kind,
			metadata: {
				name: reportName,
				...(namespace === "" ? {} : { namespace }),
				labels: reportLabels,
				annotations: { [digestAnnotation]: digest, ...named },
			},
			...(api === "openreports" ? { source: "waymark" } : {}),
			...content,
		},
	};
}

async function* listDigests(
	server: ReportServer,
	path: string,
	signal: AbortSignal,
): AsyncIterable<{ readonly namespace: string; readonly digest: string }> {
	const accept =
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
	const labelSelector = Object.entries(reportLabels)
		.map(([key, value]) => `${key}=${value}`)
		.join(",");
	let token = "";
	do {
		const list = (await server.request("GET", path, {
			query: { labelSelector, limit: "500", ...(token === "" ? {} : { continue: token }) },
			accept,
			signal,
			deadlineMs,
		})) as {
			readonly metadata?: { readonly continue?: string };
			readonly items?: readonly {
				readonly metadata: {
					readonly name: string;
					readonly namespace?: string;
					readonly annotations?: Readonly<Record<string, string>>;
				};
			}[];
		};
		for (const { metadata } of list.items ?? []) {
			if (metadata.name === reportName) {
				yield { namespace: metadata.namespace ?? "", digest: metadata.annotations?.[digestAnnotation] ?? "" };
			}
		}
		token = list.metadata?.continue ?? "";
	} while (token !== "");
}

/** The HTTP status of a failed request. */
export function statusOf(error: unknown): number | undefined {
	const status = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
	return typeof status === "number" ? status : undefined;
}

/** Whether a write failed because its namespace ends: forbidden by NamespaceLifecycle, or not found any more. */
function isNamespaceGoing(error: unknown): boolean {
	const text = error instanceof Error ? error.message : "";
	return (
		(statusOf(error) === 403 && /being terminated/.test(text)) ||
		(statusOf(error) === 404 && /namespaces? ".*" not found|reports.* "waymark" not found/.test(text))
	);
}
