import { quote } from "../core/finding.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { readSettings } from "./world.ts";

/** `waymark config check FILE`: says everything that is wrong with a cluster configuration. */
export const configCheck: Verb = {
	summary: "Check a cluster configuration: config check FILE",
	usage: "Usage: waymark config check FILE\n\nExit: 0 usable, 64 usage, 65 not usable",
	words: async () => ["check"],
	async run(argv, streams) {
		const [word, file, ...rest] = argv;
		if (word !== undefined && word !== "check") {
			throw new UsageError(`config has no ${quote(word)}; did you mean config check?`, { isHelped: true });
		}
		if (word !== "check" || file === undefined || rest.length > 0) {
			throw new UsageError("config check takes one file");
		}
		await readSettings(file);
		streams.out(`${file} is a usable configuration\n`);
		return exitCodes.clean;
	},
};
