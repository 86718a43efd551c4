import { annotationPrefix, readNamespaceAnnotations } from "../../core/annotations.ts";
import { mention } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

/** A list in an annotation says what it seems to say. */
export const namespaceAnnotationList: Rule<"Namespace"> = {
	id: "namespace-annotation-list",
	kind: "Namespace",
	family: "namespace",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "A list in an annotation should not be empty, and a denied suffix should come with its own name",
		why: "An empty list is the same as none, so a template that rendered empty allows whatever the cluster allows. *.example.com covers the names below it and not example.com itself, which a list of denied hosts then leaves open.",
		fix: "Remove the annotation or fill in the list; write both example.com and *.example.com.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: withAnnotations(teamNamespace, {
			"egress.waymark.dev/denied-hosts": "evil.example, *.evil.example",
		}),
		bad: withAnnotations(teamNamespace, {
			"egress.waymark.dev/allowed-hosts": " , ",
			"egress.waymark.dev/denied-hosts": "*.evil.example",
		}),
	},
	*check({ metadata }, { namespace }) {
		const { values } = readNamespaceAnnotations(metadata?.annotations ?? {}, namespace);
		for (const [name, value] of Object.entries(values)) {
			if (Array.isArray(value) && value.length === 0) {
				yield {
					path: ["metadata", "annotations", annotationPrefix + name],
					message: "Lists nothing, which is the same as no list: what the cluster allows is allowed",
					hint: "Fill in the list, or remove the annotation",
				};
			}
		}
		const denied = values["denied-hosts"] ?? [];
		const names = new Set(denied.map(({ text }) => text));
		for (const { text, suffix } of denied) {
			if (suffix !== undefined && !names.has(suffix.slice(1))) {
				yield {
					path: ["metadata", "annotations", `${annotationPrefix}denied-hosts`],
					message: `${mention(text)} does not cover ${mention(suffix.slice(1))} itself, which stays open`,
					hint: `Add ${suffix.slice(1)}, unless it is meant`,
				};
			}
		}
	},
};
