#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on the old Node.js that it complains about.
const major = Number(process.versions.node.split(".")[0]);
if (major < 22) {
	process.stderr.write(`waymark needs Node.js 22 or later, and this is ${process.version}\n`);
	process.exitCode = 70;
} else {
	start();
}

async function start() {
	// An assistant's server promises to write nothing.
	if (process.argv[2] !== "mcp") {
		await keepCompiledCode();
	}
	const { run } = await import("../dist/main.js");
	await run();
}

/** What V8 makes of the modules is kept in the user's cache: a third of the time of a short run. */
async function keepCompiledCode() {
	const [{ enableCompileCache }, { homedir }, { join }] = await Promise.all([
		import("node:module"),
		import("node:os"),
		import("node:path"),
	]);
	enableCompileCache?.(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "waymark", "compiled"));
}
