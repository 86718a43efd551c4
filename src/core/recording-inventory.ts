import type { Absence } from "./absence.ts";
import type { AbsenceRecord } from "./facts.ts";
import type { Indexed, IndexName } from "./indexes.ts";
import type { Inventory, WorldFact } from "./inventory.ts";
import type { Kind, Resources } from "./kinds.ts";
import { PassingInventory } from "./passing-inventory.ts";
import type { Policy } from "./policy.ts";
import type { IsSpent } from "./verdict-cut.ts";
import { VerdictCut } from "./verdict-cut.ts";

/** So many questions are asked between two looks at the clock; a plain entry asks a few dozen in all. */
const questionsBetween = 512;

const questionsPerObject = 32;

/** More absences than this are not noted: nobody asks the API server for so many before a denial. */
const mostMissing = 65_536;

interface Known {
	readonly answer: unknown;
	/** The scope that rests on it already. */
	scope: number;
	/** What was asked for and not found on the way: whoever uses the answer rests on that too. */
	readonly missing: readonly Absence[];
}

/** What one fact says: of what it was first asked about by itself, for most facts are asked about one thing. */
interface Answers {
	readonly fact: unknown;
	readonly about: unknown;
	readonly known: Known;
	others: Map<unknown, Known> | undefined;
	/** Those of the fact that was asked before: few are, so a list is searched. */
	readonly before: Answers | undefined;
}

const nothing: readonly Absence[] = [];

/**
 * Passes every question on and remembers which objects were asked for and not found since the last `begin`. Ends a
 * judgement that is spent at the next question.
 */
export class RecordingInventory extends PassingInventory implements AbsenceRecord {
	#missing: Absence[] = [];
	#questions = 0;
	/** What rests on absences of its own: a rule, and each fact. */
	#scope = 0;
	#scopes = 0;
	#answers: Answers | undefined;
	/** That of a namespace which nobody knows is made at every question. */
	#policies: Map<string, Policy> | undefined;
	readonly #isSpent: IsSpent | undefined;

	constructor(inner: Inventory, isSpent?: IsSpent) {
		super(inner);
		this.#isSpent = isSpent;
	}

	/** Forgets what was missing: another rule begins. */
	begin(): void {
		this.#scope = ++this.#scopes;
		if (this.#missing.length > 0) {
			this.#missing = [];
		}
	}

	mark(): number {
		this.#scope = ++this.#scopes;
		return this.#missing.length;
	}

	absences(): readonly Absence[] {
		return this.#missing;
	}

	absencesSince(mark: number): readonly Absence[] {
		return this.#missing.length > mark ? this.#missing.slice(mark) : nothing;
	}

	addAbsences(missing: readonly Absence[]): void {
		for (const each of missing) {
			this.#note(each);
		}
	}

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		this.#count();
		const object = this.inner.get(kind, namespace, name);
		if (object === undefined) {
			this.#note({ kind, namespace, name });
		}
		return object;
	}

	override inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		this.#count();
		const found = this.inner.inNamespace(kind, namespace);
		// There are none of most kinds.
		return Array.isArray(found) ? found : this.#counted(found);
	}

	/** A rule may do much with each object of a namespace and ask nothing, so that each counts as many questions. */
	*#counted<T>(objects: Iterable<T>): Iterable<T> {
		for (const object of objects) {
			yield object;
			this.#count(questionsPerObject);
		}
	}

	override lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		this.#count();
		return this.inner.lookup(name, key);
	}

	override policy(namespace: string): Policy {
		this.#policies ??= new Map();
		let policy = this.#policies.get(namespace);
		if (policy === undefined) {
			policy = this.inner.policy(namespace);
			this.#policies.set(namespace, policy);
		}
		return policy;
	}

	override know<T extends object | string, Answer>(fact: WorldFact<T, Answer>, about: T): Answer {
		const answers = this.#answersOf(fact);
		const known = answers?.about === about ? answers.known : answers?.others?.get(about);
		if (known !== undefined) {
			if (known.scope !== this.#scope) {
				known.scope = this.#scope;
				this.addAbsences(known.missing);
			}
			// What was kept with a fact is what it answered.
			return known.answer as Answer;
		}
		const scope = this.#scope;
		const mark = this.mark();
		const answer = fact(about, this);
		this.#keep(fact, about, { answer, missing: this.absencesSince(mark), scope });
		// Nothing was forgotten meanwhile, so what rested on something does so still.
		this.#scope = scope;
		return answer;
	}

	#answersOf(fact: unknown): Answers | undefined {
		let answers = this.#answers;
		while (answers !== undefined && answers.fact !== fact) {
			answers = answers.before;
		}
		return answers;
	}

	#keep(fact: unknown, about: unknown, known: Known): void {
		// The fact may have been asked about something else meanwhile.
		const answers = this.#answersOf(fact);
		if (answers === undefined) {
			this.#answers = { fact, about, known, others: undefined, before: this.#answers };
		} else {
			answers.others ??= new Map();
			answers.others.set(about, known);
		}
	}

	#count(questions = 1): void {
		this.#questions += questions;
		if (this.#questions >= questionsBetween) {
			this.#questions = 0;
			if (this.#isSpent?.() === true) {
				throw new VerdictCut();
			}
		}
	}

	#note(absence: Absence): void {
		if (this.#missing.length === 0) {
			// Most judgements miss one thing, and what is pushed makes room for many.
			this.#missing = [absence];
		} else if (this.#missing.length < mostMissing) {
			this.#missing.push(absence);
		}
	}
}
