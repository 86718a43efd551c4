import { parseArgs, styleText } from "node:util";
import { stringify } from "yaml";
import { closest } from "../core/closest.ts";
import { isFixedOnAdmission } from "../core/engine.ts";
import { quote } from "../core/finding.ts";
import type { Rule } from "../core/rule.ts";
import { ruleUrl } from "../core/rule.ts";
import { wrapped } from "../lint/format/wrap.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { rules } from "../rules/table.ts";
import type { PagePart } from "./rule-page.ts";
import { rulePageParts } from "./rule-page.ts";
import type { Streams, Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { readSettings } from "./world.ts";

/** `waymark explain`: the page of a rule, in the terminal. */
export const explain: Verb = {
	summary: "Explain a rule: what it wants, why, and how to fix what it finds",
	usage: `Usage: waymark explain RULE [--output text|json] [--config FILE]

RULE may be the address of the rule's page, as messages name it where the configuration has links.

  --output   text (default) or json
  --config   the cluster configuration, whose links say where the pages of the rules are

Exit: 0, 64 usage or no such rule, 70 fault`,
	words: async () => rules.map(({ id }) => id),
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: { output: { type: "string", default: "text" }, config: { type: "string" } },
		});
		const [given] = positionals;
		if (given === undefined || positionals.length > 1) {
			throw new UsageError("explain needs one RULE");
		}
		const id = idOf(given);
		const settings = await readSettings(values.config);
		const rule = rules.find((each) => each.id === id);
		if (rule === undefined) {
			throw new UsageError(`there is no rule ${quote(id)}${suggestion(id)}`, { isHelped: true });
		}
		if (values.output === "json") {
			const { docs, family, kind, severity, fixable, reads } = rule;
			streams.out(
				`${JSON.stringify({ id, family, kind, severity, fixable, reads, url: ruleUrl(id, settings) ?? null, ...docs }, undefined, "\t")}\n`,
			);
		} else if (values.output === "text") {
			streams.out(page(rule, ruleUrl(id, settings), streams));
		} else {
			throw new UsageError("--output must be text or json");
		}
		return exitCodes.clean;
	},
};

function howFixed(rule: Pick<Rule, "fixable" | "sentWhen">): string {
	if (!rule.fixable) {
		return "";
	}
	return isFixedOnAdmission(rule)
		? " · the mutating webhook and lint --fix fix it"
		: " · lint --fix fixes it";
}

/** The id in what a person copied: the id itself, or the end of an address, of a page or of a file. */
function idOf(given: string): string {
	const end = given.split(/[?#]/, 1)[0]?.replace(/\/+$/, "").split("/").at(-1) ?? "";
	return end.replace(/\.(?:html|md)$/, "").toLowerCase();
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
	const like = closest(id.slice(0, 64), [...rules.map((rule) => rule.id)]);
	if (like !== undefined) {
		return `; did you mean ${like}?`;
	}
	return close.length > 0 ? `; did you mean ${close.join(", ")}?` : "; waymark rules lists them";
}

function page(rule: Rule, url: string | undefined, streams: Streams): string {
	const { id, family, kind, severity, docs } = rule;
	const bold = (text: string): string =>
		streams.colour ? styleText("bold", text, { validateStream: false }) : text;
	return [
		bold(id),
		`${family} · ${severity} · ${kind}${howFixed(rule)}`,
		"",
		...wrapped(`${docs.summary}.`, streams.width),
		"",
		...rulePageParts(rule).flatMap((part) => linesOf(part, bold, streams.width)),
		`Since ${docs.since}${url === undefined ? "" : ` · ${url}`}`,
		"",
	].join("\n");
}

function linesOf(
	part: PagePart,
	bold: (text: string) => string,
	width: number | undefined,
): readonly string[] {
	if ("heading" in part) {
		return [bold(part.heading)];
	}
	if ("text" in part) {
		return [...wrapped(part.text, width), ""];
	}
	if ("said" in part) {
		return [...part.said.flatMap(({ path, sentence }) => wrapped(`${path}: ${sentence}`, width, "    ")), ""];
	}
	return "list" in part
		? [...part.list.flatMap((item) => wrapped(item, width, "- ", "  ")), ""]
		: [stringify(part.example, kubectlYaml).replaceAll(/^(?=.)/gm, "    ")];
}
