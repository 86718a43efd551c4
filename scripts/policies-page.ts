import type { AnnotationRow } from "../src/core/annotations.ts";
import {
	entryAnnotations,
	exemptionAnnotation,
	exemptionPrefix,
	namespaceAnnotations,
} from "../src/core/annotations.ts";
import { renderMarkedPart } from "./marked-part.ts";

/** The page on policies, with its table of every annotation. */
export function renderPoliciesPage(): ReadonlyMap<string, string> {
	const rows: readonly (readonly [string, string, AnnotationRow<unknown>])[] = [
		...Object.entries<AnnotationRow<unknown>>(namespaceAnnotations).map(
			([name, row]) => ["Namespace", name, row] as const,
		),
		["Namespace", `${exemptionPrefix}RULE-ID`, exemptionAnnotation],
		...Object.entries<AnnotationRow<unknown>>(entryAnnotations)
			.filter(([name]) => !Object.hasOwn(namespaceAnnotations, name))
			.map(([name, row]) => ["ServiceEntry", name, row] as const),
	];
	const lines = rows.map(
		([kind, name, { value, meaning }]) => `| ${kind} | \`${name}\` | ${value} | ${meaning} |`,
	);
	const table = ["", "| on | annotation | value | meaning |", "| --- | --- | --- | --- |", ...lines, "", ""];
	return renderMarkedPart("docs/policies.md", "core/annotations.ts", table.join("\n"));
}
