import { parseArgs, styleText } from "node:util";
import type { Kind } from "../core/kinds.ts";
import { wrapped } from "../lint/format/wrap.ts";
import { traceReach } from "../reach/route.ts";
import type { TracedHost } from "../trace/hosts.ts";
import { traceAll } from "../trace/hosts.ts";
import type { Route } from "../trace/route.ts";
import type { StepMark } from "../trace/steps.ts";
import type { ClusterFlags } from "./cluster-access.ts";
import { contextNamespace, readAccess } from "./cluster-access.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { namespaceArgument, readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

const usage = `Usage: waymark trace HOST[:PORT] --from NAMESPACE [FILE|DIR|-]…
       waymark trace --all [FILE|DIR|-]…

Shows the way that a connection would take: which ServiceEntry answers for the host as seen from the namespace,
by which addresses ztunnel knows it, which waypoint it goes through or why none, what the namespace's policy says of it,
whether AuthorizationPolicies at the waypoint refuse it, and where it ends.

  --from NAMESPACE    the namespace of the client's pods, as does --namespace, -n; with --cluster, else the context's
  --service-account NAME  the client's service account; else any of the namespace's
  --all               one line for each host of each ServiceEntry instead
${worldUsage}
  --output text|json  json is described by docs/schemas/trace.schema.json

Exit: 0, 64 usage, 65 unreadable input, 70 fault`;

/** What a way depends on. */
const kinds: readonly Kind[] = [
	"ServiceEntry",
	"WorkloadEntry",
	"KubernetesGateway",
	"GatewayClass",
	"Namespace",
	"Service",
	"AuthorizationPolicy",
];

/** `waymark trace`: the way that connections take. */
export const trace: Verb = {
	summary: "Show which way a connection would take, and why",
	usage,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				from: { type: "string" },
				"service-account": { type: "string" },
				all: { type: "boolean", default: false },
				...worldArguments,
				...namespaceArgument,
				output: { type: "string", default: "text" },
			},
		});
		if (values.output !== "text" && values.output !== "json") {
			throw new UsageError("--output must be text or json");
		}
		const target = values.all ? undefined : readTarget(positionals[0], await readFrom(values));
		if (values.all && values.namespace !== undefined) {
			throw new UsageError("--all shows the hosts of every namespace: it takes no --namespace");
		}
		const paths = values.all ? positionals : positionals.slice(1);
		const world = await readWorld("trace", paths, values, kinds, streams);
		if (world === undefined) {
			return exitCodes.unreadable;
		}
		const isJson = values.output === "json";
		if (target === undefined) {
			const hosts = traceAll(world);
			streams.out(isJson ? json({ version: 1, hosts }) : table(hosts, streams));
		} else {
			const route = traceReach({ ...target, serviceAccount: values["service-account"] }, world, readToday());
			streams.out(isJson ? json({ version: 1, ...route }) : ladder(route, streams));
		}
		return exitCodes.clean;
	},
};

function json(value: unknown): string {
	return `${JSON.stringify(value, undefined, "\t")}\n`;
}

/** Where the client is: as a flag says, else where the kubeconfig's context is. */
async function readFrom(values: TraceFlags): Promise<string | undefined> {
	const { from, namespace, cluster } = values;
	if (from !== undefined && namespace !== undefined && from !== namespace) {
		throw new UsageError("--from and --namespace name the same: give one of them");
	}
	return from ?? namespace ?? (cluster ? await contextNamespace(readAccess(values)) : undefined);
}

interface TraceFlags extends ClusterFlags {
	readonly from?: string | undefined;
	readonly namespace?: string | undefined;
}

function readTarget(
	text: string | undefined,
	from: string | undefined,
): { readonly host: string; readonly port: number | undefined; readonly from: string } {
	if (text === undefined || text === "") {
		throw new UsageError("trace needs a HOST, or --all");
	}
	if (from === undefined || from === "") {
		throw new UsageError("trace needs --from NAMESPACE: who answers depends on where the client is");
	}
	// An IPv6 address has colons of its own; with a port it stands in brackets.
	const match = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^([^:]+)(?::(\d{1,5}))?$/.exec(text);
	const host = match?.[1] ?? (text.includes("::") || text.split(":").length === 8 ? text : undefined);
	const port = match?.[2] === undefined ? undefined : Number(match[2]);
	if (host === undefined || (port !== undefined && (port < 1 || port > 65535))) {
		throw new UsageError(`${JSON.stringify(text)} is not HOST or HOST:PORT`);
	}
	return { host, port, from };
}

type Format = Parameters<typeof styleText>[0];

function paint(streams: Streams, format: Format, text: string): string {
	return streams.colour ? styleText(format, text, { validateStream: false }) : text;
}

/** One line for each host, in columns, and how many go which way. */
function table(hosts: readonly TracedHost[], streams: Streams): string {
	const widest = (of: (host: TracedHost) => string): number =>
		Math.min(60, Math.max(0, ...hosts.map((each) => of(each).length)));
	const widths = [
		widest(({ namespace, name }) => `${namespace}/${name}`),
		widest(({ host }) => host),
	] as const;
	const lines = hosts.map((each) => line(each, widths, streams));
	const uncaptured = hosts.filter(({ capture }) => !capture.captured).length;
	const governed = hosts.filter((each) => each.capture.captured && each.binding.waypoint !== null).length;
	const direct = hosts.length - uncaptured - governed;
	const summary = [
		`${hosts.length} ${hosts.length === 1 ? "host" : "hosts"}: ${governed} through a waypoint`,
		`${direct} directly`,
		`${uncaptured} not captured`,
	].join(", ");
	return `${[...lines, ...(hosts.length === 0 ? [] : [""]), paint(streams, "bold", summary)].join("\n")}\n`;
}

function line(
	{ namespace, name, host, binding, capture }: TracedHost,
	[first, second]: readonly [number, number],
	streams: Streams,
): string {
	const isGoverned = capture.captured && binding.waypoint !== null;
	const way = !capture.captured
		? `not captured: ${capture.reason}`
		: binding.waypoint === null
			? `directly${binding.reason === "" ? ": no waypoint is asked for" : `: ${binding.reason}`}`
			: `through ${binding.waypoint}${capture.canonical ? "" : ` (clients of ${namespace} only)`}`;
	const mark = isGoverned ? paint(streams, "green", "✓") : paint(streams, "red", "✗");
	const entry = `${namespace}/${name}`.padEnd(first);
	return `${mark} ${entry}  ${paint(streams, "bold", host)}${" ".repeat(Math.max(0, second - host.length))}  ${way}`;
}

const glyphs: { readonly [M in StepMark]: { readonly glyph: string; readonly format: Format } } = {
	good: { glyph: "✓", format: "green" },
	bad: { glyph: "✗", format: "red" },
	note: { glyph: "•", format: "yellow" },
};

function ladder({ host, port, from, steps, outcome }: Route, streams: Streams): string {
	const title = `${host}${port === undefined ? "" : `:${port}`} from ${from}`;
	const lines = [paint(streams, "bold", title), ""];
	for (const { mark, text, details } of steps) {
		const { glyph, format } = glyphs[mark];
		const [first = "", ...rest] = wrapped(text, streams.width, "    ");
		lines.push(`  ${paint(streams, format, glyph)} ${first.slice(4)}`, ...rest);
		for (const detail of details) {
			lines.push(
				...wrapped(detail, streams.width, "      ").map(
					(each) => `  ${paint(streams, "dim", "│")}   ${paint(streams, "dim", each.slice(6))}`,
				),
			);
		}
	}
	const format = outcome.kind === "waypoint" ? "green" : "red";
	lines.push("", `  ${paint(streams, ["bold", format], `→ ${outcome.text}`)}`, "");
	return lines.join("\n");
}
