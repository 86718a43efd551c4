import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import type { ClusterState } from "../core/cluster-state.ts";
import { kindOfObject } from "../core/kinds.ts";
import type { WaypointReference } from "../core/settings.ts";
import { parseWaypointReference } from "../core/settings.ts";
import { judgeManifests } from "../lint/judge.ts";
import type { Manifest, Reading } from "../manifests/read.ts";
import { addToWorld, namespaceOf, parseManifests, readManifests, worldOf } from "../manifests/read.ts";
import { count, renderHtml, renderMarkdown } from "../migrate/document.ts";
import { fieldsOf, textOf } from "../migrate/fields.ts";
import type { HeldMigration } from "../migrate/hold-back.ts";
import { holdBack } from "../migrate/hold-back.ts";
import type { InputObject, Output } from "../migrate/input-object.ts";
import { outputKey } from "../migrate/input-object.ts";
import type { Migration } from "../migrate/migrate.ts";
import { migrate as convert } from "../migrate/migrate.ts";
import type { Clients, InputFinding } from "../migrate/report.ts";
import { countOutcomes, nameForPrograms, reportOf, reportTitle } from "../migrate/report.ts";
import type { StageName } from "../migrate/verify.ts";
import { stageNames } from "../migrate/verify.ts";
import { rules } from "../rules/table.ts";
import { fileFault } from "../settings/file-fault.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { clusterUsage, readAccess } from "./cluster-access.ts";
import { readClusterManifests } from "./cluster-manifests.ts";
import { meshConfigurationOf } from "./mesh-configuration.ts";
import { continuedText, freshText, originalText } from "./migrated-text.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { readSettings, worldArguments } from "./world.ts";

const usage = `Usage: waymark migrate [FILE|DIR|-]... [--out DIR] [--waypoint NAMESPACE/NAME] [--config FILE]
                       [--output text|json]
       waymark migrate --cluster [--kubeconfig FILE] [--out DIR] ...
       waymark migrate --verify --cluster [--kubeconfig FILE] [--out DIR] [--stage STAGE] [--output text|json]

Finds sidecar-style egress in manifests, or in a live cluster, and writes what takes its place in ambient: 1-add/ to apply at any time,
2-switch/ to apply when the clients move, 3-remove/ to delete at the end, and REPORT.md and REPORT.html with everything that was
carried over, is not needed any more, or could not be carried, and why. It never writes to a cluster.

${clusterUsage}
  --out DIR           where to write (default waymark-migration), which must be empty or not exist
  --verify            say how far the cluster is with what an earlier run wrote to --out: what is done, what is missing,
                      what the next stage would break; read-only
  --stage STAGE       with --verify: exit 0 when everything up to 1-add, 2-switch or 3-remove is done, or with back, when
                      everything is as it was before
  --waypoint          the waypoint to bind to; else the policy's, one of the input, or a new one for each namespace
  --clients TEXT      where the clients are: ambient=NAMESPACE,... or sidecar=NAMESPACE,..., may be repeated
  --config FILE       the cluster configuration
  --output json       the result for programs on the standard output (docs/schemas/migrate.schema.json, verify.schema.json)

Exit: 0 everything carried, 1 something was not carried or held back, 64 usage, 65 unreadable input, 70 fault`;

interface Options {
	readonly paths: readonly string[];
	readonly out: string;
	readonly waypoint: WaypointReference | undefined;
	readonly config: string | undefined;
	readonly clients: Clients | undefined;
	readonly json: boolean;
	readonly cluster: boolean;
	readonly access: ClusterAccess;
	readonly verify: boolean;
	readonly stage: StageName | "back" | undefined;
}

/** `waymark migrate`: sidecar bundles in, ambient manifests and an honest report out. */
export const migrate: Verb = {
	summary: "Turn sidecar-style egress into ambient manifests",
	usage,
	async run(argv, streams) {
		const options = readOptions(argv);
		if (options.verify) {
			const { verifyMigration } = await import("./verify-migration.ts");
			return verifyMigration({ ...options, folder: options.out }, streams);
		}
		const settings = await readSettings(options.config);
		const { reading, facts, problem } = options.cluster
			? await readClusterManifests(options.access)
			: { reading: readManifests(options.paths), facts: {}, problem: undefined };
		if (problem !== undefined) {
			streams.error(`waymark: REGISTRY_ONLY of the whole mesh was not looked for: ${problem}\n`);
		}
		if (reading.manifests.length === 0 && reading.unreadable.length > 0) {
			streams.error(
				reading.unreadable
					.map(({ file, line, message }) => `waymark: ${file}:${line}: ${message}\n`)
					.join(""),
			);
			return exitCodes.unreadable;
		}
		const worldFor = (manifests: readonly Manifest[]): ClusterState => {
			const world = worldOf(manifests, settings);
			world.learn(facts);
			return world;
		};
		const inputs = new Map(reading.manifests.map((manifest) => [itemOf(manifest), manifest]));
		const world = worldFor(reading.manifests);
		const found = convert([...inputs.keys()], world, options.waypoint);
		const texts = textsOf(found, inputs);
		const migration = holdBack(found, refused(found, texts, reading, worldFor));
		const { outputs, withheld } = migration;
		const findings = findingsOf(reading, worldFor);
		const { istioMinor } = world.mesh;
		const report = reportOf(migration, { findings, clients: options.clients, istioMinor });
		const files = new Map<string, string>([
			...group(outputs, (output) => [`${output.stage}/${fileName(output.object)}`, texts.get(output) ?? ""]),
			...removalFiles(migration, inputs),
			...backFiles(migration, inputs),
			["REPORT.md", renderMarkdown(report)],
			["REPORT.html", renderHtml(reportTitle, report)],
		]);
		asDirectory(options.out, () => makeDirectory(options.out));
		write(options.out, files);
		const counts = countOutcomes(migration.bundles.flatMap((bundle) => bundle.ledger));
		streams.out(
			options.json
				? `${JSON.stringify(summaryOf(migration, reading), undefined, 2)}\n`
				: `${count(migration.bundles.length, "bundle")}; ${counts.carried} fields carried, ${counts.implied} implied, ${counts["not carried"]} not carried; ${count(withheld.length, "object")} held back\nRead ${join(options.out, "REPORT.md")}\n`,
		);
		for (const { file, line, message } of reading.notes) {
			streams.error(`note: ${file}:${line}: ${message}\n`);
		}
		for (const { file, line, message } of reading.unreadable) {
			streams.error(`${file}:${line}: ${message}\n`);
		}
		if (reading.unreadable.length > 0) {
			return exitCodes.unreadable;
		}
		const isWhole =
			counts["not carried"] === 0 &&
			withheld.length === 0 &&
			migration.bundles.every(({ isReplaced }) => isReplaced);
		return isWhole ? exitCodes.clean : exitCodes.findings;
	},
};

function readOptions(argv: readonly string[]): Options {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			out: { type: "string", default: "waymark-migration" },
			waypoint: { type: "string" },
			clients: { type: "string", multiple: true },
			output: { type: "string", short: "o", default: "text" },
			...worldArguments,
			verify: { type: "boolean", default: false },
			stage: { type: "string" },
		},
	});
	const access = readAccess(values);
	if (values.cluster && positionals.length > 0) {
		throw new UsageError("--cluster reads what is in the cluster: it takes no files");
	}
	if (positionals.length === 0 && !values.cluster) {
		throw new UsageError("migrate needs a file, a directory, or - for the standard input");
	}
	if (values.output !== "text" && values.output !== "json") {
		throw new UsageError("--output must be text or json");
	}
	const waypoint = values.waypoint === undefined ? undefined : parseWaypointReference(values.waypoint);
	if (values.waypoint !== undefined && waypoint === undefined) {
		throw new UsageError(`--waypoint must be NAMESPACE/NAME, and is ${JSON.stringify(values.waypoint)}`);
	}
	if (values.verify && !values.cluster) {
		throw new UsageError("--verify compares with a cluster: it needs --cluster");
	}
	const verified = [...stageNames, "back"] as const;
	const stage = verified.find((name) => name === values.stage);
	if (values.stage !== undefined && (stage === undefined || !values.verify)) {
		throw new UsageError(`--stage goes with --verify and must be one of ${verified.join(", ")}`);
	}
	if (!values.verify) {
		refuseUnusable(values.out);
	}
	return {
		paths: positionals,
		out: values.out,
		waypoint,
		config: values.config,
		clients: values.clients === undefined ? undefined : readClients(values.clients),
		json: values.output === "json",
		cluster: values.cluster,
		access,
		verify: values.verify,
		stage,
	};
}

/** Reads `ambient=NAMESPACE,NAMESPACE` and `sidecar=NAMESPACE`. */
function readClients(texts: readonly string[]): Clients {
	const found = { ambient: [] as string[], sidecar: [] as string[] };
	for (const text of texts) {
		const match = /^(ambient|sidecar)=([a-z0-9.,-]+)$/.exec(text);
		if (match === null) {
			throw new UsageError(
				`--clients must be ambient=NAMESPACE,… or sidecar=NAMESPACE,…, and is ${JSON.stringify(text)}`,
			);
		}
		const [, where, names = ""] = match;
		found[where === "ambient" ? "ambient" : "sidecar"].push(
			...names.split(",").filter((name) => name !== ""),
		);
	}
	return found;
}

const ownFamily: ReadonlySet<string> = new Set(
	rules.filter(({ family }) => family === "sidecar-egress").map(({ id }) => id),
);

/** What lint says of the input as it is, besides that it is sidecar-style egress. */
function findingsOf(
	reading: Reading,
	worldFor: (manifests: readonly Manifest[]) => ClusterState,
): readonly InputFinding[] {
	const { report } = judgeManifests(reading, {
		rules,
		inventory: worldFor(reading.manifests),
		today: new Date().toISOString().slice(0, 10),
		withReplacements: false,
	});
	return report.findings
		.filter(({ rule }) => !ownFamily.has(rule))
		.map(({ file, line, rule, severity, message }) => ({
			place: `${file}:${line}`,
			rule,
			severity,
			message,
		}));
}

function itemOf(manifest: Manifest): InputObject {
	const { kind, object, file } = manifest;
	const fields = fieldsOf(object);
	const metadata = fieldsOf(fields.metadata);
	const mesh = meshConfigurationOf(fields);
	return {
		kind,
		title: textOf(fields.kind) ?? "object",
		namespace: kind === undefined ? (textOf(metadata.namespace) ?? "default") : namespaceOf(kind, object),
		name: textOf(metadata.name) ?? textOf(metadata.generateName) ?? "",
		object: fields,
		file,
		line: manifest.position([]).line,
		...(mesh === undefined ? {} : { mesh }),
	};
}

function textsOf(
	migration: Migration,
	inputs: ReadonlyMap<InputObject, Manifest>,
): ReadonlyMap<Output, string> {
	return new Map(
		migration.outputs.map((output) => {
			const base = output.base === undefined ? undefined : inputs.get(output.base);
			return [output, base === undefined ? freshText(output) : continuedText(base, output)];
		}),
	);
}

/** Objects that Waymark's own rules would refuse in the world after the migration. */
function refused(
	migration: Migration,
	texts: ReadonlyMap<Output, string>,
	reading: Reading,
	worldFor: (manifests: readonly Manifest[]) => ClusterState,
): ReadonlyMap<Output, readonly string[]> {
	const going = new Set(migration.bundles.flatMap((bundle) => bundle.removals.map(({ object }) => object)));
	const staying = reading.manifests.filter(({ object }) => !going.has(fieldsOf(object)));
	const world = worldFor(staying);
	for (const { object } of migration.outputs) {
		addToWorld(world, kindOfObject(object), object as never);
	}
	const today = new Date().toISOString().slice(0, 10);
	const result = new Map<Output, readonly string[]>();
	for (const [output, text] of texts) {
		const judgement = judgeManifests(parseManifests(text, outputKey(output.object)), {
			rules,
			inventory: world,
			today,
			withReplacements: false,
		});
		const errors = judgement.report.findings.filter((finding) => finding.severity === "error");
		if (errors.length > 0) {
			result.set(
				output,
				errors.map(({ rule, path, message }) => `${rule} ${path}: ${message}`),
			);
		}
	}
	return result;
}

/** No part of a name that a user chose leaves its folder or surprises a file system. */
function fileName(object: Readonly<Record<string, unknown>>): string {
	const { namespace, name } = fieldsOf(object.metadata);
	const part = (value: unknown): string =>
		(textOf(value) ?? "")
			.toLowerCase()
			.replaceAll(/[^a-z0-9-]+/g, "-")
			.slice(0, 80);
	// The kind comes first, so that kubectl applies a DestinationRule and a waypoint before the entry that needs them.
	return `${part(object.kind)}.${part(namespace) || "default"}.${part(name) || "unnamed"}.yaml`;
}

function removalFiles(
	migration: Migration,
	inputs: ReadonlyMap<InputObject, Manifest>,
): ReadonlyMap<string, string> {
	const removals = [...new Set(migration.bundles.flatMap((bundle) => bundle.removals))];
	return group(removals, (input) => {
		const manifest = inputs.get(input);
		const text = manifest === undefined ? "" : originalText(manifest, input.namespace);
		return [`3-remove/${fileName(input.object)}`, text];
	});
}

/** The objects of the input that others continue under the same name, as they were. */
function backFiles(
	{ outputs }: Migration,
	inputs: ReadonlyMap<InputObject, Manifest>,
): ReadonlyMap<string, string> {
	const continued = [...new Set(outputs.flatMap(({ base }) => base ?? []))];
	return group(continued, (input) => {
		const manifest = inputs.get(input);
		const text = manifest === undefined ? "" : originalText(manifest, input.namespace);
		return [`back/${fileName(input.object)}`, text];
	});
}

/** Files of one name hold one document after the other. */
function group<T>(
	values: readonly T[],
	file: (value: T) => readonly [string, string],
): ReadonlyMap<string, string> {
	const files = new Map<string, string>();
	for (const value of values) {
		const [name, text] = file(value);
		const before = files.get(name);
		files.set(name, before === undefined ? text : `${before}---\n${text}`);
	}
	return files;
}

/** Refuses a directory for the result that cannot be one, or that something is in. */
function refuseUnusable(directory: string): void {
	if (existsSync(directory) && asDirectory(directory, () => readdirSync(directory)).length > 0) {
		throw new UsageError(`--out ${JSON.stringify(directory)} is not empty`);
	}
}

function asDirectory<T>(directory: string, use: () => T): T {
	try {
		return use();
	} catch (error) {
		throw new UsageError(`--out ${JSON.stringify(directory)} cannot be a directory: ${fileFault(error)}`);
	}
}

/** Makes a directory and those above it: Node's own recursion never ends where none can be made, as below /proc. */
function makeDirectory(path: string): void {
	if (!existsSync(path)) {
		makeDirectory(dirname(path));
		mkdirSync(path);
	}
}

function write(directory: string, files: ReadonlyMap<string, string>): void {
	for (const [name, text] of files) {
		const path = join(directory, name);
		makeDirectory(dirname(path));
		writeFileSync(path, text);
	}
}

function summaryOf(migration: HeldMigration, reading: Reading): object {
	const counts = countOutcomes(migration.bundles.flatMap((bundle) => bundle.ledger));
	return {
		version: 1,
		summary: {
			documents: reading.manifests.length,
			bundles: migration.bundles.length,
			written: migration.outputs.length,
			withheld: migration.withheld.length,
			carried: counts.carried,
			implied: counts.implied,
			notCarried: counts["not carried"],
		},
		bundles: migration.bundles.map((bundle) => ({
			hosts: bundle.bundle.hosts,
			objects: bundle.bundle.participants.map(({ input, role }) => ({ ...nameForPrograms(input), role })),
			written: bundle.outputs.map(({ stage, object, purpose }) => ({
				stage,
				file: fileName(object),
				purpose,
			})),
			remove: bundle.removals.map(nameForPrograms),
			steering: bundle.steering.map(nameForPrograms),
			notes: bundle.notes,
			ledger: bundle.ledger.map(({ input, path, outcome, note }) => ({
				object: nameForPrograms(input),
				path,
				fate: outcome,
				note,
			})),
		})),
		withheld: migration.withheld,
		unreadable: reading.unreadable.map(({ file, line, message }) => ({ file, line, message })),
	};
}
