import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { verificationFault } from "../../certificates/inspect.ts";
import {
	bindingsWebhook,
	canaryLabel,
	canaryMessage,
	canaryWebhook,
	deletionsWebhook,
} from "../../core/canary.ts";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";
import { isConflict } from "../client/api-writes.ts";
import { brokenGlass } from "./break-glass.ts";
import type { Endpoint } from "./endpoints.ts";
import { handshakeFault } from "./endpoints.ts";
import type { WebhookConfiguration, WebhookConfigurationRef } from "./webhook-configurations.ts";
import {
	bundlesOf,
	readConfiguration,
	withoutPolicyClaim,
	withPolicy,
	writeConfiguration,
} from "./webhook-configurations.ts";

/** What is to be made strict, and what proves that it may. */
export interface BootstrapOptions {
	readonly api: ApiServer;
	/** Waymark's own namespace, where canaries are tried. */
	readonly namespace: string;
	/** The name of the validating webhook configuration: all in it but those for canaries and deletions become `Fail`. */
	readonly configuration: string;
	/** The DNS name or address by which the API server calls the webhooks. */
	readonly name: string;
	/** The certificate that this replica serves, PEM. */
	readonly served: () => string;
	/** Whether this replica could judge a request now. */
	readonly isReady: () => boolean;
	/** Every replica that the API server may reach. */
	readonly replicas: () => Promise<readonly Endpoint[]>;
	readonly log: Pick<Logger, "info" | "warn">;
	readonly now?: () => Date;
	/** How often it is tried until it is done (and break-glass looked for), and how often afterwards, in milliseconds. */
	readonly times?: { readonly tryMs: number; readonly lookMs: number };
	/** The version of ServiceEntry that canaries are written in. */
	readonly version?: string;
}

/** `strict`: all is `Fail`; `held`: a person wants `Ignore`; `lax`: not proved yet, `reason` says why. */
export interface BootstrapStatus {
	readonly state: "strict" | "held" | "lax" | "unknown";
	readonly reason: string;
}

/** The API server does not reach the webhooks any more: what they judge is refused. */
export interface Unreached {
	readonly sinceMs: number;
	readonly reason: string;
}

/** Turns the validating webhooks to `Fail` once it is proved that they are reached; back only while a person says so. */
export interface Bootstrap {
	status(): BootstrapStatus;
	/** Whether a person has broken the glass: the validating webhooks are kept at `Ignore`. */
	isGlassBroken(): boolean;
	/** Since when the canary has not come back although all is `Fail`, and why; undefined while it does. */
	unreached(): Unreached | undefined;
	/** Tries now. */
	attempt(): Promise<BootstrapStatus>;
	stop(): Promise<void>;
}

const deadlineMs = 10_000;

/** Starts trying, and goes on looking afterwards: a re-installed configuration starts as `Ignore` again. */
export function startBootstrap(options: BootstrapOptions): Bootstrap {
	const { tryMs, lookMs } = options.times ?? { tryMs: 5_000, lookMs: 60_000 };
	const stop = new AbortController();
	const { signal } = stop;
	const exchange: ApiRequest = { deadlineMs, signal };
	let status: BootstrapStatus = { state: "unknown", reason: "it has not been looked at yet" };
	let unreached: { readonly since: number; readonly reason: string } | undefined;
	/** The way from the API server may break later: a firewall, a mesh, a network policy. */
	const lookAtReach = async (): Promise<void> => {
		const reason = await tryCanary(options, exchange);
		if (signal.aborted) {
			return;
		}
		if (reason === null && unreached !== undefined) {
			const forMs = Math.round(performance.now() - unreached.since);
			options.log.info({ forMs }, "the API server reaches the webhooks again");
		} else if (reason !== null && unreached === undefined) {
			options.log.warn({ reason }, "the API server does not reach the webhooks any more");
		}
		unreached = reason === null ? undefined : { since: unreached?.since ?? performance.now(), reason };
	};
	const attempt = async (): Promise<BootstrapStatus> => {
		const next = await tryOnce(options, exchange);
		if (next.state === "strict" && status.state === "strict") {
			await lookAtReach();
		} else if (next.state !== "unknown") {
			unreached = undefined;
		}
		tell(status, next);
		status = next;
		return next;
	};
	let toldAt = 0;
	/** An open cluster is never quiet: it is said when it begins, once a minute, and when it ends. */
	const tell = (last: BootstrapStatus, next: BootstrapStatus): void => {
		const { state, reason } = next;
		const isNews = state !== last.state || reason !== last.reason;
		if (state === "held" && (isNews || performance.now() - toldAt >= lookMs)) {
			toldAt = performance.now();
			options.log.warn({ reason }, "break-glass: the validating webhooks fail open");
		} else if (isNews && state !== "held") {
			options.log.info({ state, reason }, "failure policy of the validating webhooks");
		}
	};
	const loop = async (): Promise<void> => {
		let lookAt = 0;
		while (!signal.aborted) {
			if (status.state !== "strict" || performance.now() >= lookAt || (await isOpened(options, exchange))) {
				await attempt();
				lookAt = performance.now() + lookMs * (0.85 + Math.random() * 0.3);
			}
			const pauseMs = tryMs * (0.85 + Math.random() * 0.3);
			await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
		}
	};
	const looping = loop();
	return {
		status: () => status,
		isGlassBroken: () => status.state === "held",
		unreached: () =>
			unreached === undefined
				? undefined
				: { sinceMs: performance.now() - unreached.since, reason: unreached.reason },
		attempt,
		async stop() {
			stop.abort();
			// Listing the replicas knows nothing of the signal; a proof that it ends has no effect any more.
			await Promise.race([looping, sleep(1_000, undefined, { ref: false })]);
		},
	};
}

/** The webhooks that are `Ignore` for ever. */
const neverStrict = [canaryWebhook, deletionsWebhook, bindingsWebhook];

function refOf({ configuration }: BootstrapOptions): WebhookConfigurationRef {
	return { kind: "ValidatingWebhookConfiguration", name: configuration };
}

/** Whether the glass was broken since all became `Fail`; whatever hinders the look hinders the next attempt too. */
async function isOpened(options: BootstrapOptions, exchange: ApiRequest): Promise<boolean> {
	try {
		const configuration = await readConfiguration(options.api, refOf(options), exchange);
		return (await brokenGlass(options.api, options.namespace, configuration, exchange)) !== null;
	} catch {
		return false;
	}
}

async function tryOnce(options: BootstrapOptions, exchange: ApiRequest): Promise<BootstrapStatus> {
	const ref = refOf(options);
	try {
		const configuration = await readConfiguration(options.api, ref, exchange);
		const broken = await brokenGlass(options.api, options.namespace, configuration, exchange);
		if (configuration === null) {
			return broken === null
				? { state: "lax", reason: `${ref.kind} ${ref.name} does not exist` }
				: { state: "held", reason: broken };
		}
		if (broken !== null) {
			const open = withPolicy(configuration, "Ignore", neverStrict);
			if (open !== null) {
				const written = await writeConfiguration(options.api, ref, open, exchange);
				await giveUpClaim(options, ref, written, exchange);
			}
			return { state: "held", reason: broken };
		}
		const strict = withPolicy(configuration, "Fail", neverStrict);
		if (strict === null) {
			return { state: "strict", reason: "every validating webhook fails closed" };
		}
		const reason = await reasonNotToFailClosed(options, configuration, exchange);
		if (reason !== null) {
			return { state: "lax", reason: reason };
		}
		// Carries the version that was proved: whatever changed in between makes this fail, and the proof starts again.
		const written = await writeConfiguration(options.api, ref, strict, exchange);
		await giveUpClaim(options, ref, written, exchange);
		return { state: "strict", reason: "a canary was denied, so the validating webhooks fail closed now" };
	} catch (error) {
		if (isConflict(error)) {
			return { state: "lax", reason: "somebody else changed the configuration at the same time" };
		}
		return { state: "unknown", reason: error instanceof Error ? error.message : String(error) };
	}
}

/** Leaves the field to whoever applies the configuration; it is written already, so that a failure is no harm. */
async function giveUpClaim(
	options: BootstrapOptions,
	ref: WebhookConfigurationRef,
	written: WebhookConfiguration,
	exchange: ApiRequest,
): Promise<void> {
	const unclaimed = withoutPolicyClaim(written);
	if (unclaimed !== null) {
		await writeConfiguration(options.api, ref, unclaimed, exchange).catch((error: unknown) => {
			options.log.warn({ fault: String(error) }, "cannot give up the claim on the failure policy");
		});
	}
}

/** The first reason not to fail closed yet, or `null` when everything is proved. */
async function reasonNotToFailClosed(
	options: BootstrapOptions,
	configuration: WebhookConfiguration,
	exchange: ApiRequest,
): Promise<string | null> {
	if (!options.isReady()) {
		return "this replica is not ready";
	}
	if (!(configuration.webhooks ?? []).some(({ name }) => name === canaryWebhook)) {
		return `the configuration has no webhook ${canaryWebhook}`;
	}
	const bundles = [...new Set(bundlesOf(configuration))];
	const now = options.now?.() ?? new Date();
	for (const bundle of bundles) {
		const fault = verificationFault(options.served(), { now, bundle, name: options.name });
		if (fault !== null) {
			return `the published CA bundle does not verify this replica: ${fault}`;
		}
	}
	const replicas = await options.replicas();
	if (replicas.length === 0) {
		return "no replica is ready";
	}
	const checks = replicas.flatMap((replica) =>
		bundles.map((bundle) => handshakeFault(replica, options.name, bundle)),
	);
	const fault = (await Promise.all(checks)).find((each) => each !== null);
	if (fault !== undefined) {
		return `the published CA bundle does not verify every replica: ${fault}`;
	}
	return await tryCanary(options, exchange);
}

/** Asks the API server for a ServiceEntry that only Waymark refuses, as a dry run; says what came instead, or `null`. */
async function tryCanary(options: BootstrapOptions, exchange: ApiRequest): Promise<string | null> {
	const nonce = randomBytes(16).toString("hex");
	const version = options.version ?? "v1";
	const path = `/apis/networking.istio.io/${version}/namespaces/${encodeURIComponent(options.namespace)}/serviceentries`;
	try {
		await options.api.request("POST", path, {
			...exchange,
			query: { dryRun: "All" },
			body: {
				apiVersion: `networking.istio.io/${version}`,
				kind: "ServiceEntry",
				metadata: {
					name: `waymark-canary-${nonce}`,
					namespace: options.namespace,
					labels: { [canaryLabel]: nonce },
				},
				// Valid to istiod, and of no use to anybody should the dry run ever be written.
				spec: {
					hosts: ["canary.waymark.invalid"],
					ports: [{ number: 443, name: "tls", protocol: "TLS" }],
					location: "MESH_EXTERNAL",
					resolution: "NONE",
					exportTo: ["."],
				},
			},
		});
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		// Another webhook, a policy or RBAC may deny it as well; only Waymark knows the nonce's sentence.
		const isOurs = message.includes(`"${canaryWebhook}"`) && message.includes(canaryMessage(nonce));
		return isOurs ? null : `the canary was refused by somebody else: ${message}`;
	}
	return "the canary was let through: the API server does not reach the webhook";
}
