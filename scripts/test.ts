import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");

// Half the time of a process that a test starts goes into compiling what the one before it has compiled.
const compileCache = join(root, "node_modules/.cache/waymark-tests");
const isCoverage = process.argv.includes("--coverage");
const isLong = process.argv.includes("--long");
const isOfProcesses = process.argv.includes("--processes");
const stepEnv: NodeJS.ProcessEnv = {
	...process.env,
	...(isCoverage ? {} : { NODE_COMPILE_CACHE: compileCache }),
	...(isLong ? { WAYMARK_LONG_TESTS: "1" } : {}),
	...(isOfProcesses ? { WAYMARK_WHOLE_TESTS: "1" } : {}),
	...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}),
	// The compiler is a Go program: a tenth more memory spares it a fifth of its work.
	GOGC: "400",
};

/** One command of the run; all are Node programs, so that no shell and no PATH is needed. */
interface Step {
	readonly name: string;
	readonly args: readonly string[];
	/** Whether it only computes, and gives way to steps that have a socket or a timer to answer. */
	readonly givesWay?: boolean;
}

const biome: Step = {
	name: "format, lint and import arrows",
	args: [join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "--error-on-warnings"],
	givesWay: true,
};

const types: Step = {
	name: "types",
	// Several threads look at what they share once each, and others use the machine meanwhile.
	args: [join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "--singleThreaded"],
	givesWay: true,
};

// The engine and what it knows must be covered; sockets and watches are held by tests over real ones, which would
// take minutes and gigabytes under coverage.
const coveredFolders: readonly string[] = ["core", "istio", "rules", "admission"];
const coverage: readonly string[] = [
	"--experimental-test-coverage",
	...coveredFolders.map((folder) => `--test-coverage-include=src/${folder}/**`),
	"--test-coverage-lines=90",
	"--test-coverage-branches=85",
	"--test-coverage-functions=90",
];

/**
 * The files of `npm run test:processes` only: they start the program again and again, fill the memory of a process, open
 * connections by the hundred, or wait for seconds. They take longer than all others together, and the gate runs them after
 * `npm test`.
 */
const ofProcesses: readonly string[] = [
	"test/serve/serve.test.ts",
	"test/kube/watch/stored-weight.test.ts",
	"test/manifests/follow-directory.test.ts",
	"test/serve/starting.test.ts",
	"test/migrate/generated.test.ts",
	"test/cli/lint-input.test.ts",
	"test/manifests/read-aside.test.ts",
	"test/cli/mcp.test.ts",
	"test/server/bodies.test.ts",
	"test/lint/screen.test.ts",
	"test/cli/serve-clients.test.ts",
	"test/serve/warm-up.test.ts",
	"test/serve/event-flood.test.ts",
	"test/cli/completion.test.ts",
	"test/cli/missing-files.test.ts",
	"test/kube/watch/feed.test.ts",
	"test/server/drain.test.ts",
	"test/cli/hard-files.test.ts",
	"test/manifests/whole-file.test.ts",
	"test/kube/install/own-certificates.test.ts",
	"test/server/connections.test.ts",
	"test/server/turns.test.ts",
	"test/server/bad-input.test.ts",
	"test/kube/watch/reflector.test.ts",
	"test/cli/cluster-access.test.ts",
	"test/kube/install/kept-objects.test.ts",
	"test/certificates/files.test.ts",
	"test/audit/pace.test.ts",
	"test/kube/install/lease.test.ts",
	"test/server/memory-metrics.test.ts",
	"test/main.test.ts",
	"test/server/tls.test.ts",
	"test/kube/client/connection.test.ts",
	"test/kube/install/fail-closed.test.ts",
	"test/server/overload.test.ts",
];

/** The files of both runs: `npm test` tries a third of what `npm run test:processes` tries whole. */
const sampled: readonly string[] = [
	"test/growth.test.ts",
	"test/rules/growth.test.ts",
	"test/rules/neighbours.test.ts",
	"test/rules/when.test.ts",
];

/** The tests that need nothing but this checkout; those of a real control plane and the bench run on their own. */
function testFiles(): readonly string[] {
	const found = globSync("test/**/*.test.ts", { cwd: root })
		.map((file) => file.replaceAll("\\", "/"))
		.filter((file) => !file.startsWith("test/e2e/") && !file.startsWith("test/bench/"))
		.toSorted();
	const gone = [...ofProcesses, ...sampled].filter((file) => !found.includes(file));
	if (gone.length > 0) {
		throw new Error(`Cannot run ${gone.join(", ")}: scripts/test.ts names what is not there`);
	}
	return found;
}

/** The files of this run: of a long one all, else those of `npm run test:processes` or those of `npm test`. */
function filesOfRun(): readonly string[] {
	const all = testFiles();
	if (isCoverage) {
		return all.filter(isCovering);
	}
	if (isLong) {
		return all;
	}
	return isOfProcesses ? [...ofProcesses, ...sampled] : all.filter((file) => !ofProcesses.includes(file));
}

function isCovering(file: string): boolean {
	return coveredFolders.some((folder) => file.startsWith(`test/${folder}/`));
}

/** Folders of tests whose files share a process, so that it loads what they test once; they leave nothing behind in it. */
interface SharedProcess {
	readonly folders: readonly string[];
	readonly givesWay: boolean;
}

const pureFolders = "core istio rules trace reach inventory export admission charts docs".split(" ");

/** The first are those that take longest. Other folders get a process for each of their files. */
const processes: readonly SharedProcess[] = [
	{ folders: ["", ...pureFolders], givesWay: false },
	{ folders: ["server", "certificates", "certs", "settings"], givesWay: false },
	{ folders: ["cli", "lint", "audit", "manifests", "migrate"], givesWay: true },
	{ folders: ["kube", "serve"], givesWay: false },
];

/** The folder of `test/` that a file is in; none for one that is in `test/` itself. */
function folderOf(file: string): string {
	return /^test\/([^/]+)\//.exec(file)?.[1] ?? "";
}

const testFlags: readonly string[] = [
	"--test",
	"--test-reporter=spec",
	`--test-timeout=${isLong ? 600_000 : 60_000}`,
];

function testsInOneProcess({ folders, givesWay }: SharedProcess, files: readonly string[]): Step {
	return {
		givesWay,
		name: `${files.length} test files of ${folders.filter(Boolean).join(", ") || "test"} in one process`,
		args: [...testFlags, "--test-isolation=none", ...files],
	};
}

function tests(files: readonly string[], flags: readonly string[] = []): Step {
	return {
		name: `${files.length} test files`,
		args: [...flags, ...testFlags, `--test-concurrency=${availableParallelism()}`, ...files],
	};
}

/** A step that takes longer hangs: it is ended, and what it said is shown. */
const longestStepMs = (isLong ? 120 : 15) * 60_000;

/** Runs a step to its end and shows its output then, in one piece, as others run meanwhile; whether it passed. */
async function passes(step: Step): Promise<boolean> {
	const start = performance.now();
	const child = spawn(process.execPath, step.args, {
		cwd: root,
		stdio: ["ignore", "pipe", "pipe"],
		env: stepEnv,
		timeout: longestStepMs,
	});
	if (step.givesWay === true && child.pid !== undefined) {
		setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
	}
	const output: Buffer[] = [];
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk: Buffer) => output.push(chunk));
	}
	const [status] = await once(child, "close");
	const seconds = ((performance.now() - start) / 1000).toFixed(1);
	process.stdout.write(Buffer.concat(output));
	console.log(`${status === 0 ? "✔" : "✖"} ${step.name} (${seconds} s)\n`);
	return status === 0;
}

/** The steps of a run, those that take longest first. */
function allSteps(files: readonly string[]): readonly Step[] {
	if (isOfProcesses) {
		return [tests(files)];
	}
	const together = processes.flatMap((shared) => {
		const theirs = files.filter((file) => shared.folders.includes(folderOf(file)));
		return theirs.length > 0 ? [testsInOneProcess(shared, theirs)] : [];
	});
	const others = files.filter((file) => !processes.some(({ folders }) => folders.includes(folderOf(file))));
	return [...together, types, biome, ...(others.length > 0 ? [tests(others)] : [])];
}

// One a processor, and one more that computes while those of sockets wait.
const mostAtOnce = availableParallelism() + 1;

/** Runs the steps, several at once, and gives those that failed. */
async function failuresOf(steps: readonly Step[]): Promise<readonly Step[]> {
	const waiting = [...steps];
	const failed: Step[] = [];
	const work = async (): Promise<void> => {
		for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
			if (!(await passes(step))) {
				failed.push(step);
			}
		}
	};
	await Promise.all(Array.from({ length: mostAtOnce }, work));
	return failed;
}

async function main(argv: readonly string[]): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			coverage: { type: "boolean", default: false },
			long: { type: "boolean", default: false },
			processes: { type: "boolean", default: false },
		},
	});
	const files = positionals.length > 0 ? positionals : filesOfRun();
	const failed = await failuresOf(values.coverage ? [tests(files, coverage)] : allSteps(files));
	for (const step of failed) {
		console.error(`✖ failed: ${step.name}`);
	}
	return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
