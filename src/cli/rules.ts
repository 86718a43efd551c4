import { parseArgs, styleText } from "node:util";
import { families, ruleUrl } from "../core/rule.ts";
import { wrapped } from "../lint/format/wrap.ts";
import { rules as table } from "../rules/table.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { readSettings } from "./world.ts";

/** `waymark rules`: every rule, from the same metadata as the pages. */
export const rules: Verb = {
	summary: "List every rule",
	usage: `Usage: waymark rules [--family FAMILY] [--output text|json] [--config FILE]

  --family   one of ${families.join(", ")}
  --output   json is described by docs/schemas/rules.schema.json
  --config   the cluster configuration, whose links say where the pages of the rules are

Exit: 0, 64 usage, 70 fault`,
	async run(argv, streams) {
		const { values } = parseArgs({
			args: [...argv],
			options: {
				output: { type: "string", default: "text" },
				family: { type: "string" },
				config: { type: "string" },
			},
		});
		if (values.family !== undefined && !families.some((each) => each === values.family)) {
			throw new UsageError(`--family must be one of ${families.join(", ")}`);
		}
		const settings = await readSettings(values.config);
		const chosen = table.filter((rule) => values.family === undefined || rule.family === values.family);
		if (values.output === "json") {
			const list = chosen.map(({ id, family, kind, severity, fixable, reads, docs }) => ({
				id,
				family,
				kind,
				severity,
				fixable,
				reads,
				summary: docs.summary,
				url: ruleUrl(id, settings) ?? null,
			}));
			streams.out(`${JSON.stringify(list, undefined, "\t")}\n`);
			return exitCodes.clean;
		}
		if (values.output !== "text") {
			throw new UsageError("--output must be text or json");
		}
		for (const family of families) {
			const members = chosen.filter((rule) => rule.family === family);
			if (members.length > 0) {
				const title = `${family} (${members.length})`;
				streams.out(`${streams.colour ? styleText("bold", title, { validateStream: false }) : title}\n`);
				streams.out(
					members
						.flatMap(({ id, severity, docs }) => {
							const lead = `  ${id.padEnd(44)} ${severity.padEnd(8)} `;
							// Where a column of its own would be narrow, the summary goes below.
							const isNarrow = streams.width !== undefined && streams.width < lead.length + 40;
							return isNarrow
								? [lead.trimEnd(), ...wrapped(docs.summary, streams.width, "      ")]
								: wrapped(docs.summary, streams.width, lead, " ".repeat(lead.length));
						})
						.map((each) => `${each}\n`)
						.join(""),
				);
			}
		}
		return exitCodes.clean;
	},
};
