import type { Absence } from "./absence.ts";
import type { Kind, Resources } from "./kinds.ts";
import type { Fact, Rule, RuleContext } from "./rule.ts";

type AnyFact = Fact<Resources[Kind], unknown>;

/** The rules of one kind in their order, and what each of them is about. */
export interface RuleList {
	readonly rules: readonly Rule[];
	/** What the rules name in `when`, each fact once. */
	readonly facts: readonly AnyFact[];
	/** Where the fact of each rule stands in `facts`, in the order of the rules; undefined: the rule is always asked. */
	readonly slots: readonly (number | undefined)[];
	readonly slotOf: ReadonlyMap<unknown, number>;
}

/** Makes the list of rules that judge the same kind. */
export function listRules(rules: readonly Rule[]): RuleList {
	const facts = [...new Set(rules.flatMap(({ when }) => when ?? []))];
	const slotOf = new Map<unknown, number>(facts.map((fact, slot) => [fact, slot]));
	return { rules, facts, slots: rules.map(({ when }) => slotOf.get(when)), slotOf };
}

/** Where facts leave what they asked for and did not find. */
export interface AbsenceRecord {
	/** Changes with each rule that begins. */
	readonly turn: number;
	/** What was asked for in vain since the rule began. */
	absences(): readonly Absence[];
	addAbsences(missing: readonly Absence[]): void;
}

interface Known {
	readonly fact: unknown;
	readonly about: object;
	readonly answer: unknown;
	/** What was asked for in vain on the way: whoever uses the answer rests on that too. */
	readonly missing: readonly Absence[];
	/** The rule for which `missing` was last recorded. */
	turn: number;
}

const nothing: readonly Absence[] = [];

/** What is known of one judged object: every fact is worked out when it is first asked for, and once. */
export class Facts {
	readonly #list: RuleList;
	readonly #object: Resources[Kind];
	readonly #record: AbsenceRecord;
	readonly #answers: (boolean | undefined)[] = [];
	readonly #missing: (readonly Absence[] | undefined)[] = [];
	readonly #known: Known[] = [];

	constructor(list: RuleList, object: Resources[Kind], record: AbsenceRecord) {
		this.#list = list;
		this.#object = object;
		this.#record = record;
	}

	/** Whether what a rule is about is so; true as well where that fails, so that the rule is asked and fails by its name. */
	holds(slot: number, context: RuleContext): boolean {
		const known = this.#answers[slot];
		if (known !== undefined) {
			const missing = this.#missing[slot];
			if (known && missing !== undefined) {
				this.#record.addAbsences(missing);
			}
			return known;
		}
		const before = this.#record.absences().length;
		const answer = this.#ask(slot, context);
		this.#answers[slot] = answer;
		const after = this.#record.absences();
		if (after.length > before) {
			this.#missing[slot] = after.slice(before);
		}
		return answer;
	}

	/** The answer of any fact about any object. A handful are asked besides those of `when`, so a list is searched. */
	know<T extends object, Answer>(fact: Fact<T, Answer>, about: T, context: RuleContext): Answer {
		const slot = about === this.#object ? this.#list.slotOf.get(fact) : undefined;
		if (slot !== undefined) {
			// A fact that a rule names in `when` answers yes or no.
			return this.holds(slot, context) as Answer;
		}
		const { turn } = this.#record;
		for (const known of this.#known) {
			if (known.fact === fact && known.about === about) {
				if (known.missing.length > 0 && known.turn !== turn) {
					known.turn = turn;
					this.#record.addAbsences(known.missing);
				}
				// What was kept with a fact is what it answered.
				return known.answer as Answer;
			}
		}
		const before = this.#record.absences().length;
		const answer = fact(about, context);
		const after = this.#record.absences();
		const missing = after.length > before ? after.slice(before) : nothing;
		this.#known.push({ fact, about, answer, missing, turn });
		return answer;
	}

	#ask(slot: number, context: RuleContext): boolean {
		try {
			return this.#list.facts[slot]?.(this.#object, context) !== false;
		} catch {
			return true;
		}
	}
}
