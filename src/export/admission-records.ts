import type { CelVariable } from "./admission-words.ts";

/** Words and the expressions that ask for them. */
export interface Worded {
	readonly words: readonly CelVariable[];
	/** Rewrites an expression that asks for words to what stands for them now. */
	readonly rewrite: (expression: string) => string;
}

/** Literals where they are asked for, instead of words that each write pays for. */
export function withConstants(words: readonly CelVariable[]): Worded {
	const constants = new Map(
		words.filter(({ isConstant }) => isConstant).map(({ name, expression }) => [name, expression]),
	);
	const rewrite = (expression: string): string =>
		expression.replaceAll(wordForm, (word, name: string) => constants.get(name) ?? word);
	return {
		words: rewritten(
			words.filter(({ isConstant }) => !isConstant),
			rewrite,
		),
		rewrite,
	};
}

/**
 * Several words as the fields of one: the API server sets up every word of a policy four times a write, whether anything asks
 * for it or not. The fields are all worked out when one of them is asked for; those that ask for others of the record come
 * after them.
 */
export function gathered(record: string, fields: ReadonlySet<string>, words: readonly CelVariable[]): Worded {
	const inside = words.filter(({ name }) => fields.has(name));
	if (inside.length < 2) {
		return { words, rewrite: (expression) => expression };
	}
	const names = new Set(inside.map(({ name }) => name));
	const within = (owner: string, expression: string): string =>
		expression.replaceAll(wordForm, (word, name: string) => (names.has(name) ? `${owner}.${name}` : word));
	const rewrite = (expression: string): string => within(`variables.${record}`, expression);
	const gatheredWord = { name: record, expression: recordOf(inside, within) };
	const last = words.findLastIndex(({ name }) => names.has(name));
	const others = words.flatMap((word, index) =>
		index === last
			? [gatheredWord]
			: names.has(word.name)
				? []
				: [{ ...word, expression: rewrite(word.expression) }],
	);
	return { words: others, rewrite };
}

const wordForm = /\bvariables\.(\w+)/g;

/** The words that an expression asks for, each as often as it does. */
export function wordsIn(expression: string): readonly string[] {
	return [...expression.matchAll(wordForm)].map(([, name = ""]) => name);
}

function rewritten(
	words: readonly CelVariable[],
	rewrite: (expression: string) => string,
): readonly CelVariable[] {
	return words.map((word) => ({ ...word, expression: rewrite(word.expression) }));
}

/** A map of the words, in layers: each is made of the one before it and of what asks for nothing that is still to come. */
function recordOf(
	words: readonly CelVariable[],
	within: (owner: string, expression: string) => string,
): string {
	const layers = new Map<string, number>();
	for (const { name, expression } of words) {
		const asked = wordsIn(expression).map((word) => (layers.get(word) ?? -1) + 1);
		layers.set(name, Math.max(0, ...asked));
	}
	const layerOf = ({ name }: CelVariable): number => layers.get(name) ?? 0;
	const field = (name: string, expression: string): string => `'${name}': dyn(${expression})`;
	const layer = (index: number): string => {
		const carried = words
			.filter((word) => layerOf(word) < index)
			.map(({ name }) => field(name, `known.${name}`));
		const added = words
			.filter((word) => layerOf(word) === index)
			.map(({ name, expression }) => field(name, within("known", expression)));
		return `{\n    ${[...carried, ...added].join(",\n    ")}}`;
	};
	const depth = Math.max(...layers.values());
	const further = Array.from({ length: depth }, (_, index) => `\n  .map(known, ${layer(index + 1)})`);
	return depth === 0 ? layer(0) : `[${layer(0)}]${further.join("")}[0]`;
}
