import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Load } from "../audit/pace.ts";
import { quote } from "../core/finding.ts";
import type { Rule } from "../core/rule.ts";
import type { DrainOutcome, DrainTimes } from "../server/drain.ts";
import { defaultDrainTimes } from "../server/drain.ts";
import { heapFigures, watchMemory } from "../server/memory-metrics.ts";
import type { Metrics } from "../server/metrics.ts";
import { createMetrics } from "../server/metrics.ts";
import type { Pages } from "../server/pages.ts";
import type { Check } from "../server/probes.ts";
import type { CaughtSignals } from "../server/signals.ts";
import { untilSignalled } from "../server/signals.ts";
import { processorMs } from "../server/spent.ts";
import type { Audit } from "./audit.ts";
import type { Backstop } from "./backstop.ts";
import type { FailurePolicy, FailurePolicyMeans, Installation } from "./installation.ts";
import type { ServeOptions } from "./options.ts";
import type { ServedWorld } from "./world.ts";
import { serveCluster, serveDirectory, WorldError } from "./world.ts";

/** Where a server answers, for people: `HOST:PORT`. */
export interface Serving {
	readonly webhook: string;
	readonly operations: string;
	/** Where the CA that verifies the webhook lies. */
	readonly caFile: string;
}

/** Alone, nobody has to find another replica: what is being answered is finished, and that is all. */
const standaloneDrain: DrainTimes = { ...defaultDrainTimes, quietMs: 50, refuseMs: 50 };

/**
 * Serves the webhook until a signal: feed → configuration → certificate → app → first sync → listen → drain.
 * @param onListening called once the webhook answers
 * @param signals caught since the process began: one that comes before the webhook answers ends the start
 * @throws WorldError when there is nothing to serve by, ConfigError when the configuration is not usable
 */
export async function serveWebhook(
	options: ServeOptions,
	log: Logger,
	onListening: (serving: Serving) => void,
	signals: CaughtSignals,
): Promise<DrainOutcome> {
	const stops: (() => unknown)[] = [];
	let isStarting = true;
	const interrupted = signals.first.then(() => (isStarting ? notServed : never));
	try {
		const serving = start(options, log, onListening, signals, stops).then(async ({ left }) => {
			isStarting = false;
			return await left;
		});
		return await Promise.race([serving, interrupted]);
	} finally {
		for (const stop of stops.toReversed()) {
			await stop();
		}
		signals.release();
	}
}

const notServed: DrainOutcome = { cut: 0, refused: 0, tookMs: 0 };
const never: Promise<never> = new Promise(() => {});

/** Starts everything, and gives what ends with the last request after a signal; what it opens is put on `stops`. */
async function start(
	options: ServeOptions,
	log: Logger,
	onListening: (serving: Serving) => void,
	signals: CaughtSignals,
	stops: (() => unknown)[],
): Promise<{ readonly left: Promise<DrainOutcome> }> {
	const metrics = createMetrics();
	const memory = watchMemory(metrics.registry, log, () => heapFigures(options.variables.NODE_OPTIONS));
	stops.push(() => memory.stop());
	let audit: Audit | undefined;
	let followed: ServedWorld | undefined;
	const stage: Stage = { ...firstStage, memory: () => memory.checks() };
	const checks = (): readonly Check[] => Object.values(stage).flatMap((each) => each());
	// Begun before all else: the API server gathers the first lists while everything that serves is loaded.
	const opening =
		options.world === undefined ? serveCluster(options, metrics, log) : serveDirectory(options.world, log);
	stops.push(async () => (await opening.catch(() => undefined))?.stop());
	if (options.world !== undefined) {
		await opening;
	}
	const [{ followSettings }, { rules }, { openCertificates }] = await Promise.all([
		import("../settings/follow.ts"),
		import("../rules/table.ts"),
		import("./certificates.ts"),
	]);
	const settings = followSettings(options.config, new Set(rules.map((rule) => rule.id)), (result) => {
		metrics.configReloads.inc({ result: result.settings === undefined ? "failed" : "applied" });
		if (result.settings === undefined) {
			log.error({ problem: result.problem }, "configuration not usable, the last good one is kept");
		} else {
			followed?.configure(result.settings);
			audit?.configured();
			log.info("configuration applied");
		}
	});
	stops.push(() => settings.stop());
	stage.configuration = () => [configurationCheck(settings.problem())];
	const operations = await openOperations(options, checks, metrics, stops);
	const world = await opening;
	followed = world;
	stage.world = () => world.checks();
	world.configure(settings.current());
	world.whenLearned?.(() => audit?.configured());
	const installation = { ...options.installation, clusterDomain: settings.current().clusterDomain };
	let served = (): string => "";
	// Before there is a certificate: break-glass must work just where nothing else does.
	const failurePolicy = await openFailurePolicy(options, installation, world, {
		served: () => served(),
		isReady: () => checks().every((check) => check.ok || check.advisory === true),
		registry: metrics.registry,
		log,
	});
	stage.failurePolicy = () => failurePolicy?.checks() ?? [];
	stops.push(() => failurePolicy?.stop());
	const certificates = await openCertificates(options, installation, world.connection, log, (reason) => {
		stage.certificate = () => [waitingCheck("certificate", reason)];
	});
	stops.push(() => certificates.source.stop());
	served = () => certificates.source.current().cert;
	stage.certificate = () => certificates.checks();
	const { openWebhook } = await import("./webhook.ts");
	const webhook = await openWebhook({
		world,
		source: certificates.source,
		demands: options.demands,
		drainTimes: options.world === undefined ? defaultDrainTimes : standaloneDrain,
		metrics,
		log,
	});
	stops.push(() => webhook.stop());
	let backstop: Backstop | undefined;
	stage.listening = () => [
		webhook.server.listening
			? { name: "listening", ok: true, detail: addressOf(webhook.app) }
			: waitingCheck("listening", "not before every kind is listed"),
	];
	stage.audit = () => audit?.checks() ?? [];
	stage.backstop = () => backstop?.checks() ?? [];
	stage.drain = () => [
		{ name: "drain", ok: webhook.drain.state() === "serving", detail: webhook.drain.state() },
	];
	const left = untilSignalled(async () => {
		const outcome = await webhook.drain.begin();
		const { cut, refused, tookMs } = outcome;
		log.info({ cut, refused, tookMs: Math.round(tookMs) }, "drained");
		return outcome;
	}, signals);
	const listening = world.synced.then(async () => {
		await webhook.app.listen(options.listen);
		await certificates.publish?.();
		onListening({
			webhook: addressOf(webhook.app),
			operations: addressOf(operations),
			caFile: certificates.caFile,
		});
		log.info(
			{
				address: addressOf(webhook.app),
				operations: addressOf(operations),
				caFile: certificates.caFile,
			},
			"serving",
		);
		const load = {
			asked: () => webhook.drain.asked(),
			answered: () => metrics.durations.answered(),
			inFlight: () => webhook.drain.inFlight(),
			whenAnswered: (listener: () => void) => webhook.drain.whenAnswered(listener),
			processorMs,
		};
		audit = await openAudit(options, installation, world, { rules, metrics, log, load });
		stops.push(() => audit?.stop());
		backstop = await openBackstop(options, installation, world, { metrics, log });
		stops.push(() => backstop?.stop());
	});
	return { left: Promise.race([left, listening.then(() => left)]) };
}

/** What `/readyz` says of each part of a server, in the order in which they are shown. */
type Stage = Record<
	| "listening"
	| "world"
	| "certificate"
	| "configuration"
	| "failurePolicy"
	| "audit"
	| "backstop"
	| "memory"
	| "drain",
	() => readonly Check[]
>;

/** Before anything is there: what is being waited for. */
const firstStage: Stage = {
	listening: () => [waitingCheck("listening", "not before there is a certificate")],
	world: () => [waitingCheck("world", "not read yet")],
	certificate: () => [waitingCheck("certificate", "not looked for yet")],
	configuration: () => [],
	failurePolicy: () => [],
	audit: () => [],
	backstop: () => [],
	memory: () => [],
	drain: () => [],
};

function waitingCheck(name: string, reason: string): Check {
	return { name, ok: false, detail: `waiting: ${reason}` };
}

/** Opens the operations port at once, so that whoever asks is told what a start waits for instead of being refused. */
async function openOperations(
	options: ServeOptions,
	checks: () => readonly Check[],
	metrics: Metrics,
	stops: (() => unknown)[],
): Promise<FastifyInstance> {
	const { createOperations } = await import("../server/probes.ts");
	const operations = createOperations(checks, metrics, await openPages(options.docs));
	await operations.listen(options.operations);
	stops.push(() => operations.close());
	return operations;
}

/** @throws WorldError when a folder is named that cannot be shown */
async function openPages(folder: string | undefined): Promise<Pages | undefined> {
	if (folder === undefined) {
		return undefined;
	}
	const { PagesError, readPages } = await import("../server/pages.ts");
	try {
		return readPages(folder);
	} catch (error) {
		throw error instanceof PagesError
			? new WorldError(`Cannot show the documentation in ${quote(folder)}: ${error.message}`)
			: error;
	}
}

/** Begins to audit, where that is asked for and there is a cluster; nothing waits for its first judgement. */
async function openAudit(
	options: ServeOptions,
	{ namespace, webhooks }: Pick<Installation, "namespace" | "webhooks">,
	{ inventory, connection, followAll }: ServedWorld,
	{
		rules,
		metrics,
		log,
		load,
	}: {
		readonly rules: readonly Rule[];
		readonly metrics: Metrics;
		readonly log: Logger;
		readonly load: Load;
	},
): Promise<Audit | undefined> {
	if (!options.audit && inventory.settings.reach === "enforce") {
		log.warn("reach: enforce keeps nothing without --audit");
	}
	if (!options.audit || connection === undefined || followAll === undefined) {
		return undefined;
	}
	const { startAudit } = await import("./audit.ts");
	return startAudit({
		inventory,
		rules,
		connection,
		namespace,
		lease: `${webhooks}-audit`,
		identity: options.identity,
		registry: metrics.registry,
		log,
		load,
		backfill: options.backfill,
		follow: followAll,
	});
}

/** Looks after the failure policy where the options ask for it and there is a cluster. */
async function openFailurePolicy(
	options: ServeOptions,
	installation: Installation,
	{ connection }: ServedWorld,
	means: FailurePolicyMeans,
): Promise<FailurePolicy | undefined> {
	if (!options.bootstrap || connection === undefined) {
		return undefined;
	}
	const { startFailingClosed } = await import("./installation.ts");
	return startFailingClosed(installation, connection, means);
}

/** Looks after the backstop where the options ask for one and there is a cluster. */
async function openBackstop(
	options: ServeOptions,
	installation: Installation,
	world: ServedWorld,
	means: { readonly metrics: Metrics; readonly log: Logger },
): Promise<Backstop | undefined> {
	if (options.backstop === undefined || world.connection === undefined) {
		return undefined;
	}
	const { startBackstop } = await import("./backstop.ts");
	return startBackstop({
		...options.backstop,
		inventory: world.inventory,
		api: world.connection,
		namespace: installation.namespace,
		identity: options.identity,
		isFresh: () => world.stale?.() === undefined,
		registry: means.metrics.registry,
		log: means.log,
	});
}

function configurationCheck(problem: string | undefined): Check {
	return problem === undefined
		? { name: "configuration", ok: true, detail: "in use" }
		: { name: "configuration", ok: false, advisory: true, detail: `the last good one is in use: ${problem}` };
}

function addressOf(app: FastifyInstance): string {
	const address = app.server.address() as AddressInfo | null;
	if (address === null) {
		return "nowhere";
	}
	return address.family === "IPv6"
		? `[${address.address}]:${address.port}`
		: `${address.address}:${address.port}`;
}
