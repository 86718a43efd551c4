import type { Edit, Path } from "./finding.ts";
import { jsonPointer } from "./finding.ts";

/** One operation of RFC 6902. `test` is never needed: the API server patches what it sent. */
export type Operation =
	| { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
	| { readonly op: "remove"; readonly path: string };

type Fields = Readonly<Record<string, unknown>>;
type Container = Fields | readonly unknown[];

/**
 * The smallest JSON Patch that makes an object what the edits wish for. A patch that does not apply fails the
 * request whatever the failure policy says (apiserver mutating/dispatcher.go), so it is read off from the object
 * before and after: it always applies, adds a missing parent whole, and says nothing of what stays the same. What no
 * edit touched is shared by both and not looked into.
 */
export function toJsonPatch(object: unknown, edits: readonly Edit[]): readonly Operation[] {
	const operations: Operation[] = [];
	compare(object, applyEdits(object, edits), [], operations);
	return operations;
}

/**
 * The object with the edits made; what is not touched is shared with the original. An edit that cannot be made (below
 * a scalar, past the end of a list) is left out.
 */
export function applyEdits<T>(object: T, edits: readonly Edit[]): T {
	let current: unknown = object;
	for (const edit of edits) {
		if (isContainer(current)) {
			current = edited(current, edit, 0) ?? current;
		}
	}
	return current as T;
}

/** The container at a depth of the edit's path with the edit made; undefined when it cannot be made or changes nothing. */
function edited(container: Container, edit: Edit, depth: number): Container | undefined {
	const step = edit.path[depth];
	if (step === undefined || (isList(container) && !isIndex(step, container.length))) {
		return undefined;
	}
	const before = memberOf(container, step);
	if (depth === edit.path.length - 1) {
		if (edit.op === "set") {
			return isSame(before, edit.value) ? undefined : withMember(container, step, edit.value);
		}
		return hasMember(container, step) ? withoutMember(container, step) : undefined;
	}
	if (before === undefined || before === null) {
		const value = edit.op === "set" ? nested(edit.path.slice(depth + 1), edit.value) : undefined;
		return value === undefined ? undefined : withMember(container, step, value);
	}
	const after = isContainer(before) ? edited(before, edit, depth + 1) : undefined;
	return after === undefined ? undefined : withMember(container, step, after);
}

/** A value inside the parents that a path asks for; undefined when a list would have to begin with a gap. */
function nested(path: Path, value: unknown): unknown {
	if (path.some((step) => typeof step === "number" && step !== 0)) {
		return undefined;
	}
	return path.reduceRight<unknown>(
		(inner, step) => (typeof step === "number" ? [inner] : { [step]: inner }),
		value,
	);
}

function isContainer(value: unknown): value is Container {
	return typeof value === "object" && value !== null;
}

function isList(value: Container): value is readonly unknown[] {
	return Array.isArray(value);
}

/** Whether a step names an item of a list or the place after its last one. */
function isIndex(step: string | number, length: number): boolean {
	return typeof step === "number" && Number.isInteger(step) && step >= 0 && step <= length;
}

function hasMember(container: Container, step: string | number): boolean {
	return isList(container) ? Number(step) < container.length : Object.hasOwn(container, step);
}

function memberOf(container: Container, step: string | number): unknown {
	return hasMember(container, step) ? (container as Fields)[step] : undefined;
}

function withMember(container: Container, step: string | number, value: unknown): Container {
	return isList(container)
		? [...container.slice(0, Number(step)), value, ...container.slice(Number(step) + 1)]
		: { ...container, [step]: value };
}

function withoutMember(container: Container, step: string | number): Container {
	return isList(container)
		? container.toSpliced(Number(step), 1)
		: Object.fromEntries(Object.entries(container).filter(([key]) => key !== String(step)));
}

function compare(before: unknown, after: unknown, path: Path, into: Operation[]): void {
	if (before === after || !isContainer(before) || !isContainer(after)) {
		return;
	}
	if (isList(before) && isList(after)) {
		compareLists(before, after, path, into);
	} else if (!isList(before) && !isList(after)) {
		compareFields(before, after, path, into);
	}
}

function compareFields(before: Fields, after: Fields, path: Path, into: Operation[]): void {
	for (const key of Object.keys(after)) {
		// Also where the member is there: `add` replaces it, and `replace` fails on a null in some libraries.
		compareMember("add", before, key, after[key], path, into);
	}
	for (const key of Object.keys(before)) {
		if (!Object.hasOwn(after, key)) {
			into.push({ op: "remove", path: jsonPointer([...path, key]) });
		}
	}
}

function compareLists(
	before: readonly unknown[],
	after: readonly unknown[],
	path: Path,
	into: Operation[],
): void {
	const shorter = Math.min(before.length, after.length);
	let start = 0;
	while (start < shorter && isSame(before[start], after[start])) {
		start++;
	}
	let end = 0;
	while (end < shorter - start && isSame(before[before.length - 1 - end], after[after.length - 1 - end])) {
		end++;
	}
	for (let index = start; index < shorter - end; index++) {
		compareMember("replace", before, index, after[index], path, into);
	}
	for (let index = before.length - end - 1; index >= shorter - end; index--) {
		into.push({ op: "remove", path: jsonPointer([...path, index]) });
	}
	for (let index = shorter - end; index < after.length - end; index++) {
		into.push({ op: "add", path: jsonPointer([...path, index]), value: after[index] });
	}
}

function compareMember(
	op: "add" | "replace",
	before: Container,
	step: string | number,
	value: unknown,
	path: Path,
	into: Operation[],
): void {
	const isThere = hasMember(before, step);
	const old = isThere ? (before as Fields)[step] : undefined;
	if (isThere && isSame(old, value)) {
		return;
	}
	const here = [...path, step];
	if (isContainer(old) && isContainer(value) && isList(old) === isList(value)) {
		compare(old, value, here, into);
	} else {
		into.push({ op, path: jsonPointer(here), value });
	}
}

/** Whether two JSON values are equal, whatever the order of their fields. */
function isSame(one: unknown, other: unknown): boolean {
	if (one === other) {
		return true;
	}
	if (!isContainer(one) || !isContainer(other) || isList(one) !== isList(other)) {
		return false;
	}
	const keys = Object.keys(one);
	return (
		keys.length === Object.keys(other).length &&
		keys.every((key) => Object.hasOwn(other, key) && isSame((one as Fields)[key], (other as Fields)[key]))
	);
}
