import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Gaps } from "../core/gaps.ts";
import type { Inventory } from "../core/inventory.ts";
import { alteredInventory } from "../core/inventory.ts";
import type { AuthorizationPolicy, Kind, Resources } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import { ambientStances, modes } from "../core/settings.ts";
import { generatePolicies } from "../export/authorization-policies.ts";
import type { Baseline } from "../lint/baseline.ts";
import {
	BaselineError,
	baselineOf,
	compareWithBaseline,
	readBaseline,
	staleNotes,
	writeBaseline,
} from "../lint/baseline.ts";
import { formatGithub } from "../lint/format/github.ts";
import { formatGitlab } from "../lint/format/gitlab.ts";
import { formatJson } from "../lint/format/json.ts";
import { formatJunit } from "../lint/format/junit.ts";
import { formatSarif } from "../lint/format/sarif.ts";
import { formatText } from "../lint/format/text.ts";
import { impactOf } from "../lint/impact.ts";
import type { Assumption, Judgement } from "../lint/judge.ts";
import { assuming, judgeManifests } from "../lint/judge.ts";
import type { LintReport } from "../lint/report.ts";
import { withFileNames } from "../lint/report.ts";
import { fixFiles } from "../manifests/fix.ts";
import type { Manifest, Reading } from "../manifests/read.ts";
import { worldOf } from "../manifests/read.ts";
import { readWhole } from "../manifests/whole-file.ts";
import { findGaps } from "../reach/gaps.ts";
import { reachKinds, readReach } from "../reach/reach.ts";
import { rules } from "../rules/table.ts";
import { fileFault } from "../settings/file-fault.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { clusterUsage, readAccess } from "./cluster-access.ts";
import { clusterManifests, readCluster } from "./cluster-world.ts";
import type { Input, InputChoice } from "./lint-input.ts";
import { readInput, repositoryPaths } from "./lint-input.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { ownVersion } from "./version.ts";
import { namespaceArgument, readSettings, showingProgress, worldArguments } from "./world.ts";

const formats = ["text", "json", "junit", "sarif", "github", "gitlab"] as const;
type Format = (typeof formats)[number];

const usage = `Usage: waymark lint [FILE|DIR|-]... [--output ${formats.join("|")}] [--config FILE]
                    [--context FILE|DIR]... [--exclude PATTERN]... [--allow-empty]
                    [--assume ambient=enforced|permitted] [--strict] [--fix]
                    [--baseline FILE [--write-baseline]]
       waymark lint --cluster [--namespace NS] [--output ...] [--config FILE] [--assume ...] [--strict]
                    [--baseline FILE [--write-baseline]]

Judges manifests by the same rules as the webhook. Directories are read with everything below them, - is the
standard input. Namespaces in the input bring their annotations. What .waymarkignore names, as .gitignore does, is
left out. A comment "# waymark:ignore RULE reason until=YYYY-MM-DD" in a document silences a rule for it, for good
where it has no date.

${clusterUsage}
  --namespace, -n NS  with --cluster, judge the objects of one namespace, in the world of all
  --output FORMAT     text (default), json, junit, sarif, github for annotations in GitHub Actions, or gitlab for
                      Code Quality; the last three name files from the root of the repository
  --context DIR       read Namespaces, waypoints and all else there without judging it; may be given several times
  --exclude PATTERN   leave files out, as a line of .gitignore does; may be given several times
  --allow-empty       nothing to judge is no mistake
  --config FILE       the cluster configuration
  --assume            judge every namespace as if its annotation said so: ambient=…, or mode=enforce|warn|audit|off; may
                      be given for both. With --cluster, ends with what that changes, by namespace
  --baseline FILE     findings that FILE knows count as none; what it knows and is no longer found is said
  --write-baseline    write FILE: at first all that is found, afterwards only without what is no longer found
  --strict            warnings count as errors
  --fix               write the fixes of fixable findings back to the files

Exit: 0 clean, 1 errors (or warnings with --strict), 64 usage, 65 unreadable input or nothing judged, 70 fault`;

interface Options {
	readonly input: InputChoice;
	readonly allowEmpty: boolean;
	readonly output: Format;
	readonly config: string | undefined;
	readonly assumption: Assumption | undefined;
	readonly baseline: string | undefined;
	readonly writeBaseline: boolean;
	readonly strict: boolean;
	readonly fix: boolean;
	/** The cluster to judge; undefined: files are judged. */
	readonly cluster: ClusterAccess | undefined;
	/** The one namespace whose objects are judged; undefined: all. */
	readonly namespace: string | undefined;
}

/** `waymark lint`: the rules on files, or on what is in a cluster. */
export const lint: Verb = {
	summary: "Judge manifests by the rules of the webhook",
	usage,
	async run(argv, streams) {
		const options = readOptions(argv);
		const started = performance.now();
		const settings = await readSettings(options.config);
		let baseline: ReturnType<typeof openBaseline>;
		try {
			baseline = openBaseline(options);
		} catch (error) {
			if (error instanceof BaselineError) {
				streams.error(`waymark: ${error.message}\n`);
				return exitCodes.unreadable;
			}
			throw error;
		}
		const missing = options.cluster ? [] : missingPaths(options);
		if (missing.length > 0) {
			streams.error(missing.map((path) => `waymark: ${path}: no such file or directory\n`).join(""));
			return exitCodes.unreadable;
		}
		const found = options.cluster
			? await judgeCluster(options.cluster, options, settings, streams)
			: judgeFiles(options, settings, streams);
		const judgement = baseline === undefined ? found : baseline(found, streams);
		streams.out(render(judgement, { ...options, settings }, streams, (performance.now() - started) / 1000));
		return exitCode(judgement.report, options.strict);
	},
};

/** Judges files, after they were fixed where that is asked for. */
function judgeFiles(options: Options, settings: Settings, streams: Streams): Judgement {
	const judgement = judgeInput(readInput(options.input, streams), settings, options);
	if (!options.fix || judgement.manifestFixes.length === 0) {
		return judgement;
	}
	const { files, left } = fixFiles(judgement.manifestFixes);
	streams.error([...(files.length > 0 ? [`fixed ${files.join(", ")}`] : []), ...left, ""].join("\n"));
	return judgeInput(readInput(options.input, streams), settings, options);
}

/** Reads the baseline before anything is judged; gives what holds a judgement against it, and writes it where asked. */
function openBaseline({
	baseline: file,
	writeBaseline: isWritten,
}: Options): ((judgement: Judgement, streams: Streams) => Judgement) | undefined {
	if (file === undefined) {
		return undefined;
	}
	const isThere = existsSync(file);
	if (!isThere && !isWritten) {
		throw new BaselineError(file, "it does not exist; --write-baseline writes one of what is found today");
	}
	const old = isThere ? readBaseline(readBaselineText(file), file) : undefined;
	return (found, streams) => {
		const baseline = old ?? baselineOf(found);
		const compared = compareWithBaseline(found, baseline);
		const { report } = compared.judgement;
		if (isWritten && report.unreadable.length > 0) {
			streams.error(`waymark: ${file} was not written: some of the input could not be judged\n`);
		} else if (isWritten) {
			writeFileSync(file, writeBaseline(compared.shrunk));
			const fresh = report.findings.length;
			const more = fresh === 0 ? "" : `; ${fresh} that it did not know were not added`;
			streams.error(
				`wrote ${file}: ${countOf(compared.shrunk)} known findings, ${countOf({ findings: compared.stale })} taken out${more}\n`,
			);
			return compared.judgement;
		}
		const notes = [...report.notes, ...staleNotes(compared, baseline, file)];
		return { ...compared.judgement, report: { ...report, notes } };
	};
}

/** What was named and is not there, where nothing but words for a person is asked for: no file of it is judged. */
function missingPaths({ output, input }: Options): readonly string[] {
	return output === "text" ? input.paths.filter((path) => path !== "-" && !existsSync(path)) : [];
}

function readBaselineText(file: string): string {
	try {
		return readWhole(file).toString("utf8");
	} catch (error) {
		throw new BaselineError(file, fileFault(error));
	}
}

function countOf({ findings }: Pick<Baseline, "findings">): number {
	return findings.reduce((sum, { count }) => sum + count, 0);
}

function readOptions(argv: readonly string[]): Options {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			output: { type: "string", short: "o", default: "text" },
			assume: { type: "string", multiple: true, default: [] },
			baseline: { type: "string" },
			"write-baseline": { type: "boolean", default: false },
			strict: { type: "boolean", default: false },
			fix: { type: "boolean", default: false },
			...worldArguments,
			...namespaceArgument,
			context: { type: "string", multiple: true, default: [] },
			exclude: { type: "string", multiple: true, default: [] },
			"allow-empty": { type: "boolean", default: false },
		},
	});
	const output = formats.find((format) => format === values.output);
	if (output === undefined) {
		throw new UsageError(
			`--output must be one of ${formats.join(", ")}, and is ${JSON.stringify(values.output)}`,
		);
	}
	if (values.cluster && (positionals.length > 0 || values.context.length > 0 || values.fix)) {
		throw new UsageError("--cluster judges what is in the cluster: it takes no files, and fixes nothing");
	}
	const access = readAccess(values);
	if (values.namespace !== undefined && !values.cluster) {
		throw new UsageError("--namespace goes with --cluster");
	}
	if (positionals.length === 0 && !values.cluster) {
		throw new UsageError("lint needs a file, a directory, or - for the standard input");
	}
	if (values.fix && positionals.includes("-")) {
		throw new UsageError("--fix cannot write back to the standard input");
	}
	if (values["write-baseline"] && values.baseline === undefined) {
		throw new UsageError("--write-baseline needs --baseline FILE, the file that it writes");
	}
	return {
		input: { paths: positionals, context: values.context, exclude: values.exclude },
		allowEmpty: values["allow-empty"],
		output,
		config: values.config,
		assumption: readAssumption(values.assume),
		baseline: values.baseline,
		writeBaseline: values["write-baseline"],
		strict: values.strict,
		fix: values.fix,
		cluster: values.cluster ? access : undefined,
		namespace: values.namespace,
	};
}

function readAssumption(texts: readonly string[]): Assumption | undefined {
	let assumption: Assumption = {};
	for (const text of texts) {
		const ambient = ambientStances.find((each) => text === `ambient=${each}`);
		const mode = modes.find((each) => text === `mode=${each}`);
		if (ambient === undefined && mode === undefined) {
			const forms = ambientStances.map((each) => `ambient=${each}`).join(" or ");
			throw new UsageError(
				`--assume must be ${forms}, or mode=${modes.join("|")}, and is ${JSON.stringify(text)}`,
			);
		}
		assumption = {
			...assumption,
			...(ambient === undefined ? {} : { ambient }),
			...(mode === undefined ? {} : { mode }),
		};
	}
	return texts.length === 0 ? undefined : assumption;
}

async function judgeCluster(
	access: ClusterAccess,
	options: Options,
	settings: Settings,
	streams: Streams,
): Promise<Judgement> {
	const followed = [...new Set<Kind>(["Namespace", ...rules.flatMap((rule) => [rule.kind, ...rule.reads])])];
	const read = settings.reach === "off" ? followed : [...new Set([...followed, ...reachKinds])];
	const world = await showingProgress(streams, "reading the cluster", () =>
		readCluster(access, read, settings),
	);
	const { namespace } = options;
	const manifests = clusterManifests(world, followed).filter(
		({ kind, object: { metadata } }) =>
			namespace === undefined || namespace === (kind === "Namespace" ? metadata?.name : metadata?.namespace),
	);
	const reading = { manifests, unreadable: [], notes: [] };
	const judgement = named(judgeWorld(reading, world, options), settings.audit.cluster);
	if (options.assumption === undefined) {
		return judgement;
	}
	const now = { judgement: judgeWorld(reading, world, { ...options, assumption: undefined }), world };
	const impact = impactOf(now, { judgement, world: assuming(world, options.assumption) });
	return { ...judgement, report: { ...judgement.report, impact } };
}

/** A judgement that says of which cluster it is: reports of several are put side by side. */
function named(judgement: Judgement, cluster: string | undefined): Judgement {
	return cluster === undefined ? judgement : { ...judgement, report: { ...judgement.report, cluster } };
}

function judgeInput({ judged, context }: Input, settings: Settings, options: Options): Judgement {
	// What is judged comes last: of two objects of one name, it is the one that counts.
	const world = worldOf([...context.manifests, ...judged.manifests], settings);
	const reading = { ...judged, notes: [...judged.notes, ...context.notes] };
	const judgement = judgeWorld(reading, world, options, context.manifests);
	const { report } = judgement;
	if (report.summary.judged > 0 || report.unreadable.length > 0 || options.allowEmpty) {
		return judgement;
	}
	const message = `Nothing was judged: ${nothingOf(report.summary.documents)} (--allow-empty accepts that)`;
	const file = options.input.paths[0] === "-" ? "<stdin>" : (options.input.paths[0] ?? "");
	return { ...judgement, report: { ...report, unreadable: [{ file, line: 1, message }] } };
}

function nothingOf(objects: number): string {
	switch (objects) {
		case 0:
			return "there is no object in the input";
		case 1:
			return "the only object is of no kind that a rule judges";
		default:
			return `none of ${objects} objects is of a kind that a rule judges`;
	}
}

function judgeWorld(
	reading: Reading,
	world: Inventory,
	options: Options,
	context: readonly Manifest[] = [],
): Judgement {
	const today = new Date().toISOString().slice(0, 10);
	const inventory = options.assumption === undefined ? world : assuming(world, options.assumption);
	return judgeManifests(reading, {
		rules,
		inventory,
		today,
		gaps: gapsIn(inventory, today),
		context,
		withReplacements: options.output === "sarif",
		withFingerprints: options.baseline !== undefined,
	});
}

/** Where the policies of a world are not kept; where Waymark keeps AuthorizationPolicies, files are judged as if they were there. */
function gapsIn(inventory: Inventory, today: string): Gaps | undefined {
	const { reach } = inventory.settings;
	if (reach === "off") {
		return undefined;
	}
	const found = readReach(inventory, today);
	if (reach === "report" || !inventory.offline) {
		return findGaps(found);
	}
	const kept = generatePolicies(found, inventory, today).policies;
	return findGaps(readReach(withPolicies(inventory, kept), today));
}

function withPolicies(inventory: Inventory, policies: readonly AuthorizationPolicy[]): Inventory {
	return alteredInventory(inventory, {
		all: <K extends Kind>(kind: K): Iterable<Resources[K]> =>
			kind === "AuthorizationPolicy"
				? [...inventory.all(kind), ...(policies as readonly Resources[K][])]
				: inventory.all(kind),
	});
}

function render(
	judgement: Judgement,
	{ settings, ...options }: Options & { readonly settings: Settings },
	streams: Streams,
	seconds: number,
): string {
	switch (options.output) {
		case "json":
			return formatJson(judgement);
		case "junit":
			return formatJunit(judgement, { strict: options.strict, now: new Date(), seconds });
		case "sarif":
			return formatSarif(withFileNames(judgement, repositoryPaths()), {
				rules,
				version: ownVersion(),
				settings,
			});
		case "github":
			return formatGithub(withFileNames(judgement, repositoryPaths()));
		case "gitlab":
			return formatGitlab(withFileNames(judgement, repositoryPaths()));
		case "text":
			return formatText(judgement, streams);
	}
}

function exitCode({ summary, unreadable }: LintReport, strict: boolean): number {
	if (unreadable.length > 0) {
		return exitCodes.unreadable;
	}
	return summary.errors > 0 || (strict && summary.warnings > 0) ? exitCodes.findings : exitCodes.clean;
}
