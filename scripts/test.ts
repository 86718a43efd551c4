import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");

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

function tests(files: readonly string[], flags: readonly string[]): Step {
	return {
		name: `${files.length} test files`,
		args: [
			...flags,
			"--test",
			"--test-reporter=spec",
			`--test-concurrency=${availableParallelism()}`,
			"--test-timeout=60000",
			...files,
		],
	};
}

/** Runs a step to its end with its output shown; whether it passed. */
function passes(step: Step): boolean {
	console.log(`\n▶ ${step.name}`);
	const start = performance.now();
	const { status, error } = spawnSync(process.execPath, step.args, { cwd: root, stdio: "inherit" });
	if (error !== undefined) {
		console.error(`Cannot run the step: ${error.message}`);
	}
	const seconds = ((performance.now() - start) / 1000).toFixed(1);
	console.log(`${status === 0 ? "✔" : "✖"} ${step.name} (${seconds} s)`);
	return status === 0;
}

function main(argv: readonly string[]): number {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: { coverage: { type: "boolean", default: false } },
	});
	const all = values.coverage ? testFiles().filter(isCovering) : testFiles();
	const files = positionals.length > 0 ? positionals : all;
	const steps = values.coverage ? [tests(files, coverage)] : [biome, types, tests(files, [])];
	const failed = steps.filter((step) => !passes(step));
	for (const step of failed) {
		console.error(`✖ failed: ${step.name}`);
	}
	return failed.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
