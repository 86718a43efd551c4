import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasExportTo } from "../../istio/entry/facts.ts";
import { isDnsLabel } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** The list exportTo names namespaces, each once, and does not contradict itself. */
export const serviceentryExportTo: Rule<"ServiceEntry"> = {
	id: "serviceentry-export-to",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: true,
	docs: {
		summary: "The list exportTo names namespaces, each once, and does not contradict itself",
		why: "istiod refuses the object.",
		fix: "Leave exportTo out: ambient ignores it, so it scopes nothing.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateExportTo",
			"istio/istio pkg/config/visibility/visibility.go",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
				exportTo: [".", "."],
			},
		},
	},
	when: hasExportTo,
	check(entry, context) {
		return validateExportTo(entry, context);
	},
};

/** What istiod says about `exportTo` (validateExportTo). */
function* validateExportTo(entry: ServiceEntry, { namespace }: RuleContext): Iterable<ValidationProblem> {
	const { exportTo } = specOf(entry);
	const seen = new Set<string>();
	let deduplicated: readonly string[] | undefined;
	for (const [index, item] of exportTo.entries()) {
		const path = ["spec", "exportTo", index];
		const key = item === "." ? namespace : item;
		if (seen.has(key)) {
			deduplicated ??= withoutDuplicates(exportTo, namespace);
			yield duplicateExport(path, item, key, deduplicated);
		} else if (item === "~" || item === "*" || isDnsLabel(key)) {
			seen.add(key);
		} else {
			yield {
				path,
				istiodMessage: "only .,*, or a valid DNS 1123 label is allowed as exportTo entry",
				message: `${quote(item)} is not a namespace`,
				hint: 'Write the name of a namespace, "." for this one or "*" for all',
			};
		}
	}
	if (seen.has("*") && exportTo.length > 1) {
		yield {
			path: ["spec", "exportTo"],
			istiodMessage: "cannot have both public (*) and non-public exportTo values for a resource",
			message: 'The list exportTo names "*", which is every namespace, and others besides',
			hint: 'Write ["*"], or leave exportTo out, which means the same',
		};
	}
	if (seen.has("~") && exportTo.length > 1) {
		yield {
			path: ["spec", "exportTo"],
			istiodMessage: "cannot export service entry to no one (~) and someone",
			message: 'The list exportTo names "~", which is nobody, and others besides',
			hint: 'Keep "~" or the others',
		};
	}
}

function withoutDuplicates(exportTo: readonly string[], namespace: string): readonly string[] {
	const seen = new Set<string>();
	return exportTo.filter((item) => {
		const key = item === "." ? namespace : item;
		const isFirst = !seen.has(key);
		seen.add(key);
		return isFirst;
	});
}

function duplicateExport(
	path: Path,
	item: string,
	key: string,
	deduplicated: readonly string[],
): ValidationProblem {
	return {
		path,
		// The whole list, since removals by index would get in each other's way.
		fix: [{ op: "set", path: ["spec", "exportTo"], value: deduplicated }],
		istiodMessage:
			key === item
				? `duplicate entries in exportTo for entry ${item}`
				: `duplicate entries in exportTo: . and current namespace ${key}`,
		message: `The list exportTo names ${item === "." ? 'this namespace twice, once as "."' : `${quote(item)} twice`}`,
		hint: "Remove one of them",
	};
}
