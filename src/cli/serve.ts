import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { destination, pino } from "pino";
import { throwAwayCertificate } from "../certificates/source.ts";
import { loadSettings, readEnvironment } from "../config.ts";
import { createEngine } from "../core/evaluate.ts";
import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import { rules } from "../rules/table.ts";
import { createWebhook } from "../server/app.ts";
import type { Drain } from "../server/drain.ts";
import { defaultDrainTimes, installDrain } from "../server/drain.ts";
import { createMetrics } from "../server/metrics.ts";
import { installOverload } from "../server/overload.ts";
import type { Check } from "../server/probes.ts";
import { createOperations } from "../server/probes.ts";
import { untilSignalled } from "../server/signals.ts";
import { applyCertificates, tlsContext } from "../server/tls.ts";
import type { Streams, Verb } from "./io.ts";
import { exitCodes, UsageError } from "./io.ts";
import { followDirectory } from "./world-directory.ts";

const usage = `Usage: waymark serve [--world DIR | --kubeconfig FILE] [--config FILE]
                     [--listen HOST:PORT] [--operations HOST:PORT]

Serves POST /mutate and POST /validate over HTTPS, and /livez, /readyz and /metrics on the operations port.

  --world DIR         take the cluster from the YAML files below DIR, with a throw-away certificate
  --kubeconfig FILE   follow the API server that FILE names; with neither, the one around this pod
  --config FILE       the cluster configuration
  --listen            127.0.0.1:8443 with --world, else 0.0.0.0:8443; port 0 takes any free one
  --operations        127.0.0.1:8081 with --world, else 0.0.0.0:8081

Exit: 0 after a signal, 64 usage, 65 unreadable configuration or world, 70 fault`;

interface Address {
	readonly host: string;
	readonly port: number;
}

interface Options {
	readonly world: string | undefined;
	readonly kubeconfig: string | undefined;
	readonly config: string | undefined;
	readonly listen: Address;
	readonly operations: Address;
}

/** `waymark serve`: the webhook. */
export const serve: Verb = {
	summary: "Serve the admission webhooks, standalone or for a cluster",
	usage,
	run: (argv, streams) => {
		const options = readOptions(argv);
		if (options.world === undefined) {
			throw new UsageError("serve needs --world DIR");
		}
		return serveDirectory(options, options.world, streams);
	},
};

function readOptions(argv: readonly string[]): Options {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			world: { type: "string" },
			kubeconfig: { type: "string" },
			config: { type: "string" },
			listen: { type: "string" },
			operations: { type: "string" },
		},
	});
	if (values.world !== undefined && values.kubeconfig !== undefined) {
		throw new UsageError("--world and --kubeconfig exclude each other");
	}
	const host = values.world === undefined ? "0.0.0.0" : "127.0.0.1";
	return {
		world: values.world,
		kubeconfig: values.kubeconfig,
		config: values.config,
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

function readSettings(file: string | undefined): Settings {
	return file === undefined ? defaultSettings : loadSettings(file, new Set(rules.map((rule) => rule.id)));
}

/** Lines are dropped rather than waited for when nobody reads them: a stalled reader must not stall admission. */
function createLog(): Logger {
	const { logLevel } = readEnvironment();
	return pino({ level: logLevel, base: null }, destination({ dest: 2, sync: false, maxLength: 1 << 20 }));
}

/** config → state → certificate → app → listen → drain, on a world of files. */
async function serveDirectory(options: Options, directory: string, streams: Streams): Promise<number> {
	const log = createLog();
	const settings = readSettings(options.config);
	const world = followDirectory(directory, settings, (status) => {
		for (const problem of status.problems) {
			log.error({ problem }, "world not read, the last good one is kept");
		}
		if (status.problems.length === 0) {
			log.info({ objects: status.objects }, "world read");
		}
	});
	const { problems } = world.status();
	if (problems.length > 0) {
		await world.stop();
		streams.error(
			`waymark: Cannot read the world below ${directory}:\n${problems.map((each) => `  ${each}\n`).join("")}`,
		);
		return exitCodes.unreadable;
	}
	const certificate = await throwAwayCertificate({
		names: [
			"localhost",
			"127.0.0.1",
			"::1",
			...(options.listen.host === "0.0.0.0" ? [] : [options.listen.host]),
		],
		directory: ".waymark",
	});
	const metrics = createMetrics();
	const hooks: { drain?: Drain; stopOverload?: () => void } = {};
	const { app, server } = createWebhook({
		engine: createEngine(rules),
		inventory: world.state,
		metrics,
		log,
		tls: tlsContext(certificate.current()),
		before: (instance) => {
			hooks.stopOverload = installOverload(instance).stop;
			// Nobody has to find another replica: what is being answered is finished, and that is all.
			hooks.drain = installDrain(instance, { ...defaultDrainTimes, quietMs: 50, refuseMs: 50 });
		},
	});
	const applied = applyCertificates(server, certificate);
	const checks = (): readonly Check[] => {
		const status = world.status();
		return [
			{ name: "listening", ok: server.listening, detail: addressOf(app) },
			{
				name: "world",
				ok: true,
				detail: status.problems[0] ?? `${status.objects} objects`,
				...(status.problems.length > 0 ? { advisory: true as const } : {}),
			},
			{ name: "drain", ok: hooks.drain?.state() === "serving", detail: hooks.drain?.state() ?? "unknown" },
		];
	};
	const operations = createOperations(checks, metrics);
	await app.listen(options.listen);
	await operations.listen(options.operations);
	announce(streams, app, operations, certificate.caFile ?? "");
	return untilSignalled(async () => {
		await hooks.drain?.begin();
		hooks.stopOverload?.();
		applied.stop();
		await operations.close();
		await certificate.stop();
		await world.stop();
		log.flush();
		return exitCodes.clean;
	});
}

function announce(streams: Streams, app: FastifyInstance, operations: FastifyInstance, caFile: string): void {
	const url = `https://${addressOf(app)}`;
	streams.out(
		[
			`Webhook:    ${url}`,
			`CA:         ${caFile}`,
			`Operations: http://${addressOf(operations)}`,
			"",
			"Try it from another terminal:",
			"  npm run -s try -- docs/try/plain-service-entry.yaml     gets bound to its waypoint",
			"  npm run -s try -- docs/try/refused-by-policy.yaml       is refused by the namespace's policy",
			"  npm run -s try -- docs/try/sidecar-bundle.yaml          is refused: sidecar-style egress",
			"",
		].join("\n"),
	);
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
