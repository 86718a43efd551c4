import { resolve } from "node:path";

// npm runs scripts in the package's folder; a path on the command line starts where the user stands.
if (process.env.INIT_CWD) {
	process.argv[1] = resolve(process.argv[1] ?? "");
	process.chdir(process.env.INIT_CWD);
}
