import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Test files that run one after the other, beside those of other lanes. */
interface Lane {
	/** Stands before each line of its output; none of the lane that has the terminal. */
	readonly prefix: string;
	readonly files: readonly string[];
	/** Whether its files share one control plane, which the run starts and stops. */
	readonly shares: boolean;
}

// `npm run test:e2e -- [FLAG]… [FILE]…`: the test runner with one control plane for all files that share one.
const given = process.argv.slice(2);
const isWhole = given.every((arg) => arg.startsWith("-"));

/** Most files that are run a second time: more than that is no noise. */
const mostRetries = 3;

const folder = mkdtempSync(join(tmpdir(), "waymark-e2e-run-"));
try {
	// The terminal sends Ctrl-C to all: the runners end first, having stopped their control planes.
	process.on("SIGINT", () => {});
	process.exitCode = isWhole
		? await runWhole()
		: (await runLane({ prefix: "", files: [], shares: true })).code;
} finally {
	rmSync(folder, { recursive: true, force: true });
}

async function runWhole(): Promise<number> {
	const results = await Promise.all(lanes().map((lane) => runLane(lane)));
	const code = Math.max(...results.map((result) => result.code));
	const failed = results.flatMap((result) => result.failed);
	// Some tests hold a whole control plane to seconds, on machines that others use too. A file that fails runs once
	// more, alone, and both outcomes stand in the log; what fails twice has failed.
	if (code !== 1 || failed.length === 0 || failed.length > mostRetries) {
		return code;
	}
	console.log(`\nfailed, and run once more:\n${failed.map((file) => `  ${file}\n`).join("")}`);
	return (await runLane({ prefix: "", files: failed, shares: true })).code;
}

/**
 * The files in two lanes: those that share a control plane, and those that break or change one of their own. Both wait for
 * most of their time, so that two processors bear both; no object and no port is common to them.
 */
function lanes(): readonly Lane[] {
	const files = globSync("test/e2e/*.test.ts", { cwd: join(import.meta.dirname, "../..") }).toSorted();
	const own = files.filter((file) => {
		const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
		return text.includes("startControlPlane(") && !text.includes("useControlPlane(");
	});
	return [
		{ prefix: "", files: files.filter((file) => !own.includes(file)), shares: true },
		{ prefix: "own plane │ ", files: own, shares: false },
	];
}

async function runLane(lane: Lane): Promise<{ readonly code: number; readonly failed: readonly string[] }> {
	const failures = join(folder, `failed${lane.shares ? "" : "-own"}`);
	const setup = lane.shares ? [`--test-global-setup=${join(import.meta.dirname, "global-setup.ts")}`] : [];
	const child = spawn(
		process.execPath,
		[
			"--test",
			...setup,
			// The files of a lane share the control plane: its webhooks and hosts are the same for all.
			"--test-concurrency=1",
			"--test-timeout=600000",
			"--test-reporter=spec",
			"--test-reporter-destination=stdout",
			`--test-reporter=${join(import.meta.dirname, "failed-files.ts")}`,
			`--test-reporter-destination=${failures}`,
			...given,
			...lane.files,
		],
		{ stdio: lane.prefix === "" ? "inherit" : ["inherit", "pipe", "inherit"] },
	);
	if (child.stdout !== null) {
		createInterface({ input: child.stdout }).on("line", (line) => console.log(`${lane.prefix}${line}`));
	}
	const pass = (): boolean => child.kill("SIGTERM");
	process.on("SIGTERM", pass);
	const code = await new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? 1)));
	process.off("SIGTERM", pass);
	return { code, failed: readFileSync(failures, "utf8").split("\n").filter(Boolean) };
}
