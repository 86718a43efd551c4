import { parseArgs } from "node:util";
import { quote } from "../core/finding.ts";
import type { Change, WrittenInventory } from "../inventory/diff.ts";
import { changesMarkdown, changesText, compareInventories } from "../inventory/diff.ts";
import { inventoryCsv, inventoryJson, inventoryMarkdown, inventoryText } from "../inventory/formats.ts";
import { inventoryHtml } from "../inventory/map.ts";
import { clustersOf, mergeInventories } from "../inventory/merge.ts";
import type { Table } from "../inventory/rows.ts";
import { ofNamespace, tabulate } from "../inventory/rows.ts";
import { readWhole } from "../manifests/whole-file.ts";
import { reachKinds, readReach } from "../reach/reach.ts";
import { fileFault } from "../settings/file-fault.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { namespaceArgument, readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

const formats = ["text", "json", "csv", "markdown", "html"] as const;
type Format = (typeof formats)[number];

const usage = `Usage: waymark inventory [FILE|DIR|-]…
       waymark inventory --cluster
       waymark inventory --diff OLD.json [FILE|DIR|-]…
       waymark inventory --merge A.json B.json …

Lists every port of every host outside the cluster: who may reach it by the policies of namespaces, who can, by which
way, who declares it, and by whose word.

${worldUsage}
  --namespace, -n NS  only what a namespace declares, may reach or can reach, in the world of all
  --output text|json|csv|markdown|html
                      json is described by docs/schemas/inventory.schema.json; html is a map in one file
  --name NAME         what to call the cluster; else what the configuration says under audit.cluster
  --compact           in json, write sets of namespaces as * and -NAME where that is shorter
  --diff OLD.json     what changed since: added, removed, widened, narrowed (text, json or markdown)
  --exit-code         with --diff, exit with 1 when something changed
  --merge             the arguments are inventories: join them into one

Exit: 0, 1 with --exit-code, 64 usage, 65 unreadable input, 70 fault`;

interface Options {
	readonly output: Format;
	readonly name: string | null;
	readonly compact: boolean;
	readonly diff: string | undefined;
	readonly exitCode: boolean;
}

/** `waymark inventory`: who may and who can reach what. */
export const inventory: Verb = {
	summary: "List who may and who can reach which host, and by whose word",
	usage,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				...worldArguments,
				...namespaceArgument,
				output: { type: "string", short: "o" },
				name: { type: "string" },
				compact: { type: "boolean", default: false },
				diff: { type: "string" },
				"exit-code": { type: "boolean", default: false },
				merge: { type: "boolean", default: false },
			},
		});
		const options: Options = {
			output: readFormat(values.output ?? (values.merge ? "json" : "text")),
			name: values.name ?? null,
			compact: values.compact,
			diff: values.diff,
			exitCode: values["exit-code"],
		};
		if (values.namespace !== undefined && (values.merge || values.diff !== undefined)) {
			throw new UsageError("--diff and --merge are about whole inventories: they take no --namespace");
		}
		if (values.merge) {
			return merge(positionals, options, streams);
		}
		// Read first: a comparison that cannot be made should not cost a cluster's listing.
		const old = options.diff === undefined ? undefined : readInventory(options.diff, streams);
		if (old === "unreadable") {
			return exitCodes.unreadable;
		}
		const world = await readWorld("inventory", positionals, values, reachKinds, streams);
		if (world === undefined) {
			return exitCodes.unreadable;
		}
		const today = readToday();
		const name = options.name ?? world.settings.audit.cluster ?? null;
		const whole = tabulate(readReach(world, today), world, today, name);
		const table = values.namespace === undefined ? whole : ofNamespace(whole, values.namespace);
		if (values.namespace !== undefined && !whole.namespaces.includes(values.namespace)) {
			streams.error(
				`waymark: note: there is no namespace ${JSON.stringify(values.namespace)} in what was read\n`,
			);
		}
		if (old !== undefined) {
			return showChanges(compareInventories(old, asWritten(table)), options, streams);
		}
		for (const piece of write(table, options, streams.width)) {
			streams.out(piece);
		}
		return exitCodes.clean;
	},
};

function readFormat(text: string): Format {
	const found = formats.find((format) => format === text);
	if (found === undefined) {
		throw new UsageError(`--output must be one of ${formats.join(", ")}, and is ${JSON.stringify(text)}`);
	}
	return found;
}

function write(table: Table, { output, compact }: Options, width: number | undefined): Iterable<string> {
	switch (output) {
		case "text":
			return [inventoryText(table, width)];
		case "json":
			return inventoryJson(table, compact ? "compact" : "names");
		case "csv":
			return [inventoryCsv(table)];
		case "markdown":
			return [inventoryMarkdown(table)];
		case "html":
			return [inventoryHtml(table)];
	}
}

function asWritten(table: Table): WrittenInventory {
	return JSON.parse([...inventoryJson(table, "compact")].join("")) as WrittenInventory;
}

function showChanges(changes: readonly Change[], options: Options, streams: Streams): number {
	switch (options.output) {
		case "text":
			streams.out(changesText(changes));
			break;
		case "markdown":
			streams.out(changesMarkdown(changes));
			break;
		case "json":
			streams.out(`${JSON.stringify({ version: 1, changes }, undefined, "\t")}\n`);
			break;
		default:
			throw new UsageError("--diff is shown as text, json or markdown");
	}
	return options.exitCode && changes.length > 0 ? exitCodes.findings : exitCodes.clean;
}

function merge(files: readonly string[], { output }: Options, streams: Streams): number {
	if (files.length === 0 || output !== "json") {
		throw new UsageError("--merge takes inventories in JSON, and writes one: --output json A.json B.json …");
	}
	const all = files.map((file) => readInventory(file, streams));
	const read = all.filter((each) => each !== "unreadable");
	if (read.length < all.length) {
		return exitCodes.unreadable;
	}
	const clusters = clustersOf(read);
	const second = clusters.findIndex((cluster, index) => clusters.indexOf(cluster) < index);
	const first = clusters.indexOf(clusters[second] ?? "");
	if (second >= 0) {
		// Rows of one cluster on two days, or of two clusters, could not be told apart.
		streams.error(
			`waymark: ${files[second]}: calls its cluster ${quote(clusters[second] ?? "")}, as ${files[first]} does; write one of them with another --name\n`,
		);
		return exitCodes.unreadable;
	}
	streams.out(`${JSON.stringify(mergeInventories(read), undefined, "\t")}\n`);
	return exitCodes.clean;
}

function readInventory(file: string, streams: Streams): WrittenInventory | "unreadable" {
	try {
		const content: unknown = JSON.parse(readWhole(file === "-" ? 0 : file).toString("utf8"));
		if (isInventory(content)) {
			return content;
		}
		streams.error(`waymark: ${file}: is not what waymark inventory --output json writes\n`);
	} catch (error) {
		streams.error(`waymark: ${file}: ${fileFault(error)}\n`);
	}
	return "unreadable";
}

function isInventory(content: unknown): content is WrittenInventory {
	if (typeof content !== "object" || content === null) {
		return false;
	}
	const { version, cluster = null, hosts, namespaces } = content as Readonly<Record<string, unknown>>;
	const areTexts = (value: unknown): boolean =>
		Array.isArray(value) && value.every((item) => typeof item === "string");
	return (
		version === 1 &&
		(cluster === null || typeof cluster === "string") &&
		areTexts(namespaces) &&
		Array.isArray(hosts) &&
		hosts.every(
			(row: unknown) =>
				typeof row === "object" &&
				row !== null &&
				"host" in row &&
				typeof row.host === "string" &&
				"port" in row &&
				typeof row.port === "number" &&
				"protocol" in row &&
				typeof row.protocol === "string" &&
				"can" in row &&
				areTexts(row.can),
		)
	);
}
