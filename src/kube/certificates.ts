import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { createAuthority, issueCertificate, leafLifetimeMs } from "../certificates/authority.ts";
import {
	expiryTime,
	fingerprints,
	isIssuedBy,
	renewalTime,
	verificationFault,
} from "../certificates/inspect.ts";
import type { CertificateSource, HeldCertificate } from "../certificates/source.ts";
import { holdCertificate } from "../certificates/source.ts";
import { readState, secretBody } from "./authority-secret.ts";
import type { AuthorityState, Step } from "./authority-state.ts";
import { bundleOf, nextStep } from "./authority-state.ts";
import { createTrust } from "./trust.ts";
import type { WebhookConfiguration, WebhookConfigurationRef } from "./webhook-configurations.ts";
import { bundlesOf, readConfiguration, withBundle, writeConfiguration } from "./webhook-configurations.ts";
import type { ApiServer } from "./writes.ts";
import { fieldManager, isConflict, readObject } from "./writes.ts";

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
	readonly now?: () => Date;
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
	const keeper = createKeeper({ ...options, signal });
	await keeper.first();
	const held = keeper.held();
	const watching = keeper.watch();
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
	held(): HeldCertificate;
	look(): Promise<void>;
	first(): Promise<void>;
	watch(): Promise<void>;
	status(): OwnCertificateStatus;
}

function createKeeper(options: OwnCertificateOptions & { readonly signal: AbortSignal }): Keeper {
	const times = { ...defaultOwnCertificateTimes, ...options.times };
	const { api, log, configurations, now = () => new Date() } = options;
	const { signal } = options;
	const request = { deadlineMs: requestDeadlineMs, signal };
	const collection = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}/secrets`;
	const secretPath = `${collection}/${encodeURIComponent(options.secretName)}`;
	const trust = createTrust();
	let remembered: AuthorityState | null = null;
	let leaf: HeldCertificate | null = null;
	let live: readonly (WebhookConfiguration | null)[] = [];
	let lookFault: string | null = null;
	let lookFaults = 0;
	let lookedAt = performance.now();
	let looking: Promise<void> | null = null;

	/** The bundle of every webhook; one that is missing trusts nothing. */
	const liveBundles = (): readonly string[] =>
		live.flatMap((configuration) => (configuration === null ? [""] : bundlesOf(configuration)));
	const noteTrust = (): void => trust.note(liveBundles());
	const isPublished = (cert: string): boolean => trust.lastsMs(cert) >= times.settleMs;

	const writeSecret = async (secret: unknown, step: Step): Promise<void> => {
		const body = secretBody(secret, step, options.namespace, options.secretName);
		await api.request(secret === null ? "POST" : "PUT", secret === null ? collection : secretPath, {
			...request,
			query: { fieldManager },
			body,
		});
		log.info({ step: step.kind, ca: fingerprints(step.state.signing.cert)[0] }, stepMessages[step.kind]);
	};

	const publish = async (state: AuthorityState): Promise<void> => {
		const bundle = bundleOf(state);
		for (const [index, ref] of configurations.entries()) {
			const configuration = live[index];
			const changed = configuration ? withBundle(configuration, bundle) : null;
			if (changed !== null) {
				const written = await writeConfiguration(api, ref, changed, request);
				live = live.with(index, written);
				log.info({ configuration: ref.name, kind: ref.kind }, "published the CA bundle");
			}
		}
		noteTrust();
	};

	const keepLeaf = async (state: AuthorityState): Promise<void> => {
		const served = leaf?.current().cert ?? null;
		if (served !== null && !isLeafDue(served, state)) {
			return;
		}
		const pair = await issueCertificate(state.signing, {
			names: options.names,
			now: now(),
			lifetimeMs: times.leafMs,
		});
		const next = { ...pair, ca: bundleOf(state) };
		if (leaf === null) {
			leaf = holdCertificate(next);
		} else {
			leaf.set(next);
		}
		log.info({ expires: expiryTime(pair.cert)?.toISOString() }, "issued a serving certificate");
	};
	const isLeafDue = (served: string, state: AuthorityState): boolean => {
		const isDue = renewalTime(served) <= now();
		const isOfSigner = isIssuedBy(served, state.signing.cert);
		const isOver = (expiryTime(served) ?? new Date(0)) <= now();
		// A leaf of a CA that is not trusted everywhere yet is no improvement, unless the present one is over.
		return isOver || (isOfSigner ? isDue : isPublished(state.signing.cert));
	};

	/** One pass. Configurations are read before the Secret: a bundle written with their version is never an older one. */
	const pass = async (): Promise<void> => {
		live = await Promise.all(configurations.map((ref) => readConfiguration(api, ref, request)));
		noteTrust();
		const secret = await readObject(api, secretPath, request);
		const found = readState(secret, now());
		if (found.faults.length > 0) {
			log.warn({ faults: found.faults }, "found the certificate secret unusable");
		}
		const step = await nextStep({
			now: now(),
			found,
			remembered,
			served: leaf?.current().cert ?? null,
			live: liveBundles(),
			nextIsPublished: found.state?.next != null && isPublished(found.state.next.cert),
			retentionMs: times.retentionMs,
			createAuthority: () => createAuthority({ now: now(), lifetimeMs: times.authorityMs }),
		});
		if (step.kind !== "none") {
			await writeSecret(secret, step);
		}
		remembered = step.state;
		// Before, because a bundle may lose the CA of the present leaf; after, because it may gain that of the next one.
		await keepLeaf(step.state);
		await publish(step.state);
		await keepLeaf(step.state);
	};

	const lookUntilSettled = async (): Promise<void> => {
		for (let attempt = 1; ; attempt += 1) {
			try {
				await pass();
				lookedAt = performance.now();
				if (lookFault !== null) {
					log.info({}, "certificates are looked after again");
				}
				lookFault = null;
				return;
			} catch (error) {
				if (isConflict(error) && attempt < mostAttempts) {
					await sleep(Math.random() * 20 * attempt);
					continue;
				}
				noteLookFault(error);
				throw error;
			}
		}
	};
	const noteLookFault = (error: unknown): void => {
		if (signal.aborted) {
			return;
		}
		lookFaults += 1;
		const text = error instanceof Error ? error.message : String(error);
		if (lookFault === null) {
			log.warn({ fault: text }, "cannot look after certificates");
		}
		lookFault = text;
	};
	const look = (): Promise<void> => {
		looking ??= lookUntilSettled().finally(() => {
			looking = null;
		});
		return looking;
	};

	const renewAlone = async (): Promise<void> => {
		const served = leaf?.current().cert;
		// Nobody can be asked, and the leaf ends: one of the CA we remember is better than an expired one.
		if (remembered !== null && served !== undefined && renewalTime(served) <= now()) {
			await keepLeaf(remembered);
		}
	};

	const fault = (): string | null => {
		const served = leaf?.current().cert;
		if (served === undefined) {
			return "there is no certificate yet";
		}
		for (const [index, ref] of configurations.entries()) {
			const configuration = live[index];
			if (!configuration) {
				return `${ref.kind} ${ref.name} does not exist`;
			}
			for (const bundle of bundlesOf(configuration)) {
				const problem = verificationFault(served, { now: now(), bundle, earlyMs: day });
				if (problem !== null) {
					return `${ref.kind} ${ref.name} does not trust this replica: ${problem}`;
				}
			}
		}
		return null;
	};

	return {
		look,
		held() {
			if (leaf === null) {
				throw new Error("Cannot serve: there is no certificate yet");
			}
			return leaf;
		},
		async first() {
			let backoffMs = times.firstBackoffMs;
			while (leaf === null) {
				signal.throwIfAborted();
				try {
					await look();
				} catch {
					// The look has noted it; a leaf may exist all the same, and then serving is better than waiting.
					await sleep(
						jitter(backoffMs),
						undefined,
						request.signal === undefined ? {} : { signal: request.signal },
					);
					backoffMs = Math.min(backoffMs * 2, 10_000);
				}
			}
		},
		async watch() {
			let backoffMs = times.firstBackoffMs;
			while (!signal.aborted) {
				const isPending = remembered?.next != null || fault() !== null;
				const calmMs = isPending
					? Math.min(times.intervalMs, Math.max(times.settleMs / 4, 50))
					: times.intervalMs;
				const waitMs = lookFault === null ? calmMs : Math.min(backoffMs, times.intervalMs);
				try {
					await sleep(jitter(waitMs), undefined, { signal, ref: false });
					await look();
					backoffMs = times.firstBackoffMs;
				} catch {
					backoffMs *= 2;
					await renewAlone().catch(noteLookFault);
				}
			}
		},
		status: () => ({
			fault: fault(),
			leafExpires: leaf === null ? null : expiryTime(leaf.current().cert),
			authorityExpires: remembered === null ? null : expiryTime(remembered.signing.cert),
			rotation:
				remembered?.next != null ? "publishing" : (remembered?.retired ?? "") === "" ? "none" : "retiring",
			lookFault,
			lookFaults,
			sinceLookMs: performance.now() - lookedAt,
		}),
	};
}

function jitter(ms: number): number {
	return ms * (0.85 + Math.random() * 0.3);
}
