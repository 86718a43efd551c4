import { isFixedOnAdmission } from "../core/engine.ts";
import { formatPath } from "../core/finding.ts";
import type { AnyObject } from "../core/kinds.ts";
import { applyEdits } from "../core/patch.ts";
import type { Rule } from "../core/rule.ts";
import { verdictOnExample } from "./rule-example.ts";

/** A piece of a rule's page, in the order in which it is read. */
export type PagePart =
	| { readonly heading: string }
	| { readonly text: string }
	/** An object, shown as YAML. */
	| { readonly example: unknown }
	/** What Waymark says of the refused example: fields with their sentences. */
	| { readonly said: readonly { readonly path: string; readonly sentence: string }[] }
	| { readonly list: readonly string[] };

/**
 * The page of a rule below its head, as the documentation and `waymark explain` both show it. What Waymark says of the example
 * is asked of the rule itself.
 * @throws Error when the rule fails on its own example
 */
export function rulePageParts(rule: Rule): readonly PagePart[] {
	const { docs } = rule;
	const verdict = verdictOnExample(rule, docs.bad as AnyObject);
	if (verdict.faults[0] !== undefined) {
		throw verdict.faults[0].error;
	}
	const fixes = verdict.findings.flatMap((finding) => finding.fix ?? []);
	const said = verdict.findings.map(({ path, message, hint }) => ({
		path: formatPath(path),
		sentence: hint === undefined ? message : `${message}. ${hint}`,
	}));
	const fixer = isFixedOnAdmission(rule) ? "the webhook" : "`waymark lint --fix`";
	return [
		{ heading: "Why" },
		{ text: docs.why },
		{ heading: "How to fix it" },
		{ text: docs.fix },
		{ heading: "Refused or reported" },
		{ example: docs.bad },
		{ text: "Waymark says:" },
		{ said },
		...shown(fixes.length > 0, `Fixed by ${fixer}:`, () => [applyEdits(docs.bad, fixes)]),
		{ heading: "Accepted" },
		{ example: docs.good },
		...givenParts(rule),
		{ heading: "Sources" },
		{ list: docs.sources },
	];
}

/** What surrounds the examples: they mean nothing without it. */
function givenParts({ docs }: Rule): readonly PagePart[] {
	const { given = [], settings, mesh, old, requester } = docs;
	return [
		...shown(given.length > 0, "Both examples live in a cluster with:", () => given),
		...shown(settings !== undefined, "and this cluster configuration:", () => [settings]),
		...shown(mesh !== undefined, "and a mesh of which is known:", () => [mesh]),
		...shown(old !== undefined, "Both replace:", () => [old]),
		...shown(requester !== undefined, "Both are written by:", () => [requester]),
	];
}

function shown(isShown: boolean, text: string, examples: () => readonly unknown[]): readonly PagePart[] {
	return isShown ? [{ text }, ...examples().map((example) => ({ example }))] : [];
}
