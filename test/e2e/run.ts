import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// `npm run test:e2e -- [FLAG]… [FILE]…`: the test runner with one control plane for all files.
const given = process.argv.slice(2);
const isWhole = given.every((arg) => arg.startsWith("-"));

/** Most files that are run a second time: more than that is no noise. */
const mostRetries = 3;

const folder = mkdtempSync(join(tmpdir(), "waymark-e2e-run-"));
const failures = join(folder, "failed");
try {
	process.exitCode = await run(isWhole ? ["test/e2e/**/*.test.ts"] : []);
	const failed = readFileSync(failures, "utf8").split("\n").filter(Boolean);
	// Some tests hold a whole control plane to seconds, on machines that others use too. A file that fails runs once
	// more, alone, and both outcomes stand in the log; what fails twice has failed.
	if (isWhole && process.exitCode === 1 && failed.length > 0 && failed.length <= mostRetries) {
		console.log(`\nfailed, and run once more:\n${failed.map((file) => `  ${file}\n`).join("")}`);
		process.exitCode = await run(failed);
	}
} finally {
	rmSync(folder, { recursive: true, force: true });
}

function run(files: readonly string[]): Promise<number> {
	const child = spawn(
		process.execPath,
		[
			"--test",
			`--test-global-setup=${join(import.meta.dirname, "global-setup.ts")}`,
			// The files share the control plane: its webhooks and hosts are the same for all.
			"--test-concurrency=1",
			"--test-timeout=600000",
			"--test-reporter=spec",
			"--test-reporter-destination=stdout",
			`--test-reporter=${join(import.meta.dirname, "failed-files.ts")}`,
			`--test-reporter-destination=${failures}`,
			...given,
			...files,
		],
		{ stdio: "inherit" },
	);
	// The terminal sends Ctrl-C to both: the runner ends first, having stopped its control plane.
	const ignore = (): void => {};
	const pass = (): boolean => child.kill("SIGTERM");
	process.on("SIGINT", ignore);
	process.on("SIGTERM", pass);
	return new Promise((resolve) => {
		child.on("close", (code) => {
			process.off("SIGINT", ignore);
			process.off("SIGTERM", pass);
			resolve(code ?? 1);
		});
	});
}
