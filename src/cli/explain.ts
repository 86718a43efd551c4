import { parseArgs, styleText } from "node:util";
import { stringify } from "yaml";
import { isMended } from "../core/engine.ts";
import type { Rule } from "../core/rule.ts";
import { ruleUrl } from "../core/rule.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { rules } from "../rules/table.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";

/** `waymark explain`: the page of a rule, in the terminal. */
export const explain: Verb = {
	summary: "Explain a rule: what it wants, why, and how to mend what it finds",
	usage: `Usage: waymark explain RULE [--output text|json]

Exit: 0, 64 usage or no such rule, 70 fault`,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: { output: { type: "string", default: "text" } },
		});
		const [id] = positionals;
		if (id === undefined || positionals.length > 1) {
			throw new UsageError("explain needs one RULE");
		}
		const rule = rules.find((each) => each.id === id);
		if (rule === undefined) {
			throw new UsageError(`there is no rule ${JSON.stringify(id)}${suggestion(id)}`);
		}
		if (values.output === "json") {
			const { docs, family, kind, severity, fixable, reads } = rule;
			streams.out(
				`${JSON.stringify({ id, family, kind, severity, fixable, reads, url: ruleUrl(id), ...docs }, undefined, "\t")}\n`,
			);
		} else if (values.output === "text") {
			streams.out(page(rule, streams));
		} else {
			throw new UsageError("--output must be text or json");
		}
		return exitCodes.clean;
	},
};

function howMended(rule: Pick<Rule, "fixable" | "sentWhen">): string {
	if (!rule.fixable) {
		return "";
	}
	return isMended(rule) ? " · the mutating webhook and lint --fix mend it" : " · lint --fix mends it";
}

/** The rules that share most words with what was asked for. */
function suggestion(id: string): string {
	const words = new Set(id.toLowerCase().split(/[^a-z0-9]+/));
	const score = (rule: Rule): number => rule.id.split("-").filter((word) => words.has(word)).length;
	const close = rules
		.filter((rule) => score(rule) > 1 || (score(rule) > 0 && words.size === 1))
		.toSorted((one, other) => score(other) - score(one))
		.slice(0, 5)
		.map((rule) => rule.id);
	return close.length === 0 ? "; waymark rules lists them" : `; did you mean ${close.join(", ")}?`;
}

function page(rule: Rule, streams: Streams): string {
	const { id, family, kind, severity, docs } = rule;
	const bold = (text: string): string =>
		streams.colour ? styleText("bold", text, { validateStream: false }) : text;
	const example = (object: unknown): string => stringify(object, kubectlYaml).replaceAll(/^(?=.)/gm, "    ");
	return [
		bold(id),
		`${family} · ${severity} · ${kind}${howMended(rule)}`,
		"",
		`${docs.summary}.`,
		"",
		bold("Why"),
		docs.why,
		"",
		bold("How to mend it"),
		docs.fix,
		"",
		bold("Refused"),
		example(docs.bad),
		bold("Accepted"),
		example(docs.good),
		bold("Sources"),
		...docs.sources.map((source) => `- ${source}`),
		"",
		`Since ${docs.since} · ${ruleUrl(id)}`,
		"",
	].join("\n");
}
