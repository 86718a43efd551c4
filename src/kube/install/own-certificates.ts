import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { createAuthority, leafLifetimeMs } from "../../certificates/authority.ts";
import { expiryTime, fingerprints } from "../../certificates/inspect.ts";
import type { CertificateSource, HeldCertificate } from "../../certificates/source.ts";
import type { ApiServer } from "../client/api-writes.ts";
import { fieldManager, isConflict, readObject } from "../client/api-writes.ts";
import { readState, secretBody } from "./authority-secret.ts";
import type { AuthorityState, Step } from "./authority-state.ts";
import { bundleOf, nextStep } from "./authority-state.ts";
import type { OwnLeaf } from "./own-leaf.ts";
import { createOwnLeaf } from "./own-leaf.ts";
import type { PublishedBundles } from "./published-bundles.ts";
import { createPublishedBundles } from "./published-bundles.ts";
import type { WebhookConfigurationRef } from "./webhook-configurations.ts";

/** What certificates of our own CA are made from, and where that CA is kept. */
export interface OwnCertificateOptions {
	readonly api: ApiServer;
	readonly namespace: string;
	readonly secretName: string;
	/** DNS names and IP addresses by which the API server calls the webhooks. */
	readonly names: readonly string[];
	/** The configurations that must trust the CA. */
	readonly configurations: readonly WebhookConfigurationRef[];
	readonly log: Pick<Logger, "info" | "warn">;
	readonly signal?: AbortSignal;
	/** Told, before there is a first certificate, why there is none; after every look. */
	readonly onWait?: (reason: string) => void;
	/** This machine's clock. */
	readonly now?: () => Date;
	/** Milliseconds by which this clock is ahead of the API server's; undefined while nobody knows. */
	readonly skewMs?: () => number | undefined;
	readonly times?: Partial<OwnCertificateTimes>;
}

/** How long everything lasts, in milliseconds. */
export interface OwnCertificateTimes {
	readonly authorityMs: number;
	readonly leafMs: number;
	/** How often the Secret and the configurations are looked at. */
	readonly intervalMs: number;
	/** How long a new CA must have been seen in every configuration before a leaf of it is served. */
	readonly settleMs: number;
	/** How long a CA is trusted after its last leaf was signed: a leaf's life and a margin for clocks. */
	readonly retentionMs: number;
	readonly firstBackoffMs: number;
}

/** Where the certificates of this replica stand. */
export interface OwnCertificateStatus {
	/** Why the API server would not trust this replica, or `null`. */
	readonly fault: string | null;
	readonly leafExpires: Date | null;
	readonly authorityExpires: Date | null;
	readonly rotation: "none" | "publishing" | "retiring";
	/** Why the last look failed, or `null`. */
	readonly lookFault: string | null;
	/** How many looks have failed since the start. */
	readonly lookFaults: number;
	/** Milliseconds since the last look that succeeded. */
	readonly sinceLookMs: number;
}

/** A source of leaves that this replica makes for itself, and the keeper of the CA that it shares with the others. */
export interface OwnCertificates extends CertificateSource {
	status(): OwnCertificateStatus;
	/** Looks now; resolves when everything that can be done is done. Throws when the API server does not play along. */
	refresh(): Promise<void>;
}

const day = 24 * 3_600_000;

/** One year of CA, a week of leaf; a look every half minute costs an API server three small reads a replica. */
export const defaultOwnCertificateTimes: OwnCertificateTimes = {
	authorityMs: 365 * day,
	leafMs: leafLifetimeMs,
	intervalMs: 30_000,
	settleMs: 20_000,
	retentionMs: leafLifetimeMs + day,
	firstBackoffMs: 200,
};

const requestDeadlineMs = 10_000;
const mostAttempts = 20;

const stepMessages: Readonly<Record<Step["kind"], string>> = {
	none: "",
	created: "created a certificate authority",
	restored: "restored the certificate authority to its secret",
	repaired: "repaired the certificate authority in its secret",
	"kept-old": "kept trust in a certificate authority that was replaced",
	rotating: "made the next certificate authority",
	switched: "switched to the next certificate authority",
	"dropped-old": "dropped trust in retired certificate authorities",
};

/** Makes this replica's first certificate, however long the API server takes, and keeps it and the CA good from then on. */
export async function keepOwnCertificates(options: OwnCertificateOptions): Promise<OwnCertificates> {
	const stop = new AbortController();
	const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
	const times = { ...defaultOwnCertificateTimes, ...options.times };
	const keeper = createKeeper(options, times, signal);
	const held = await firstLeaf(keeper, times, signal, options.onWait);
	const watching = watch(keeper, times, signal);
	return {
		current: held.current,
		onChange: held.onChange,
		status: keeper.status,
		refresh: keeper.look,
		async stop() {
			stop.abort();
			await watching;
			await held.stop();
		},
	};
}

interface Keeper {
	readonly leaf: OwnLeaf;
	/** Looks until nothing is left to be done; throws when the API server does not play along. */
	look(): Promise<void>;
	/** Renews a leaf that is due without asking anybody. */
	renewAlone(): Promise<void>;
	status(): OwnCertificateStatus;
}

function createKeeper(
	options: OwnCertificateOptions,
	times: OwnCertificateTimes,
	signal: AbortSignal,
): Keeper {
	const { api, log, now: ownNow = () => new Date(), skewMs = () => undefined } = options;
	// Whoever verifies goes by the API server's clock: by a wrong one a CA would be made for later, or replaced as expired.
	const now = (): Date => new Date(ownNow().getTime() - (skewMs() ?? 0));
	const exchange = { deadlineMs: requestDeadlineMs, signal };
	const collection = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}/secrets`;
	const secretPath = `${collection}/${encodeURIComponent(options.secretName)}`;
	const bundles = createPublishedBundles(api, options.configurations, exchange, log);
	const leaf = createOwnLeaf(options.names, times.leafMs, now, log);
	const isPublished = (cert: string): boolean => bundles.trustedMs(cert) >= times.settleMs;
	let remembered: AuthorityState | null = null;

	const writeSecret = async (secret: unknown, step: Step): Promise<void> => {
		const body = secretBody(secret, step, options.namespace, options.secretName);
		const [method, path] = secret === null ? (["POST", collection] as const) : (["PUT", secretPath] as const);
		await api.request(method, path, { ...exchange, query: { fieldManager }, body });
		log.info({ step: step.kind, ca: fingerprints(step.state.signing.cert)[0] }, stepMessages[step.kind]);
	};
	/** One pass. Configurations are read before the Secret: a bundle written with their version is never an older one. */
	const pass = async (): Promise<void> => {
		await bundles.read();
		const secret = await readObject(api, secretPath, exchange);
		const found = readState(secret, now());
		if (found.faults.length > 0) {
			log.warn({ faults: found.faults }, "found the certificate secret unusable");
		}
		const step = await nextStep({
			now: now(),
			ownNow: ownNow(),
			found,
			remembered,
			served: leaf.held()?.current().cert ?? null,
			live: bundles.live(),
			nextIsPublished: found.state?.next != null && isPublished(found.state.next.cert),
			retentionMs: times.retentionMs,
			createAuthority: () => createAuthority({ now: now(), lifetimeMs: times.authorityMs }),
		});
		if (step.kind !== "none") {
			await writeSecret(secret, step);
		}
		remembered = step.state;
		// Before, because a bundle may lose the CA of the present leaf; after, because it may gain that of the next one.
		await leaf.keep(step.state, isPublished);
		await bundles.publish(bundleOf(step.state));
		await leaf.keep(step.state, isPublished);
	};
	const looks = createLooks(pass, log, signal);
	return {
		leaf,
		look: looks.look,
		async renewAlone() {
			// Nobody can be asked, and the leaf ends: one of the CA we remember is better than an expired one.
			if (remembered !== null && leaf.isDue()) {
				await leaf.keep(remembered, isPublished);
			}
		},
		status: () => ({
			...looks.status(),
			...leafStatus(leaf, bundles, now()),
			authorityExpires: remembered === null ? null : expiryTime(remembered.signing.cert),
			rotation: rotationOf(remembered),
		}),
	};
}

interface Looks {
	look(): Promise<void>;
	status(): Pick<OwnCertificateStatus, "lookFault" | "lookFaults" | "sinceLookMs">;
}

/** Repeats a pass that lost against another replica, never runs two at a time, and notes when faults begin and end. */
function createLooks(
	pass: () => Promise<void>,
	log: OwnCertificateOptions["log"],
	signal: AbortSignal,
): Looks {
	let lookFault: string | null = null;
	let lookFaults = 0;
	let lookedAt = performance.now();
	let looking: Promise<void> | null = null;
	const note = (fault: string | null): void => {
		if (fault === null) {
			lookedAt = performance.now();
		} else {
			lookFaults += 1;
		}
		if (fault !== null && lookFault === null) {
			log.warn({ fault }, "cannot look after certificates");
		} else if (fault === null && lookFault !== null) {
			log.info({}, "certificates are looked after again");
		}
		lookFault = fault;
	};
	const passUntilSettled = async (): Promise<void> => {
		for (let attempt = 1; ; attempt += 1) {
			try {
				await pass();
				note(null);
				return;
			} catch (error) {
				if (isConflict(error) && attempt < mostAttempts) {
					await sleep(Math.random() * 20 * attempt);
					continue;
				}
				// The end of this replica is no fault.
				if (!signal.aborted) {
					note(error instanceof Error ? error.message : String(error));
				}
				throw error;
			}
		}
	};
	return {
		look() {
			looking ??= passUntilSettled().finally(() => {
				looking = null;
			});
			return looking;
		},
		status: () => ({ lookFault, lookFaults, sinceLookMs: performance.now() - lookedAt }),
	};
}

async function firstLeaf(
	{ leaf, look, status }: Keeper,
	{ firstBackoffMs }: OwnCertificateTimes,
	signal: AbortSignal,
	onWait: (reason: string) => void = () => {},
): Promise<HeldCertificate> {
	for (let backoffMs = firstBackoffMs; ; backoffMs = Math.min(backoffMs * 2, 10_000)) {
		signal.throwIfAborted();
		// A failed look is noted there; a leaf may exist all the same, and then serving is better than waiting.
		await look().catch(() => {});
		const held = leaf.held();
		if (held !== null) {
			return held;
		}
		onWait(status().lookFault ?? "there is no certificate yet");
		await sleep(jitter(backoffMs), undefined, { signal });
	}
}

async function watch(keeper: Keeper, times: OwnCertificateTimes, signal: AbortSignal): Promise<void> {
	const { intervalMs, settleMs, firstBackoffMs } = times;
	let backoffMs = firstBackoffMs;
	while (!signal.aborted) {
		const { fault, rotation, lookFault } = keeper.status();
		const isPending = rotation === "publishing" || fault !== null;
		const calmMs = isPending ? Math.min(intervalMs, Math.max(settleMs / 4, 50)) : intervalMs;
		const waitMs = lookFault === null ? calmMs : Math.min(backoffMs, intervalMs);
		try {
			await sleep(jitter(waitMs), undefined, { signal, ref: false });
			await keeper.look();
			backoffMs = firstBackoffMs;
		} catch {
			backoffMs *= 2;
			// Whatever hinders it hinders the next look too, which notes it; the watch must go on.
			await keeper.renewAlone().catch(() => {});
		}
	}
}

function leafStatus(
	leaf: OwnLeaf,
	bundles: PublishedBundles,
	now: Date,
): Pick<OwnCertificateStatus, "fault" | "leafExpires"> {
	const served = leaf.held()?.current().cert;
	return served === undefined
		? { fault: "there is no certificate yet", leafExpires: null }
		: { fault: bundles.fault(served, now), leafExpires: expiryTime(served) };
}

function rotationOf(state: AuthorityState | null): OwnCertificateStatus["rotation"] {
	if (state?.next != null) {
		return "publishing";
	}
	return (state?.retired ?? "") === "" ? "none" : "retiring";
}

function jitter(ms: number): number {
	return ms * (0.85 + Math.random() * 0.3);
}
