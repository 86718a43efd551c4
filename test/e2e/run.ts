import { spawn } from "node:child_process";
import { join } from "node:path";

// `npm run test:e2e -- [FLAG]… [FILE]…`: the test runner with one control plane for all files.
const given = process.argv.slice(2);
const files = given.some((arg) => !arg.startsWith("-")) ? [] : ["test/e2e/**/*.test.ts"];
const child = spawn(
	process.execPath,
	[
		"--test",
		`--test-global-setup=${join(import.meta.dirname, "global-setup.ts")}`,
		// The files share the control plane: its webhooks and hosts are the same for all.
		"--test-concurrency=1",
		"--test-timeout=600000",
		...given,
		...files,
	],
	{ stdio: "inherit" },
);
// The terminal sends Ctrl-C to both: the runner ends first, having stopped its control plane.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("close", (code) => {
	process.exitCode = code ?? 1;
});
