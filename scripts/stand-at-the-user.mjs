import { enableCompileCache } from "node:module";
import { join, resolve } from "node:path";

// npm runs scripts in the package's folder; a path on the command line starts where the user stands.
if (process.env.INIT_CWD) {
	process.argv[1] = resolve(process.argv[1] ?? "");
	process.chdir(process.env.INIT_CWD);
}

// Half of a short run is reading TypeScript that the run before has read. An assistant's server promises to write nothing.
if (process.argv[2] !== "mcp") {
	enableCompileCache(join(import.meta.dirname, "../node_modules/.cache/waymark"));
}
