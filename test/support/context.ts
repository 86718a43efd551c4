import type { AnyObject } from "../../src/core/kinds.ts";
import type { RuleContext } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { exampleDay, world } from "./rule-example.ts";

/** What a fact about the plain entry of the examples may look at, in a world of these objects. */
export function contextOf(given: readonly AnyObject[], settings: SettingsFile = {}): RuleContext {
	const inventory = world(given, settings);
	const context: RuleContext = {
		kind: "ServiceEntry",
		namespace: "team",
		name: "payments",
		policy: inventory.policy("team"),
		inventory,
		old: undefined,
		requester: undefined,
		today: exampleDay,
		gaps: undefined,
		ruleIds: new Set(),
		know: (question, object) => question(object, context),
	};
	return context;
}
