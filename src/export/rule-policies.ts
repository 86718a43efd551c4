import { annotationPrefix, exemptionPrefix } from "../core/annotations.ts";
import type { CelProblem } from "../core/cel.ts";
import { celTemplate, celText } from "../core/cel.ts";
import { withContact } from "../core/finding.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { Rule } from "../core/rule.ts";
import { rulePage } from "../core/rule.ts";
import type { Settings } from "../core/settings.ts";
import { excesses } from "./admission-bounds.ts";
import { gathered, withConstants, wordsIn } from "./admission-records.ts";
import type { CelVariable } from "./admission-words.ts";
import {
	ambientWord,
	entryWords,
	gatewayWords,
	listWords,
	malformedWords,
	modeWord,
	namespaceWords,
	plainBinding,
	plainEntry,
	sidecarWords,
	tableWords,
	waypointWords,
} from "./admission-words.ts";
import type { Manifest } from "./mesh-table.ts";
import { tableKind, tableVersion } from "./mesh-table.ts";
import type { Action, BackstopOptions, Operation } from "./policy-objects.ts";
import {
	binding,
	bothOperations,
	judgedNamespaces,
	labelled,
	restorerConditions,
	writesOf,
} from "./policy-objects.ts";

/** The rules of which the API server holds something by itself, with their CEL, in the order of the table. */
export function coveredRules(rules: readonly Rule[], { severities }: Settings): readonly Rule[] {
	return rules.filter(
		(rule) => rule.cel !== undefined && (severities.get(rule.id) ?? rule.severity) === "error",
	);
}

/** The rules about Namespaces that have a policy of their own, each with what of it only Waymark holds. */
export const namespaceRules: ReadonlyMap<string, string | undefined> = new Map([
	["namespace-annotation", undefined],
	["namespace-editor", undefined],
	["namespace-label", "labels that only the selector of a waypoint or of istiod names"],
]);

/** A policy that is made of rules; `-mesh`: of what the table says of other objects. */
export type RulePolicyName = "waymark" | "waymark-sidecar" | "waymark-mesh" | "waymark-mesh-sidecar";

interface Plan {
	readonly isAbout: (kind: Kind) => boolean;
	/** What it knows: the object and its namespace, or the table of other objects as well. */
	readonly needs: CelProblem["needs"];
	/** The words that its rules may use besides those that all may. */
	readonly words: (settings: Settings) => readonly CelVariable[];
	/** The list of the object and the one that it replaces, as rules see them. */
	readonly subjects: string;
	/** Whether creations and updates have a policy each: only updates need a condition, and to work one out costs a creation a seventh. */
	readonly isDivided?: boolean;
	/** What tells cheaply that there is nothing to find: by the object and the table alone, or with the namespace. */
	readonly isPlain?: string;
	readonly isPlainHere?: (settings: Settings) => string | undefined;
}

const isEntry = (kind: Kind): boolean => kind === "ServiceEntry";
const isOther = (kind: Kind): boolean => kind !== "ServiceEntry" && kind !== "Namespace";

const plans: { readonly [Name in RulePolicyName]: Plan } = {
	waymark: {
		isAbout: isEntry,
		needs: undefined,
		words: entryWords,
		subjects: "variables.entries",
		isDivided: true,
		isPlainHere: plainEntry,
	},
	"waymark-sidecar": {
		isAbout: isOther,
		needs: undefined,
		words: () => sidecarWords,
		subjects: "variables.entries",
		isPlainHere: () => "!variables.ambient",
	},
	"waymark-mesh": {
		isAbout: isEntry,
		needs: "table",
		words: (settings) => [...entryWords(settings), tableWords(settings)],
		subjects: "variables.bound",
		isPlain: plainBinding,
	},
	"waymark-mesh-sidecar": {
		isAbout: isOther,
		needs: "table",
		words: () => sidecarWords,
		subjects: "variables.entries",
		isPlainHere: () => "!variables.ambient",
	},
};

/** One such policy, once for each action, each with its binding. */
export function rulePolicies(options: BackstopOptions, name: RulePolicyName): readonly Manifest[] {
	const plan = plans[name];
	const chosen = chosenRules(options, plan);
	const words = [
		...sharedWords(options.settings),
		...plan.words(options.settings),
		...findingWords(chosen, plan, options.settings),
		daysWord,
	];
	return options.actions.flatMap((action) =>
		partsOf(name, action).flatMap((part) => policy(options, part, words, chosen)),
	);
}

/** A policy of a family: what it does about what it finds, in which writes. */
interface Part {
	readonly family: RulePolicyName;
	readonly action: Action;
	readonly name: string;
	readonly operations: readonly Operation[];
}

function partsOf(family: RulePolicyName, action: Action): readonly Part[] {
	const name = action === "deny" ? family : `${family}-${action}`;
	return plans[family].isDivided === true
		? [
				{ family, action, name: `${name}-updates`, operations: ["UPDATE"] },
				// The API server takes policies in the order in which they come: with this one in force, the other is, too.
				{ family, action, name, operations: ["CREATE"] },
			]
		: [{ family, action, name, operations: bothOperations }];
}

/** What a policy holds of a rule. */
interface Chosen {
	readonly id: string;
	readonly kind: Kind;
	/** Of one line, for a comment. */
	readonly summary: string;
	readonly problems: readonly CelProblem[];
	readonly isCostly: boolean;
}

function chosenRules({ rules, settings }: BackstopOptions, { isAbout, needs }: Plan): readonly Chosen[] {
	return coveredRules(rules, settings)
		.filter((rule) => isAbout(rule.kind))
		.map(({ id, kind, docs, cel }) => ({
			id,
			kind,
			summary: docs.summary,
			problems: (cel?.problems ?? []).filter((each) => each.needs === needs),
			isCostly: cel?.isCostly === true,
		}))
		.filter(({ problems }) => problems.length > 0);
}

/** What rules may say of the namespace and its policy. */
function sharedWords(settings: Settings): readonly CelVariable[] {
	return [
		...namespaceWords,
		...malformedWords("request.namespace"),
		...listWords(settings),
		ambientWord(settings),
		...waypointWords(settings),
		...gatewayWords(settings),
	];
}

/**
 * What all rules find, as a list of texts for the object and one for the object that it replaces. The API server bounds
 * what an expression may cost, so rules that compare long lists have words of their own; each word costs every write.
 */
function findingWords(chosen: readonly Chosen[], plan: Plan, settings: Settings): readonly CelVariable[] {
	const word = (name: string, from: readonly Chosen[], ofWhole: boolean): CelVariable => ({
		name,
		expression: findingsOf(from, plan, settings, ofWhole),
	});
	const costly = chosen.filter(({ isCostly }) => isCostly);
	if (costly.length === 0) {
		return [word("ofItems", chosen, false), word("ofWhole", chosen, true)];
	}
	const others = chosen.filter(({ isCostly }) => !isCostly);
	const own = (ofWhole: boolean): readonly CelVariable[] =>
		costly
			.filter(({ problems }) => problems.some((problem) => isWhole(problem) === ofWhole))
			.map((each) => word(each.id.replaceAll("-", "_") + (ofWhole ? "_whole" : ""), [each], ofWhole));
	const items = [word("ofOtherItems", others, false), ...own(false)];
	const whole = [word("ofOthers", [...others, oversized], true), ...own(true)];
	return [...items, ...whole, together("ofItems", items), together("ofWhole", whole)];
}

const oversized: Chosen = {
	id: "object-size",
	kind: "ServiceEntry",
	summary: "An entry must be small enough to be judged",
	problems: excesses,
	isCostly: false,
};

/** Lists of findings for the object and the one that it replaces as one such list. */
function together(name: string, words: readonly CelVariable[]): CelVariable {
	const all = words.map((word) => `variables.${word.name}[i]`).join(" +\n    ");
	return { name, expression: `(oldObject == null ? [0] : [0, 1]).map(i,\n    ${all === "" ? none : all})` };
}

const none = "[''].filter(f, false)";

function findingsOf(
	chosen: readonly Chosen[],
	{ subjects }: Plan,
	settings: Settings,
	whole: boolean,
): string {
	const parts = chosen.flatMap(({ id, kind, summary, problems }) => {
		const found = problems
			.filter((problem) => isWhole(problem) === whole)
			.map((problem) => findingOf(id, contacted(problem, settings)));
		const guard = kind === "ServiceEntry" ? "" : `variables.kind != ${celText(kinds[kind].kind)} ? [] :\n`;
		return found.length === 0
			? []
			: [`// ${summary}\n${guard === "" ? found.join(" +\n") : `(${guard}${found.join(" +\n")})`}`];
	});
	return `${subjects}.map(e,\n${indent(parts.length === 0 ? none : parts.join(" +\n"), 1)})`;
}

const isWhole = (problem: CelProblem): boolean => problem.isAboutWhole ?? problem.each === undefined;

function contacted(problem: CelProblem, { contact }: Settings): CelProblem {
	return contact === undefined ? problem : { ...problem, hint: withContact(problem.hint, contact) };
}

function findingOf(id: string, { each, when, path, message, hint }: CelProblem): string {
	const text = celTemplate(`${id}: ${path}: ${message}. ${hint}`);
	if (each === undefined) {
		return `(${when}\n  ? [${indent(text, 2).trimStart()}]\n  : [])`;
	}
	const [item, list] = each;
	const chosen = when === "true" ? list : `${list}.filter(${item},\n${indent(when, 1)})`;
	return `${chosen}.map(${item},\n${indent(text, 1)})`;
}

/** The days of this very change: CEL has no clock, but the API server has written the time before it asks. */
const daysWord: CelVariable = {
	name: "days",
	expression: `([string(object.metadata.?creationTimestamp.orValue(''))] +
  object.metadata.?managedFields.orValue([]).map(m, string(m.?time.orValue(''))))
  .filter(t, t.size() > 9).map(t, t.substring(0, 10))`,
};

const everyFinding = "variables.ofItems[0] + variables.ofWhole[0]";

/** What counts of all that is found: an update is refused for what it brings, not for what was there. */
function freshFindings({ family, operations }: Part): string {
	const exemption = celText(annotationPrefix + exemptionPrefix);
	const isOfEntries = plans[family].isAbout("ServiceEntry");
	const ofUpdates = `variables.ofItems[0].filter(f, !(f in variables.ofItems[1]) ||
    (variables.ofItems[0].size() > ${fewFindings} ? variables.ofItems[0].size() > variables.ofItems[1].size() :
      variables.ofItems[0].filter(g, g == f).size() > variables.ofItems[1].filter(g, g == f).size())${isOfEntries ? " ||\n    variables.addsHosts && f.split(': ')[1] != 'spec.hosts'" : ""}) +
  variables.ofWhole[0].filter(f, !(f in variables.ofWhole[1])${isOfEntries ? " || variables.widensEgress" : ""})`;
	const ofBoth = `oldObject == null ? ${everyFinding} :\n  ${ofUpdates}`;
	const counted = operations.length > 1 ? ofBoth : operations.includes("UPDATE") ? ofUpdates : everyFinding;
	return `(${counted})
.filter(f, !variables.annotations[?${exemption} + f.split(':')[0]]
  .optMap(x, !(${exemption} + f.split(':')[0] in variables.malformed) &&
    variables.days.all(d, d <= x.split('until=')[1].trim().substring(0, 10))).orValue(false))`;
}

/** What a policy does something about; where it only tells of it, old mistakes count, too. */
function actionWord(part: Part, settings: Settings): CelVariable {
	const { action } = part;
	const found = action === "deny" ? freshFindings(part) : everyFinding;
	return {
		name: "findings",
		expression: `(${modeWord(settings).expression}) != '${modeOf[action]}' ? [] :\n${found}`,
	};
}

const modeOf: { readonly [A in Action]: string } = { deny: "enforce", warn: "warn", audit: "audit" };
const actionsOf: { readonly [A in Action]: readonly string[] } = {
	deny: ["Deny", "Audit"],
	warn: ["Warn", "Audit"],
	audit: ["Audit"],
};

function policy(
	options: BackstopOptions,
	part: Part,
	given: readonly CelVariable[],
	chosen: readonly Chosen[],
): readonly Manifest[] {
	const { family, action, name, operations } = part;
	const { needs, isPlainHere } = plans[family];
	const isFine = isPlainHere?.(options.settings);
	const { words, expressions } = fewerWords([...given, actionWord(part, options.settings)], {
		expression: `${isFine === undefined ? "" : `${isFine} ||\n`}variables.findings.size() == 0`,
		messageExpression: `${isFine === undefined ? "" : `${isFine} ? '' :\n  `}[variables.findings.map(f, f + ' (' + ${celText(rulePage("", options.settings))} + f.split(':')[0] + ')')].map(l,
    // The first of them, since CEL has no other way to cut a list that does not take time for each two items.
    (l.join('\\n') + '\\n').split('\\n', ${mostListed + 1}).filter(f, f != '' && !f.contains('\\n')).join('; ') +
    (l.size() > ${mostListed} ? '; and ' + string(l.size() - ${mostListed}) + ' more' : ''))[0]`,
	});
	const validation = {
		expression: expressions.expression,
		reason: "Forbidden",
		message: "Refused by the egress policy of this namespace; there is too much to list",
		messageExpression: expressions.messageExpression,
	};
	return [
		{
			apiVersion: "admissionregistration.k8s.io/v1",
			kind: "ValidatingAdmissionPolicy",
			metadata: { name, ...labelled(options) },
			spec: {
				failurePolicy: action === "deny" && needs === undefined ? "Fail" : "Ignore",
				...(needs === undefined ? {} : { paramKind: { apiVersion: tableVersion, kind: tableKind } }),
				matchConstraints: {
					matchPolicy: "Equivalent",
					namespaceSelector: judgedNamespaces(options),
					objectSelector: {},
					resourceRules: writesOf(
						chosen.map(({ kind }) => kind),
						operations,
					),
				},
				...matchConditions(part, options.settings),
				variables: words.map(({ name: word, expression }) => ({ name: word, expression })),
				validations: [validation, ...(tellsOfAge(part) ? [vouchedFor] : [])],
			},
		},
		binding(options, name, actionsOf[action], needs === "table"),
	];
}

/** What must be so for a policy to look at a write. No list is printed where there is none, as the API server keeps none. */
function matchConditions(part: Part, settings: Settings): { readonly matchConditions?: readonly object[] } {
	const conditions = [
		...changeConditions(part),
		...(part.operations.includes("CREATE") ? restorerConditions(settings) : []),
	];
	return conditions.length === 0 ? {} : { matchConditions: conditions };
}

/** One condition at most, since each is evaluated whatever the others say. */
function changeConditions(part: Part): readonly object[] {
	const { isPlain } = plans[part.family];
	const changes = changedIn(part.operations);
	// Who vouches for the table concerns plain entries, too.
	if (isPlain !== undefined && !tellsOfAge(part)) {
		return [{ name: "unsettled", expression: `(${changes}) &&\n!(${isPlain})` }];
	}
	return part.operations.includes("UPDATE") ? [{ name: "changed", expression: changes }] : [];
}

/** Whether a policy warns that nobody has vouched for the table that it reads. */
function tellsOfAge({ family, action }: Part): boolean {
	return action === "warn" && plans[family].needs === "table";
}

interface Expressions {
	readonly expression: string;
	readonly messageExpression: string;
}

/** The words of a policy, and its expressions by them: as few as its cost in one expression allows. */
function fewerWords(
	given: readonly CelVariable[],
	{ expression, messageExpression }: Expressions,
): { readonly words: readonly CelVariable[]; readonly expressions: Expressions } {
	const fixed = withConstants(given);
	const rewrites = [fixed.rewrite];
	let words = usedBy(fixed.words, [expression, messageExpression]);
	for (const [record, fields] of records) {
		const fewer = gathered(record, fields, words);
		words = fewer.words;
		rewrites.push(fewer.rewrite);
	}
	const rewritten = (text: string): string => rewrites.reduce((written, rewrite) => rewrite(written), text);
	return {
		words,
		expressions: { expression: rewritten(expression), messageExpression: rewritten(messageExpression) },
	};
}

/** The words that are asked for together, and not once for each of many hosts: a field costs more of what an expression may. */
const records: ReadonlyMap<string, ReadonlySet<string>> = new Map([
	[
		"policy",
		new Set([
			"labels",
			"allowedPorts",
			"allowedProtocols",
			"listLength",
			"listPatterns",
			"ambient",
			"named",
			"inherited",
			"wanted",
		]),
	],
	["change", new Set(["days", "addsHosts", "widensEgress"])],
	["found", new Set(["ofItems", "ofWhole"])],
]);

/** The words that expressions use, and those that they use in turn: the API server sets up each that is declared four times a write. */
function usedBy(words: readonly CelVariable[], expressions: readonly string[]): readonly CelVariable[] {
	const wanted = new Set(expressions.flatMap(wordsIn));
	const used: CelVariable[] = [];
	// A word uses only those before it.
	for (const word of words.toReversed()) {
		if (wanted.has(word.name)) {
			used.unshift(word);
			for (const name of wordsIn(word.expression)) {
				wanted.add(name);
			}
		}
	}
	return used;
}

/**
 * Whether the table was written within ten minutes: twice the time after which its keeper writes it anew, changed or not.
 * CEL has no clock, but the API server has written the time of this very change into `managedFields`.
 */
const vouchedFor = {
	expression: `object.metadata.?managedFields.orValue([]).all(m, !has(m.time) ||
  timestamp(string(m.time)) - timestamp(string(params.spec.written)) < duration('600s'))`,
	message:
		"Waymark has not vouched for its table of waypoints for ten minutes, so what policies say of them may be old. Ask the platform team whether Waymark runs",
};

/** What leaves spec and labels alone has only mistakes that it had before. */
const changedIn = (operations: readonly Operation[]): string =>
	`${operations.includes("CREATE") ? "oldObject == null || " : ""}object.?spec != oldObject.?spec ||
object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})`;

function indent(text: string, by: number): string {
	return text.replaceAll(/^(?=.)/gm, "  ".repeat(by));
}

const mostListed = 8;

/** Of more findings, those that are there several times are counted together. */
const fewFindings = 64;
