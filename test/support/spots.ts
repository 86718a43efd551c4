import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import { findings } from "./rule-example.ts";

/** Where a rule sees something and how bad it is: `["error spec.hosts[0]"]`. */
export function spots(
	rule: Rule<never> | Rule,
	object: unknown,
	given: readonly AnyObject[] = [],
): readonly string[] {
	return findings([rule as Rule], object as AnyObject, given).map(
		({ severity, path }) => `${severity} ${formatPath(path)}`,
	);
}
