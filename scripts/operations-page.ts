import { kinds } from "../src/core/kinds.ts";
import type { Rule } from "../src/core/rule.ts";
import { readRules } from "./chart.ts";
import { renderMarkedPart } from "./marked-part.ts";

/** The page on operations, with its table of permissions as the rules of today need them. */
export function renderOperationsPage(rules: readonly Rule[]): ReadonlyMap<string, string> {
	return renderMarkedPart("docs/operations.md", "the rules' reads", permissions(rules));
}

function permissions(rules: readonly Rule[]): string {
	const lines = ["", "| resource | verbs | why |", "| --- | --- | --- |"];
	for (const { apiGroups, resources, verbs } of readRules(rules)) {
		for (const resource of resources) {
			const group = apiGroups[0] ?? "";
			const name = group === "" ? resource : `${resource}.${group}`;
			lines.push(`| \`${name}\` | ${verbs.join(", ")} | ${reason(group, resource, rules)} |`);
		}
	}
	return `${lines.join("\n")}\n\n`;
}

function reason(group: string, resource: string, rules: readonly Rule[]): string {
	if (resource === "customresourcedefinitions") {
		return "To notice that a kind was installed (metadata only)";
	}
	const readers = rules.filter((rule) =>
		rule.reads.some((kind) => kinds[kind].group === group && kinds[kind].plural === resource),
	);
	const links = readers.slice(0, 3).map(({ id }) => `[${id}](rules/${id}.md)`);
	const others = readers.length > 3 ? ` and ${readers.length - 3} more` : "";
	const policies = resource === "namespaces" ? "The policies (metadata only); " : "";
	return `${policies}${links.join(", ")}${others}`;
}
