import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");

// Half the time of a process that a test starts goes into compiling what the one before it has compiled.
const compileCache = join(root, "node_modules/.cache/waymark-tests");
const isCoverage = process.argv.includes("--coverage");
const stepEnv: NodeJS.ProcessEnv = {
	...process.env,
	...(isCoverage ? {} : { NODE_COMPILE_CACHE: compileCache }),
	...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}),
};

/** One command of the run; all are Node programs, so that no shell and no PATH is needed. */
interface Step {
	readonly name: string;
	readonly args: readonly string[];
}

const biome: Step = {
	name: "format, lint and import arrows",
	args: [join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "--error-on-warnings"],
};

const types: Step = {
	name: "types",
	args: [join(root, "node_modules/typescript/bin/tsc"), "--noEmit"],
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

/** The tests that need nothing but this checkout; those of a real control plane and the bench run on their own. */
function testFiles(): readonly string[] {
	return globSync("test/**/*.test.ts", { cwd: root })
		.map((file) => file.replaceAll("\\", "/"))
		.filter((file) => !file.startsWith("test/e2e/") && !file.startsWith("test/bench/"))
		.toSorted();
}

function isCovering(file: string): boolean {
	return coveredFolders.some((folder) => file.startsWith(`test/${folder}/`));
}

// Their tests open no socket, start no process and leave nothing behind in theirs, so that one process loads the rules
// once for all of them; every other folder gets a process for each of its files.
const pureFolders: readonly string[] = [
	"core",
	"istio",
	"rules",
	"trace",
	"reach",
	"inventory",
	"export",
	"migrate",
	"admission",
	"manifests",
	"charts",
	"docs",
];

function isPure(file: string): boolean {
	return pureFolders.some((folder) => file.startsWith(`test/${folder}/`)) || /^test\/[^/]+$/.test(file);
}

const testFlags: readonly string[] = ["--test", "--test-reporter=spec", "--test-timeout=60000"];

function testsInOneProcess(files: readonly string[]): Step {
	return {
		name: `${files.length} test files in one process`,
		args: [...testFlags, "--test-isolation=none", ...files],
	};
}

function tests(files: readonly string[], flags: readonly string[] = []): Step {
	return {
		name: `${files.length} test files`,
		args: [...flags, ...testFlags, `--test-concurrency=${availableParallelism()}`, ...files],
	};
}

/** Runs a step to its end and shows its output then, in one piece, as others run meanwhile; whether it passed. */
async function passes(step: Step): Promise<boolean> {
	const start = performance.now();
	const child = spawn(process.execPath, step.args, {
		cwd: root,
		stdio: ["ignore", "pipe", "pipe"],
		env: stepEnv,
	});
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

/** The steps of a whole run: each list at once, one list after the other, so that two processors are always busy. */
function allSteps(files: readonly string[]): readonly (readonly Step[])[] {
	const pure = files.filter(isPure);
	const others = files.filter((file) => !isPure(file));
	return [
		[biome, types, ...(pure.length > 0 ? [testsInOneProcess(pure)] : [])],
		...(others.length > 0 ? [[tests(others)]] : []),
	];
}

async function main(argv: readonly string[]): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: { coverage: { type: "boolean", default: false } },
	});
	const all = values.coverage ? testFiles().filter(isCovering) : testFiles();
	const files = positionals.length > 0 ? positionals : all;
	const failed: Step[] = [];
	for (const steps of values.coverage ? [[tests(files, coverage)]] : allSteps(files)) {
		const results = await Promise.all(steps.map(passes));
		failed.push(...steps.filter((_, index) => results[index] === false));
	}
	for (const step of failed) {
		console.error(`✖ failed: ${step.name}`);
	}
	return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
