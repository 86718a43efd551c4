import { parseArgs } from "node:util";
import type { Inventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import type { AmbientStance, Settings } from "../core/settings.ts";
import { ambientStances, defaultSettings } from "../core/settings.ts";
import { formatGithub } from "../lint/format/github.ts";
import { formatGitlab } from "../lint/format/gitlab.ts";
import { formatJson } from "../lint/format/json.ts";
import { formatJunit } from "../lint/format/junit.ts";
import { formatSarif } from "../lint/format/sarif.ts";
import { formatText } from "../lint/format/text.ts";
import type { Judgement } from "../lint/judge.ts";
import { assuming, judgeManifests } from "../lint/judge.ts";
import type { LintReport } from "../lint/report.ts";
import { withFileNames } from "../lint/report.ts";
import { fixFiles } from "../manifests/fix.ts";
import type { Manifest, Reading } from "../manifests/read.ts";
import { worldOf } from "../manifests/read.ts";
import { rules } from "../rules/table.ts";
import { loadSettings } from "../settings/read.ts";
import { clusterManifests, readCluster } from "./cluster-world.ts";
import { readEnvironment } from "./environment.ts";
import type { Input, InputChoice } from "./lint-input.ts";
import { readInput, repositoryPaths } from "./lint-input.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { ownVersion } from "./version.ts";

const formats = ["text", "json", "junit", "sarif", "github", "gitlab"] as const;
type Format = (typeof formats)[number];

const usage = `Usage: waymark lint [FILE|DIR|-]... [--output ${formats.join("|")}] [--config FILE]
                    [--context FILE|DIR]... [--exclude PATTERN]... [--allow-empty]
                    [--assume ambient=enforced|permitted] [--strict] [--fix]
       waymark lint --cluster [--kubeconfig FILE] [--output ...] [--config FILE] [--assume ...] [--strict]

Judges manifests by the same rules as the webhook. Directories are read with everything below them, - is the
standard input. Namespaces in the input bring their annotations. What .waymarkignore names, as .gitignore does, is left out. A comment "# waymark:ignore RULE reason" in a
document silences a rule for it.

  --cluster           judge the objects of a live cluster, read-only, instead of files
  --kubeconfig FILE   the cluster; else KUBECONFIG, else ~/.kube/config
  --output FORMAT     text (default), json, junit, sarif, github for annotations in GitHub Actions, or gitlab for
                      Code Quality; the last three name files from the root of the repository
  --context DIR       read Namespaces, waypoints and all else there without judging it; may be given several times
  --exclude PATTERN   leave files out, as a line of .gitignore does; may be given several times
  --allow-empty       nothing to judge is no mistake
  --config FILE       the cluster configuration
  --assume            judge every namespace as if its ambient annotation said so
  --strict            warnings count as errors
  --fix               write the fixes of fixable findings back to the files

Exit: 0 clean, 1 errors (or warnings with --strict), 64 usage, 65 unreadable input or nothing judged, 70 fault`;

interface Options {
	readonly input: InputChoice;
	readonly allowEmpty: boolean;
	readonly output: Format;
	readonly config: string | undefined;
	readonly ambient: AmbientStance | undefined;
	readonly strict: boolean;
	readonly fix: boolean;
	readonly cluster: boolean;
	readonly kubeconfig: string | undefined;
}

/** `waymark lint`: the rules on files, or on what is in a cluster. */
export const lint: Verb = {
	summary: "Judge manifests by the rules of the webhook",
	usage,
	async run(argv, streams) {
		const options = readOptions(argv);
		const started = performance.now();
		const settings = readSettings(options.config);
		if (options.cluster) {
			const judgement = await judgeCluster(options, settings);
			streams.out(render(judgement, options, streams, (performance.now() - started) / 1000));
			return exitCode(judgement.report, options.strict);
		}
		let judgement = judgeInput(readInput(options.input, streams), settings, options);
		if (options.fix && judgement.mendings.length > 0) {
			const { files, left } = fixFiles(judgement.mendings);
			streams.error([...(files.length > 0 ? [`mended ${files.join(", ")}`] : []), ...left, ""].join("\n"));
			judgement = judgeInput(readInput(options.input, streams), settings, options);
		}
		streams.out(render(judgement, options, streams, (performance.now() - started) / 1000));
		return exitCode(judgement.report, options.strict);
	},
};

function readOptions(argv: readonly string[]): Options {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			output: { type: "string", short: "o", default: "text" },
			config: { type: "string" },
			assume: { type: "string" },
			strict: { type: "boolean", default: false },
			fix: { type: "boolean", default: false },
			cluster: { type: "boolean", default: false },
			kubeconfig: { type: "string" },
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
		throw new UsageError("--cluster judges what is in the cluster: it takes no files, and mends nothing");
	}
	if (positionals.length === 0 && !values.cluster) {
		throw new UsageError("lint needs a file, a directory, or - for the standard input");
	}
	if (values.fix && positionals.includes("-")) {
		throw new UsageError("--fix cannot write back to the standard input");
	}
	return {
		input: { paths: positionals, context: values.context, exclude: values.exclude },
		allowEmpty: values["allow-empty"],
		output,
		config: values.config,
		ambient: readAssumption(values.assume),
		strict: values.strict,
		fix: values.fix,
		cluster: values.cluster,
		kubeconfig: values.kubeconfig,
	};
}

function readAssumption(text: string | undefined): AmbientStance | undefined {
	if (text === undefined) {
		return undefined;
	}
	const stance = ambientStances.find((each) => text === `ambient=${each}`);
	if (stance === undefined) {
		const forms = ambientStances.map((each) => `ambient=${each}`).join(" or ");
		throw new UsageError(`--assume must be ${forms}, and is ${JSON.stringify(text)}`);
	}
	return stance;
}

function readSettings(file: string | undefined): Settings {
	return file === undefined ? defaultSettings : loadSettings(file, new Set(rules.map((rule) => rule.id)));
}

async function judgeCluster(options: Options, settings: Settings): Promise<Judgement> {
	const followed = [...new Set<Kind>(["Namespace", ...rules.flatMap((rule) => [rule.kind, ...rule.reads])])];
	const world = await readCluster(options.kubeconfig ?? readEnvironment().kubeconfig, followed, settings);
	return judgeWorld(
		{ manifests: clusterManifests(world, followed), unreadable: [], notes: [] },
		world,
		options,
	);
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
	const message = `Nothing was judged: none of ${report.summary.documents} objects is of a kind that a rule judges (--allow-empty accepts that)`;
	const file = options.input.paths[0] === "-" ? "<stdin>" : (options.input.paths[0] ?? "");
	return { ...judgement, report: { ...report, unreadable: [{ file, line: 1, message }] } };
}

function judgeWorld(
	reading: Reading,
	world: Inventory,
	options: Options,
	context: readonly Manifest[] = [],
): Judgement {
	return judgeManifests(reading, {
		rules,
		inventory: options.ambient === undefined ? world : assuming(world, options.ambient),
		today: new Date().toISOString().slice(0, 10),
		context,
		withReplacements: options.output === "sarif",
	});
}

function render(judgement: Judgement, options: Options, streams: Streams, seconds: number): string {
	switch (options.output) {
		case "json":
			return formatJson(judgement);
		case "junit":
			return formatJunit(judgement, { strict: options.strict, now: new Date(), seconds });
		case "sarif":
			return formatSarif(withFileNames(judgement, repositoryPaths()), rules, ownVersion());
		case "github":
			return formatGithub(withFileNames(judgement, repositoryPaths()));
		case "gitlab":
			return formatGitlab(withFileNames(judgement, repositoryPaths()));
		case "text":
			return formatText(judgement, streams.colour);
	}
}

function exitCode({ summary, unreadable }: LintReport, strict: boolean): number {
	if (unreadable.length > 0) {
		return exitCodes.unreadable;
	}
	return summary.errors > 0 || (strict && summary.warnings > 0) ? exitCodes.findings : exitCodes.clean;
}
