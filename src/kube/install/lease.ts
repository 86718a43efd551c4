import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";
import { isConflict, readObject, statusOf } from "../client/api-writes.ts";

/** Which Lease is wanted, and by whom. */
export interface LeaseOptions {
	readonly api: ApiServer;
	readonly namespace: string;
	readonly name: string;
	/** Who asks: unique among the replicas, such as the pod's name. */
	readonly identity: string;
	readonly log: Pick<Logger, "info" | "warn">;
	/** Begins the work of the holder; the signal ends it when the Lease is lost or given up. */
	readonly whileHeld: (signal: AbortSignal) => void;
	readonly times?: Partial<LeaseTimes>;
	/** Monotonic milliseconds. */
	readonly now?: () => number;
}

/** client-go's own defaults (tools/leaderelection: 15, 10 and 2 seconds). */
export interface LeaseTimes {
	/** How long others wait, from the last renewal that they have seen, before they take the Lease. */
	readonly durationMs: number;
	/** After how long without a renewal the holder stops its work. */
	readonly renewWithinMs: number;
	/** How often it is tried. */
	readonly tryMs: number;
}

/** A wish for a Lease, which is followed until it is stopped. */
export interface LeaseKeeper {
	isHeld(): boolean;
	/** Who holds it, as last seen; undefined: nobody. */
	holder(): string | undefined;
	/** Ends the work, gives the Lease up, and no longer wants it. */
	stop(): Promise<void>;
}

interface Lease {
	readonly metadata?: { readonly resourceVersion?: string };
	readonly spec?: {
		readonly holderIdentity?: string | null;
		readonly leaseDurationSeconds?: number | null;
		readonly acquireTime?: string | null;
		readonly renewTime?: string | null;
		readonly leaseTransitions?: number | null;
	} | null;
}

const defaultTimes: LeaseTimes = { durationMs: 15_000, renewWithinMs: 10_000, tryMs: 2_000 };

/**
 * Holds a Lease whenever it can be had (coordination.k8s.io/v1). No clock of another machine is believed: a Lease is
 * free when its record has not changed for its duration by this process's own clock, as in client-go.
 */
export function keepLease(options: LeaseOptions): LeaseKeeper {
	const { api, namespace, name, identity, log } = options;
	const times = { ...defaultTimes, ...options.times };
	const now = options.now ?? (() => performance.now());
	const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
	const path = `${collection}/${encodeURIComponent(name)}`;
	const ending = new AbortController();
	const deadlineMs = Math.min(5_000, times.renewWithinMs);
	let seen = { version: "", at: now(), holder: undefined as string | undefined };
	let work: AbortController | undefined;
	let renewedAt = Number.NEGATIVE_INFINITY;

	const endWork = (why: string): void => {
		if (work !== undefined) {
			log.info({ lease: name, reason: why }, "lease given up");
			work.abort();
			work = undefined;
		}
	};
	const look = (lease: Lease | null): void => {
		const version = lease?.metadata?.resourceVersion ?? "";
		if (version !== seen.version) {
			seen = { version, at: now(), holder: lease?.spec?.holderIdentity || undefined };
		}
	};
	const isFree = (lease: Lease): boolean => {
		const { holderIdentity, leaseDurationSeconds } = lease.spec ?? {};
		const durationMs = (leaseDurationSeconds ?? 0) * 1000;
		return !holderIdentity || holderIdentity === identity || now() - seen.at > durationMs;
	};
	const write = async (lease: Lease | null, exchange: ApiRequest): Promise<void> => {
		const time = new Date().toISOString().replace("Z", "000Z");
		const isMine = lease?.spec?.holderIdentity === identity;
		const spec = {
			holderIdentity: identity,
			leaseDurationSeconds: Math.ceil(times.durationMs / 1000),
			acquireTime: isMine ? lease?.spec?.acquireTime : time,
			renewTime: time,
			leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (isMine || lease === null ? 0 : 1),
		};
		const began = now();
		const body = {
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name, namespace, ...lease?.metadata },
			spec,
		};
		const written = await (lease === null
			? api.request("POST", collection, { ...exchange, body })
			: api.request("PUT", path, { ...exchange, body }));
		// From before the request: others may count from when the API server stored it.
		renewedAt = began;
		look(written as Lease);
		if (work === undefined && !ending.signal.aborted) {
			work = new AbortController();
			log.info({ lease: name }, "lease held");
			options.whileHeld(work.signal);
		}
	};
	const attempt = async (): Promise<void> => {
		const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(deadlineMs)]);
		const exchange: ApiRequest = { deadlineMs, signal };
		const lease = (await readObject(api, path, exchange)) as Lease | null;
		look(lease);
		if (lease === null || isFree(lease)) {
			await write(lease, exchange);
		} else {
			endWork(`it is ${seen.holder}'s`);
		}
	};
	let isFailing = false;
	const loop = async (): Promise<void> => {
		while (!ending.signal.aborted) {
			try {
				await attempt();
				isFailing = false;
			} catch (error) {
				if (!ending.signal.aborted && !isConflict(error) && !isFailing) {
					isFailing = true;
					log.warn({ lease: name, status: statusOf(error), err: error }, "lease not renewed");
				}
			}
			if (now() - renewedAt > times.renewWithinMs) {
				endWork("it was not renewed in time");
			}
			await sleep(times.tryMs, undefined, { signal: ending.signal, ref: false }).catch(() => {});
		}
	};
	// An answer that never comes must not keep the work going: this clock runs beside the loop.
	const watchdog = setInterval(() => {
		if (now() - renewedAt > times.renewWithinMs) {
			endWork("it was not renewed in time");
		}
	}, times.tryMs);
	watchdog.unref();
	const ended = loop();
	return {
		isHeld: () => work !== undefined,
		holder: () => seen.holder,
		async stop() {
			const wasHeld = work !== undefined;
			endWork("this replica stops");
			ending.abort();
			clearInterval(watchdog);
			await ended;
			if (wasHeld) {
				await release(api, path, identity).catch(() => {});
			}
		},
	};
}

/** Lets the next one have it at once, as client-go's ReleaseOnCancel does. */
async function release(api: ApiServer, path: string, identity: string): Promise<void> {
	const exchange: ApiRequest = { deadlineMs: 2_000 };
	const lease = (await readObject(api, path, exchange)) as Lease | null;
	if (lease?.spec?.holderIdentity === identity) {
		const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
		await api.request("PUT", path, { ...exchange, body: { ...lease, spec } });
	}
}
