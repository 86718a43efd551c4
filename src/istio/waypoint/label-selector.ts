import { quote } from "../../core/finding.ts";
import type { LabelSelector } from "../../core/kinds.ts";

type Labels = Readonly<Record<string, string>>;

const prefixForm = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const nameForm = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** What is wrong with a label selector, as Kubernetes reads one; undefined when it is well-formed. */
export function selectorFault(selector: LabelSelector | null | undefined): string | undefined {
	for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) {
		const fault = keyFault(key) ?? valueFault(value);
		if (fault !== undefined) {
			return fault;
		}
	}
	for (const { key, operator, values } of selector?.matchExpressions ?? []) {
		const fault =
			keyFault(key ?? "") ?? operatorFault(operator ?? "", values?.length ?? 0) ?? firstFault(values ?? []);
		if (fault !== undefined) {
			return fault;
		}
	}
	return undefined;
}

// k8s.io/apimachinery pkg/labels/selector.go: NewRequirement
function operatorFault(operator: string, values: number): string | undefined {
	switch (operator) {
		case "In":
		case "NotIn":
			return values > 0 ? undefined : `operator ${operator} needs at least one value`;
		case "Exists":
		case "DoesNotExist":
			return values === 0 ? undefined : `operator ${operator} takes no values`;
		default:
			return `${quote(operator)} is not an operator of a label selector`;
	}
}

// k8s.io/apimachinery pkg/util/validation: IsQualifiedName
function keyFault(key: string): string | undefined {
	const slash = key.indexOf("/");
	const prefix = slash < 0 ? undefined : key.slice(0, slash);
	const name = key.slice(slash + 1);
	const valid =
		nameForm.test(name) &&
		name.length <= 63 &&
		(prefix === undefined || (prefixForm.test(prefix) && prefix.length <= 253));
	return valid ? undefined : `${quote(key)} is not a label key`;
}

function firstFault(values: readonly string[]): string | undefined {
	return values.map(valueFault).find((fault) => fault !== undefined);
}

function valueFault(value: string): string | undefined {
	return value === "" || (value.length <= 63 && nameForm.test(value))
		? undefined
		: `${quote(value)} is not a label value`;
}

/** Whether a well-formed selector matches labels; an absent one matches nothing, an empty one everything. */
export function selectorMatches(selector: LabelSelector | null | undefined, labels: Labels): boolean {
	if (selector === null || selector === undefined) {
		return false;
	}
	return (
		Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labelOf(labels, key) === value) &&
		(selector.matchExpressions ?? []).every(({ key, operator, values }) =>
			expressionMatches(labelOf(labels, key ?? ""), operator ?? "", values ?? []),
		)
	);
}

function expressionMatches(value: string | undefined, operator: string, values: readonly string[]): boolean {
	switch (operator) {
		case "In":
			return value !== undefined && values.includes(value);
		case "NotIn":
			return value === undefined || !values.includes(value);
		case "Exists":
			return value !== undefined;
		default:
			return value === undefined;
	}
}

/** A label's value; unlike an index, it never finds what an object inherits. */
export function labelOf(labels: Labels | null | undefined, key: string): string | undefined {
	return labels !== null && labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}
