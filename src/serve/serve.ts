import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { destination, pino } from "pino";
import { watchCertificateFiles } from "../certificates/files.ts";
import { verificationFault } from "../certificates/inspect.ts";
import type { CertificateSource } from "../certificates/source.ts";
import { throwAwayCertificate } from "../certificates/throw-away.ts";
import { readEnvironment } from "../cli/environment.ts";
import type { Streams, Verb } from "../cli/io.ts";
import { exitCodes, UsageError } from "../cli/io.ts";
import type { DrainTimes } from "../server/drain.ts";
import { defaultDrainTimes } from "../server/drain.ts";
import { createMetrics } from "../server/metrics.ts";
import type { Check } from "../server/probes.ts";
import { untilSignalled } from "../server/signals.ts";
import type { Installation } from "./installation.ts";
import type { ClientDemands } from "./webhook.ts";
import type { ServedWorld } from "./world.ts";
import { serveCluster, serveDirectory, WorldError } from "./world.ts";

const usage = `Usage: waymark serve [--world DIR | --kubeconfig FILE] [--config FILE]
                     [--listen HOST:PORT] [--operations HOST:PORT]
                     [--certificates throw-away|self|DIR] [--bootstrap]
                     [--client-ca FILE [--client-name NAME]…] [--tls-min-version 1.2|1.3]
                     [--namespace NS] [--service NAME] [--secret NAME] [--webhooks NAME]
                     [--name HOST] [--replicas HOST:PORT,…]

Serves POST /mutate and POST /validate over HTTPS, and /livez, /readyz and /metrics on the operations port.

  --world DIR         take the cluster from the YAML files below DIR
  --kubeconfig FILE   follow the API server that FILE names; with neither, the one around this pod
  --config FILE       the cluster configuration, followed as it changes
  --listen            127.0.0.1:8443 with --world, else 0.0.0.0:8443; port 0 takes any free one
  --operations        127.0.0.1:8081 with --world, else 0.0.0.0:8081
  --certificates      throw-away: made in memory, its CA written below .waymark/ (the default);
                      self: of an own CA, kept in a Secret and published to the webhook configurations;
                      DIR: tls.crt, tls.key and perhaps ca.crt, followed as they change
  --bootstrap         make the validating webhook fail closed once a canary was really denied
  --client-ca FILE    ask for a client certificate that these CAs verify, followed as they change
  --client-name NAME  and that bears this name, such as kube-apiserver; may be given several times
  --tls-min-version   the oldest TLS version that is spoken (1.3)

How this installation is known to its cluster, for --certificates self and --bootstrap:

  --namespace NS      its namespace (POD_NAMESPACE, else waymark-system)
  --service NAME      its Service (waymark)
  --secret NAME       the Secret of its CA (waymark-ca)
  --webhooks NAME     both its webhook configurations (waymark)
  --name HOST         by which the API server calls it, where that is not through the Service
  --replicas LIST     where all replicas listen, where they are not endpoints of the Service

Exit: 0 drained after a signal, 64 usage, 65 unreadable configuration or world, 70 fault or requests cut,
      128 and its number after a second signal`;

interface Address {
	readonly host: string;
	readonly port: number;
}

/** What `serve` was asked to do. */
export interface ServeOptions {
	readonly world: string | undefined;
	readonly kubeconfig: string | undefined;
	readonly config: string | undefined;
	readonly certificates: string;
	readonly bootstrap: boolean;
	readonly demands: ClientDemands;
	readonly installation: Omit<Installation, "clusterDomain">;
	readonly listen: Address;
	readonly operations: Address;
}

/** `waymark serve`: the webhook. */
export const serve: Verb = {
	summary: "Serve the admission webhooks, standalone or for a cluster",
	usage,
	run: async (argv, streams) => {
		try {
			return await run(readOptions(argv), streams);
		} catch (error) {
			if (error instanceof WorldError) {
				streams.error(`waymark: ${error.message}\n`);
				return exitCodes.unreadable;
			}
			const reason = listenFailure(error);
			if (reason !== undefined) {
				streams.error(`waymark: ${reason}\n`);
				return exitCodes.fault;
			}
			throw error;
		}
	},
};

/** Why an address cannot be listened on; undefined for any other error. */
function listenFailure(error: unknown): string | undefined {
	if (!(error instanceof Error) || !("syscall" in error) || error.syscall !== "listen") {
		return undefined;
	}
	const { code, address, port } = error as NodeJS.ErrnoException & {
		readonly address?: string;
		readonly port?: number;
	};
	const where = port === undefined ? `${address}` : `${address}:${port}`;
	switch (code) {
		case "EADDRINUSE":
			return `Cannot listen on ${where}: something else does already`;
		case "EACCES":
			return `Cannot listen on ${where}: this user may not`;
		case "EADDRNOTAVAIL":
			return `Cannot listen on ${where}: no interface has this address`;
		default:
			return `Cannot listen on ${where}: ${code}`;
	}
}

function readOptions(argv: readonly string[]): ServeOptions {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			world: { type: "string" },
			kubeconfig: { type: "string" },
			config: { type: "string" },
			certificates: { type: "string" },
			bootstrap: { type: "boolean", default: false },
			"client-ca": { type: "string" },
			"client-name": { type: "string", multiple: true, default: [] },
			"tls-min-version": { type: "string", default: "1.3" },
			namespace: { type: "string" },
			service: { type: "string", default: "waymark" },
			secret: { type: "string", default: "waymark-ca" },
			webhooks: { type: "string", default: "waymark" },
			name: { type: "string" },
			replicas: { type: "string" },
			listen: { type: "string" },
			operations: { type: "string" },
		},
	});
	if (values.world !== undefined && values.kubeconfig !== undefined) {
		throw new UsageError("--world and --kubeconfig exclude each other");
	}
	if (values.world !== undefined && (values.certificates === "self" || values.bootstrap)) {
		throw new UsageError("--certificates self and --bootstrap need a cluster, and --world has none");
	}
	const minVersion = values["tls-min-version"];
	if (minVersion !== "1.2" && minVersion !== "1.3") {
		throw new UsageError(`--tls-min-version must be 1.2 or 1.3, and is ${JSON.stringify(minVersion)}`);
	}
	if (values["client-name"].length > 0 && values["client-ca"] === undefined) {
		throw new UsageError("--client-name needs --client-ca: a name that no CA vouches for says nothing");
	}
	const host = values.world === undefined ? "0.0.0.0" : "127.0.0.1";
	return {
		world: values.world,
		kubeconfig: values.kubeconfig,
		config: values.config,
		certificates: values.certificates ?? "throw-away",
		bootstrap: values.bootstrap,
		demands: {
			minVersion: `TLSv${minVersion}`,
			clientCaFile: values["client-ca"],
			clientNames: values["client-name"],
		},
		installation: {
			namespace: values.namespace ?? readEnvironment().podNamespace ?? "waymark-system",
			service: values.service,
			secret: values.secret,
			webhooks: values.webhooks,
			name: values.name,
			replicas: values.replicas?.split(",").map((text) => readAddress(text, "--replicas")),
		},
		listen: readAddress(values.listen ?? `${host}:8443`, "--listen"),
		operations: readAddress(values.operations ?? `${host}:8081`, "--operations"),
	};
}

function readAddress(text: string, flag: string): Address {
	const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
	const host = match?.[1] ?? match?.[2];
	const port = Number(match?.[3]);
	if (host === undefined || port > 65535) {
		throw new UsageError(`${flag} must be HOST:PORT, and is ${JSON.stringify(text)}`);
	}
	return { host, port };
}

/** Lines are dropped rather than waited for when nobody reads them: a stalled reader must not stall admission. */
function createLog(): Logger {
	const { logLevel } = readEnvironment();
	return pino({ level: logLevel, base: null }, destination({ dest: 2, sync: false, maxLength: 1 << 20 }));
}

/** feed → config → certificate → app → first sync → listen → drain. */
async function run(options: ServeOptions, streams: Streams): Promise<number> {
	const log = createLog();
	const metrics = createMetrics();
	const stops: (() => unknown)[] = [];
	try {
		// Begun before all else: the API server gathers the first lists while everything that serves is loaded.
		const world: ServedWorld = await (options.world === undefined
			? serveCluster(options, metrics, log)
			: serveDirectory(options.world, log));
		stops.push(() => world.stop());
		const [{ followSettings }, { rules }] = await Promise.all([
			import("../settings/follow.ts"),
			import("../rules/table.ts"),
		]);
		const settings = followSettings(options.config, new Set(rules.map((rule) => rule.id)), (result) => {
			metrics.configReloads.inc({ result: result.settings === undefined ? "failed" : "applied" });
			if (result.settings === undefined) {
				log.error({ problem: result.problem }, "configuration not usable, the last good one is kept");
			} else {
				world.configure(result.settings);
				log.info("configuration applied");
			}
		});
		stops.push(() => settings.stop());
		world.configure(settings.current());
		const installation = { ...options.installation, clusterDomain: settings.current().clusterDomain };
		const certificates = await openCertificates(options, installation, world, log);
		stops.push(() => certificates.source.stop());
		const [{ openWebhook }, { createOperations }] = await Promise.all([
			import("./webhook.ts"),
			import("../server/probes.ts"),
		]);
		const webhook = await openWebhook({
			world,
			source: certificates.source,
			demands: options.demands,
			drainTimes: options.world === undefined ? defaultDrainTimes : standaloneDrain,
			metrics,
			log,
		});
		stops.push(() => webhook.stop());
		let failurePolicy: () => readonly Check[] = () => [];
		const checks = (): readonly Check[] => [
			{ name: "listening", ok: webhook.server.listening, detail: addressOf(webhook.app) },
			...world.checks(),
			...certificates.checks(),
			configurationCheck(settings.problem()),
			...failurePolicy(),
			{ name: "drain", ok: webhook.drain.state() === "serving", detail: webhook.drain.state() },
		];
		const operations = createOperations(checks, metrics);
		await operations.listen(options.operations);
		stops.push(() => operations.close());
		const left = untilSignalled(async () => {
			const { cut, refused, tookMs } = await webhook.drain.begin();
			log.info({ cut, refused, tookMs: Math.round(tookMs) }, "drained");
			return cut === 0 ? exitCodes.clean : exitCodes.fault;
		});
		const listening = world.synced.then(async () => {
			await webhook.app.listen(options.listen);
			announce(options, streams, webhook.app, operations, certificates.caFile);
			log.info({ address: addressOf(webhook.app) }, "serving");
			if (options.bootstrap && world.connection !== undefined) {
				const { startFailingClosed } = await import("./installation.ts");
				const bootstrap = await startFailingClosed(installation, world.connection, {
					served: () => certificates.source.current().cert,
					isReady: () => checks().every((check) => check.ok || check.advisory === true),
					registry: metrics.registry,
					log,
				});
				failurePolicy = bootstrap.checks;
				stops.push(() => bootstrap.stop());
			}
		});
		return await Promise.race([left, listening.then(() => left)]);
	} finally {
		for (const stop of stops.toReversed()) {
			await stop();
		}
		log.flush();
	}
}

function configurationCheck(problem: string | undefined): Check {
	return problem === undefined
		? { name: "configuration", ok: true, detail: "in use" }
		: { name: "configuration", ok: false, advisory: true, detail: `the last good one is in use: ${problem}` };
}

interface OpenCertificates {
	readonly source: CertificateSource;
	/** Where the CA lies. */
	readonly caFile: string;
	checks(): readonly Check[];
}

/** The certificate to serve with, and where its CA lies. */
async function openCertificates(
	options: ServeOptions,
	installation: Installation,
	world: ServedWorld,
	log: Logger,
): Promise<OpenCertificates> {
	if (options.certificates === "self" && world.connection !== undefined) {
		const { openOwnCertificates } = await import("./installation.ts");
		const own = await openOwnCertificates(installation, world.connection, log);
		return { ...own, caFile: `Secret ${installation.namespace}/${installation.secret}` };
	}
	if (options.certificates === "throw-away") {
		const wildcard = options.listen.host === "0.0.0.0" || options.listen.host === "::";
		const source = await throwAwayCertificate({
			names: ["localhost", "127.0.0.1", "::1", ...(wildcard ? [] : [options.listen.host])],
			directory: resolve(".waymark"),
			// Servers on any free port may run side by side, each with a CA of its own.
			perProcess: options.listen.port === 0,
		});
		return { source, caFile: source.caFile ?? "", checks: () => [] };
	}
	const caFile = join(options.certificates, "ca.crt");
	const source = await watchCertificateFiles({
		certFile: join(options.certificates, "tls.crt"),
		keyFile: join(options.certificates, "tls.key"),
		onFault: (fault) => {
			if (fault === null) {
				log.info("certificate files usable again");
			} else {
				log.error({ problem: fault }, "certificate files not usable, the last good pair is kept");
			}
		},
	});
	return {
		source,
		caFile,
		checks: () => {
			const fault = source.fault() ?? verificationFault(source.current().cert, { now: new Date() });
			return [{ name: "certificate", ok: fault === null, detail: fault ?? "valid", advisory: true as const }];
		},
	};
}

/** Alone, nobody has to find another replica: what is being answered is finished, and that is all. */
const standaloneDrain: DrainTimes = { ...defaultDrainTimes, quietMs: 50, refuseMs: 50 };

function announce(
	options: ServeOptions,
	streams: Streams,
	app: FastifyInstance,
	operations: FastifyInstance,
	caFile: string,
): void {
	streams.out(
		[
			`Webhook:    https://${addressOf(app)}`,
			`CA:         ${caFile}`,
			`Operations: http://${addressOf(operations)}`,
			"",
		].join("\n"),
	);
	if (options.world?.replace(/\/$/, "") === "examples") {
		streams.out(
			[
				"",
				"Try it from another terminal:",
				"  npm run -s try -- docs/try/plain-service-entry.yaml   # gets bound to its waypoint",
				"  npm run -s try -- docs/try/refused-by-policy.yaml     # refused by the namespace's policy",
				"  npm run -s try -- docs/try/sidecar-bundle.yaml        # refused: sidecar-style egress",
				"",
			].join("\n"),
		);
	}
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
