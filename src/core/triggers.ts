import type { Kind, Resources } from "./kinds.ts";
import type { Rule, RuleContext } from "./rule.ts";

type Question = NonNullable<Rule["silentIf"]>;

/** The rules of one kind in their order, and the questions by which some of them are known to be silent. */
export interface RuleList {
	readonly rules: readonly Rule[];
	readonly questions: readonly Question[];
	/** The rules that are left, by the questions whose answer is yes, one bit each; filled as such answers occur. */
	readonly left: Map<number, readonly Rule[]>;
}

/** Makes the list of rules that judge the same kind. */
export function listRules(rules: readonly Rule[]): RuleList {
	return {
		rules,
		questions: [...new Set(rules.flatMap((rule) => rule.silentIf ?? []))],
		left: new Map([[0, rules]]),
	};
}

/** The rules that may have something to say about an object of the right shape, in their order. */
export function speakersFor(
	{ rules, questions, left }: RuleList,
	object: Resources[Kind],
	context: RuleContext,
): readonly Rule[] {
	let answers = 0;
	for (let bit = 0; bit < questions.length; bit++) {
		if (isYes(questions[bit], object, context)) {
			answers |= 1 << bit;
		}
	}
	let speakers = left.get(answers);
	if (speakers === undefined) {
		speakers = rules.filter(
			({ silentIf }) => silentIf === undefined || (answers & (1 << questions.indexOf(silentIf))) === 0,
		);
		left.set(answers, speakers);
	}
	return speakers;
}

function isYes(question: Question | undefined, object: Resources[Kind], context: RuleContext): boolean {
	try {
		return question?.(object, context) === true;
	} catch {
		// The rules that are then asked fail one by one, each by its own name.
		return false;
	}
}
