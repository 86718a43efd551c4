import type { Absence } from "./absence.ts";
import type { Kind, Resources } from "./kinds.ts";
import type { Fact, Rule, RuleContext } from "./rule.ts";
import { VerdictCut } from "./verdict-cut.ts";

type AnyFact = Fact<Resources[Kind], unknown>;

/** The rules of one kind in their order, and what each of them is about. */
export interface RuleList {
	readonly rules: readonly Rule[];
	/** What the rules name in `when`, each fact once. */
	readonly facts: readonly AnyFact[];
	readonly slotOf: ReadonlyMap<unknown, number>;
	/** The places of all rules, and of those that are always asked; in their order. */
	readonly all: readonly number[];
	readonly always: readonly number[];
	/** For each rule the slot of the fact that it is about; undefined: it is always asked. */
	readonly slots: readonly (number | undefined)[];
	/** An answer for each fact: none is known. */
	readonly unknown: readonly Answer[];
}

/** Whether a fact holds: 0 where that is not known. */
type Answer = 0 | 1 | 2;

const unknown = 0;
const no = 1;
const yes = 2;

/** Makes the list of rules that judge the same kind. */
export function listRules(rules: readonly Rule[]): RuleList {
	const facts = [...new Set(rules.flatMap(({ when }) => when ?? []))];
	const slotOf = new Map<unknown, number>(facts.map((fact, slot) => [fact, slot]));
	const all = [...rules.keys()];
	return {
		rules,
		facts,
		slotOf,
		all,
		always: all.filter((place) => rules[place]?.when === undefined),
		slots: rules.map(({ when }) => slotOf.get(when)),
		unknown: facts.map(() => unknown),
	};
}

/** Where facts leave what they asked for and did not find. */
export interface AbsenceRecord {
	/** A rule begins: nothing is missing for it yet. */
	begin(): void;
	/** How much was asked for and not found since the rule began: what comes from now on can be told from it. */
	mark(): number;
	/** What was asked for and not found since the rule began. */
	absences(): readonly Absence[];
	/** What was asked for and not found since there was so much. */
	absencesSince(mark: number): readonly Absence[];
	addAbsences(missing: readonly Absence[]): void;
}

/** A list from the last to the first: most judgements know three things, for which an array is much. */
interface Known {
	readonly fact: unknown;
	readonly about: object;
	readonly answer: unknown;
	/** What was asked for and not found on the way: whoever uses the answer rests on that too. */
	readonly missing: readonly Absence[];
	readonly before: Known | undefined;
}

/** What the answer at a place rests on not being there: a list from the last to the first. */
interface Ground {
	readonly slot: number;
	readonly missing: readonly Absence[];
	readonly before: Ground | undefined;
}

/** What is known of one judged object: every fact is worked out when it is first asked for, and once. */
export class Facts {
	readonly #list: RuleList;
	readonly #object: Resources[Kind];
	readonly #record: AbsenceRecord;
	/** By the place of a fact in the list. */
	readonly #answers: Answer[];
	/** What those answers rest on not being there; most rest on nothing. */
	#grounds: Ground | undefined;
	/** What is known besides those answers, of the object itself and of others. */
	#known: Known | undefined;

	constructor(list: RuleList, object: Resources[Kind], record: AbsenceRecord) {
		this.#list = list;
		this.#object = object;
		this.#record = record;
		this.#answers = list.unknown.slice();
	}

	/** The places of the rules to ask: those that are about what holds, and those that are about nothing. */
	concerned(context: RuleContext): readonly number[] {
		const { facts, all, always, slots } = this.#list;
		const answers = this.#answers;
		let holds = false;
		for (let slot = 0; slot < facts.length; slot++) {
			holds = this.#holds(slot, context) || holds;
		}
		if (!holds) {
			return always;
		}
		return all.filter((place) => {
			const slot = slots[place];
			return slot === undefined || answers[slot] === yes;
		});
	}

	/** A rule begins: it rests on what its fact rests on. */
	begin({ when }: Rule): void {
		this.#record.begin();
		if (this.#grounds !== undefined) {
			this.#restOn(this.#groundOf(this.#list.slotOf.get(when)));
		}
	}

	/** The answer of any fact about any object. A handful are asked besides those of `when`, so a list is searched. */
	know<T extends object, A>(fact: Fact<T, A>, about: T, context: RuleContext): A {
		for (let known = this.#known; known !== undefined; known = known.before) {
			if (known.fact === fact && known.about === about) {
				this.#restOn(known.missing);
				// What was kept with a fact is what it answered.
				return known.answer as A;
			}
		}
		const slot = about === this.#object ? this.#list.slotOf.get(fact) : undefined;
		if (slot !== undefined) {
			const answer = this.#holds(slot, context);
			this.#restOn(this.#groundOf(slot));
			// A fact that a rule names in `when` answers yes or no.
			return answer as A;
		}
		const mark = this.#record.mark();
		const answer = fact(about, context);
		this.#known = { fact, about, answer, missing: this.#record.absencesSince(mark), before: this.#known };
		return answer;
	}

	#groundOf(slot: number | undefined): readonly Absence[] | undefined {
		let ground = this.#grounds;
		while (ground !== undefined && ground.slot !== slot) {
			ground = ground.before;
		}
		return ground?.missing;
	}

	#restOn(missing: readonly Absence[] | undefined): void {
		if (missing !== undefined && missing.length > 0) {
			this.#record.addAbsences(missing);
		}
	}

	#holds(slot: number, context: RuleContext): boolean {
		let answer = this.#answers[slot];
		if (answer === unknown) {
			answer = this.#workOut(slot, context) ? yes : no;
			this.#answers[slot] = answer;
		}
		return answer === yes;
	}

	/** True as well where a fact fails. */
	#workOut(slot: number, context: RuleContext): boolean {
		const record = this.#record;
		const mark = record.mark();
		let holds = true;
		try {
			holds = this.#list.facts[slot]?.(this.#object, context) !== false;
		} catch (error) {
			if (error instanceof VerdictCut) {
				throw error;
			}
			// The rules that are then asked fail by their names.
		}
		const missing = record.absencesSince(mark);
		if (missing.length > 0) {
			this.#grounds = { slot, missing, before: this.#grounds };
		}
		return holds;
	}
}
