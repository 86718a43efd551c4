import type { Edit, Path } from "./finding.ts";
import { jsonPointer } from "./finding.ts";

/** One operation of RFC 6902. `test` is never needed: the API server patches what it sent. */
export type Operation =
	| { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
	| { readonly op: "remove"; readonly path: string };

type Container = Record<string | number, unknown>;

/**
 * The smallest JSON Patch that makes an object what the edits wish for. A patch that does not apply fails the
 * request whatever the failure policy says (apiserver mutating/dispatcher.go), so a missing parent is added whole,
 * an edit that changes nothing is left out, and nothing is removed that is not there.
 */
export function toJsonPatch(object: unknown, edits: readonly Edit[]): readonly Operation[] {
	const operations: Operation[] = [];
	let current = object;
	for (const edit of edits) {
		const operation = operationFor(current, edit);
		if (operation !== undefined) {
			operations.push(operation.operation);
			current = operation.result;
		}
	}
	return mergeAdditions(operations);
}

/** The object with the edits made; what is not touched is shared with the original. */
export function applyEdits<T>(object: T, edits: readonly Edit[]): T {
	let current: unknown = object;
	for (const edit of edits) {
		current = operationFor(current, edit)?.result ?? current;
	}
	return current as T;
}

interface Step {
	readonly operation: Operation;
	readonly result: unknown;
}

function operationFor(object: unknown, edit: Edit): Step | undefined {
	const parents = parentsOf(object, edit.path);
	const last = edit.path.at(-1);
	if (last === undefined || parents === undefined) {
		return undefined;
	}
	if (edit.op === "remove") {
		const parent = parents.at(-1);
		const present =
			parents.length === edit.path.length && parent !== undefined && Object.hasOwn(parent, last);
		return present
			? {
					operation: { op: "remove", path: jsonPointer(edit.path) },
					result: rebuild(parents, edit.path, undefined),
				}
			: undefined;
	}
	if (parents.length < edit.path.length) {
		// The first missing parent is added whole, with the wish inside it.
		const depth = parents.length;
		const value = nest(edit.path.slice(depth), edit.value);
		const path = edit.path.slice(0, depth);
		return {
			operation: { op: "add", path: jsonPointer(path), value },
			result: rebuild(parents, path, value),
		};
	}
	const parent = parents.at(-1);
	if (parent === undefined || (Object.hasOwn(parent, last) && isSame(parent[last], edit.value))) {
		return undefined;
	}
	return {
		// Adding to a list at an index that exists would insert.
		operation: {
			op: Array.isArray(parent) && Object.hasOwn(parent, last) ? "replace" : "add",
			path: jsonPointer(edit.path),
			value: edit.value,
		},
		result: rebuild(parents, edit.path, edit.value),
	};
}

function isSame(one: unknown, other: unknown): boolean {
	return one === other || (typeof other === "object" && JSON.stringify(one) === JSON.stringify(other));
}

/** The containers along a path, as far as they exist; undefined when something on the way is not a container. */
function parentsOf(object: unknown, path: Path): readonly Container[] | undefined {
	const parents: Container[] = [];
	let current = object;
	for (const step of path) {
		if (current === undefined || current === null) {
			return parents;
		}
		if (typeof current !== "object") {
			return undefined;
		}
		parents.push(current as Container);
		current = Object.hasOwn(current, step) ? (current as Container)[step] : undefined;
	}
	return parents;
}

function nest(path: Path, value: unknown): unknown {
	return path.reduceRight((inner: unknown, step) => ({ [step]: inner }), value);
}

function rebuild(parents: readonly Container[], path: Path, value: unknown): unknown {
	let result = value;
	for (let depth = path.length - 1; depth >= 0; depth--) {
		const parent = parents[depth];
		const step = path[depth];
		if (parent === undefined || step === undefined) {
			continue;
		}
		const copy: Container = Array.isArray(parent)
			? (Object.assign([], parent) as unknown as Container)
			: { ...parent };
		if (result === undefined) {
			if (Array.isArray(copy)) {
				copy.splice(Number(step), 1);
			} else {
				delete copy[step];
			}
		} else {
			copy[step] = result;
		}
		result = copy;
	}
	return result;
}

/** Folds additions below a map that this patch itself adds into that map. */
function mergeAdditions(operations: readonly Operation[]): readonly Operation[] {
	const merged: Operation[] = [];
	for (const operation of operations) {
		const slash = operation.path.lastIndexOf("/");
		const parent = operation.path.slice(0, slash);
		const at = merged.findIndex((each) => each.op === "add" && each.path === parent && isMap(each.value));
		const host = merged[at];
		if (operation.op === "add" && host?.op === "add") {
			const key = operation.path
				.slice(slash + 1)
				.replaceAll("~1", "/")
				.replaceAll("~0", "~");
			merged[at] = { ...host, value: { ...(host.value as object), [key]: operation.value } };
		} else {
			merged.push(operation);
		}
	}
	return merged;
}

function isMap(value: unknown): boolean {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
