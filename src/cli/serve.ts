import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { mention } from "../core/finding.ts";
import type { Address, ServeOptions } from "../serve/options.ts";
import type { Serving } from "../serve/serve.ts";
import { anyAddress } from "../server/any-address.ts";
import { catchSignals } from "../server/signals.ts";
import type { Environment } from "./environment.ts";
import { readEnvironment } from "./environment.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { ownVersion } from "./version.ts";

const usage = `Usage: waymark serve [--world DIR | --kubeconfig FILE] [--config FILE]
                     [--listen HOST:PORT] [--operations HOST:PORT] [--docs DIR]
                     [--certificates throw-away|self|DIR] [--bootstrap] [--backstop validate|full]
                     [--audit [--backfill report|apply]]
                     [--client-ca FILE [--client-name NAME]…] [--tls-min-version 1.2|1.3]
                     [--namespace NS] [--service NAME] [--secret NAME] [--webhooks NAME]
                     [--name HOST] [--replicas HOST:PORT,…]

Serves POST /mutate and POST /validate over HTTPS, and /livez, /readyz and /metrics on the operations port.

  --world DIR         take the cluster from the YAML files below DIR
  --kubeconfig FILE   follow the API server that FILE names; with neither, the one around this pod
  --config FILE       the cluster configuration, followed as it changes
  --listen            127.0.0.1:8443 with --world, else 0.0.0.0:8443; port 0 takes any free one,
                      and no HOST every address
  --operations        127.0.0.1:8081 with --world, else 0.0.0.0:8081
  --docs DIR          show the built documentation (npm run site) on the operations port, under /docs/
  --certificates      throw-away: made in memory, its CA written below .waymark/ (the default);
                      self: of an own CA, kept in a Secret and published to the webhook configurations;
                      DIR: tls.crt, tls.key and perhaps ca.crt, followed as they change
  --audit             judge what is stored, too, and report it, where this replica holds the Lease
  --backfill          report: count the stored entries that the policy would bind if they were written today;
                      apply: bind them, one after the other, and stop at the first that istiod does not call bound
  --bootstrap         make the validating webhook fail closed once a canary was really denied
  --backstop          tell in /readyz and /metrics whether the admission policies are there and of this version;
                      full: and keep the table that some of them read
  --client-ca FILE    ask for a client certificate that these CAs verify, followed as they change
  --client-name NAME  and that bears this name, such as kube-apiserver; may be given several times
  --tls-min-version   the oldest TLS version that is spoken (1.3)

Logs: in a pod as JSON on standard output, which has nothing else; otherwise on standard error, as text on a terminal.

How this installation is known to its cluster, for --certificates self and --bootstrap:

  --namespace NS      its namespace (POD_NAMESPACE, else waymark-system)
  --service NAME      its Service (waymark)
  --secret NAME       the Secret of its CA (waymark-ca)
  --webhooks NAME     both its webhook configurations (waymark)
  --name HOST         by which the API server calls it, where that is not through the Service
  --replicas LIST     where all replicas listen, where they are not endpoints of the Service

Exit: 0 drained after a signal, 64 usage, 65 unreadable configuration or world, 70 fault or requests cut,
      128 and its number after a second signal (SIGTERM, SIGINT, SIGHUP)`;

/** `waymark serve`: the webhook. */
export const serve: Verb = {
	summary: "Serve the admission webhooks, standalone or for a cluster",
	usage,
	run: async (argv, streams) => {
		const signals = streams.signals ?? catchSignals();
		const environment = readEnvironment();
		const options = readOptions(argv, environment);
		// Loaded here, so that no other verb, and no mistake in the arguments, pays for a server.
		const [{ serveWebhook }, { createLog }, { WorldError }] = await Promise.all([
			import("../serve/serve.ts"),
			import("../serve/log.ts"),
			import("../serve/world.ts"),
		]);
		// A pod's log is for collectors, some of which take whatever comes by standard error for an error.
		const isPod = options.world === undefined && options.kubeconfig === undefined;
		const log = createLog(environment.logLevel, {
			descriptor: isPod ? 1 : 2,
			isForPeople: !isPod && streams.progress !== undefined,
		});
		try {
			const { cut } = await serveWebhook(
				options,
				log,
				(serving) => (isPod ? undefined : announce(options, serving, streams)),
				signals,
			);
			const code = cut === 0 ? exitCodes.clean : exitCodes.fault;
			// What a start that was broken off had begun may still hold the process.
			signals.end(code);
			return code;
		} catch (error) {
			if (error instanceof WorldError) {
				streams.error(`waymark: ${error.message}\n`);
				return exitCodes.unreadable;
			}
			const reason = listenFailure(error, options);
			if (reason !== undefined) {
				streams.error(`waymark: ${reason}\n`);
				return exitCodes.fault;
			}
			throw error;
		} finally {
			log.flush();
		}
	},
};

/** Why an address cannot be listened on, and which flag names another; undefined for any other error. */
function listenFailure(error: unknown, { listen, operations }: ServeOptions): string | undefined {
	if (!(error instanceof Error) || !("syscall" in error)) {
		return undefined;
	}
	if (error.syscall === "getaddrinfo" && "hostname" in error) {
		const host = String(error.hostname);
		const flag = host === operations.host && host !== listen.host ? "--operations" : "--listen";
		return `Cannot listen on ${mention(host)}: no such host (${flag} HOST:PORT names another)`;
	}
	if (error.syscall !== "listen") {
		return undefined;
	}
	const { code, address, port } = error as NodeJS.ErrnoException & {
		readonly address?: string;
		readonly port?: number;
	};
	const where = port === undefined ? `${address}` : `${address}:${port}`;
	const flag = port === operations.port && port !== listen.port ? "--operations" : "--listen";
	switch (code) {
		case "EADDRINUSE":
			return `Cannot listen on ${where}: something else does already (${flag} HOST:PORT names another)`;
		case "EACCES":
			return `Cannot listen on ${where}: this user may not`;
		case "EADDRNOTAVAIL":
			return `Cannot listen on ${where}: no interface has this address`;
		default:
			return `Cannot listen on ${where}: ${code}`;
	}
}

function readOptions(argv: readonly string[], environment: Environment): ServeOptions {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			world: { type: "string" },
			kubeconfig: { type: "string" },
			config: { type: "string" },
			docs: { type: "string" },
			certificates: { type: "string" },
			bootstrap: { type: "boolean", default: false },
			audit: { type: "boolean", default: false },
			backfill: { type: "string" },
			backstop: { type: "string" },
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
	if (values.world !== undefined && (values.certificates === "self" || values.bootstrap || values.audit)) {
		throw new UsageError("--certificates self, --bootstrap and --audit need a cluster, and --world has none");
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
		variables: environment.variables,
		apiServer: { host: environment.kubernetesHost, port: environment.kubernetesPort },
		config: values.config,
		docs: values.docs,
		certificates: values.certificates ?? "throw-away",
		bootstrap: values.bootstrap,
		audit: values.audit,
		backfill: readBackfill(values.backfill, values.audit),
		identity: environment.podName ?? `${hostname()}-${process.pid}`,
		backstop: readBackstop(values.backstop, values.world),
		demands: {
			minVersion: `TLSv${minVersion}`,
			clientCaFile: values["client-ca"],
			clientNames: values["client-name"],
		},
		installation: {
			namespace: values.namespace ?? environment.podNamespace ?? "waymark-system",
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

function readBackfill(extent: string | undefined, isAuditing: boolean): ServeOptions["backfill"] {
	if (extent === undefined) {
		return undefined;
	}
	if (extent !== "report" && extent !== "apply") {
		throw new UsageError(`--backfill must be report or apply, and is ${JSON.stringify(extent)}`);
	}
	if (!isAuditing) {
		throw new UsageError("--backfill needs --audit: the replica that audits does it");
	}
	return extent;
}

function readBackstop(extent: string | undefined, world: string | undefined): ServeOptions["backstop"] {
	if (extent === undefined) {
		return undefined;
	}
	if (extent !== "validate" && extent !== "full") {
		throw new UsageError(`--backstop must be validate or full, and is ${JSON.stringify(extent)}`);
	}
	if (world !== undefined) {
		throw new UsageError("--backstop needs a cluster, and --world has none");
	}
	return { extent, version: ownVersion() };
}

function readAddress(text: string, flag: string): Address {
	const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
	const host = match?.[1] ?? (match?.[2] || anyAddress());
	const port = Number(match?.[3]);
	if (match === null || port > 65535) {
		throw new UsageError(`${flag} must be HOST:PORT, and is ${JSON.stringify(text)}`);
	}
	return { host, port };
}

/** Says on standard output where the webhook answers, once it does. */
function announce(options: ServeOptions, serving: Serving, streams: Streams): void {
	streams.out(
		[
			`Webhook:    https://${serving.webhook}`,
			`CA:         ${serving.caFile}`,
			`Operations: http://${serving.operations}`,
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
