import { isIP } from "node:net";
import type { Expression } from "./schema.ts";

/** An expression of CEL has no value: the API server takes that for a rule that does not hold. */
class NoValue extends Error {}

type Scope = ReadonlyMap<string, unknown>;
type Evaluated = (scope: Scope) => unknown;

/**
 * The operations that the rules of the CRDs use, with the meaning that they have in CEL
 * (github.com/google/cel-spec doc/langdef.md; the functions of Kubernetes: k8s.io/apiserver pkg/cel/library).
 */
const operations: Readonly<Record<string, (...values: readonly unknown[]) => unknown>> = {
	"!_": (one) => !truth(one),
	"==": (one, other) => one === other,
	"!=": (one, other) => one !== other,
	"<": (one, other) => compare(one, other) < 0,
	"<=": (one, other) => compare(one, other) <= 0,
	">": (one, other) => compare(one, other) > 0,
	">=": (one, other) => compare(one, other) >= 0,
	"+": (one, other) => (typeof one === "string" ? one + text(other) : number(one) + number(other)),
	"[]": (list, index) => present(Array.isArray(list) ? list[number(index)] : undefined),
	in: (item, among) => (Array.isArray(among) ? among.includes(item) : Object.hasOwn(map(among), text(item))),
	list: (...items) => items[0],
	size: (value) =>
		typeof value === "string" ? [...value].length : Object.keys(Object(present(value))).length,
	contains: (one, other) => text(one).includes(text(other)),
	startsWith: (one, other) => text(one).startsWith(text(other)),
	endsWith: (one, other) => text(one).endsWith(text(other)),
	split: (one, separator) => text(one).split(text(separator)),
	substring: (value, start, end) =>
		part(text(value), number(start), end === undefined ? undefined : number(end)),
	matches: (value, pattern) => expression(text(pattern)).test(text(value)),
	int: (value) => wholeNumber(value),
	duration: (value) => durationOf(text(value)),
	url: (value) => (schemeOf(text(value)) === undefined ? missing() : value),
	isURL: (value) => schemeOf(text(value)) !== undefined,
	getScheme: (value) => present(schemeOf(text(value))),
	isIP: (value) => isIP(text(value)) > 0 && !text(value).includes("%"),
	dns1123Label: () => "dns1123Label",
	// What a format gives is an optional list: nothing is equal to null, whatever the text.
	validate: (_, value) => [text(value)],
};

const compiled = new WeakMap<Expression, Evaluated>();

/** Whether a rule holds of a value; where its expression has no value, it does not. */
export function holds(rule: Expression, self: unknown): boolean {
	let evaluated = compiled.get(rule);
	if (evaluated === undefined) {
		evaluated = compile(rule);
		compiled.set(rule, evaluated);
	}
	try {
		return evaluated(new Map([["self", self]])) === true;
	} catch (error) {
		if (error instanceof NoValue) {
			return false;
		}
		throw error;
	}
}

function compile([operation, ...operands]: Expression): Evaluated {
	switch (operation) {
		case "value":
			return () => operands[0];
		case "id":
			return (scope) => scope.get(operands[0] as string);
		case ".": {
			const of = compile(operands[0] as Expression);
			const field = operands[1] as string;
			return (scope) => present(fieldOf(of(scope), field));
		}
		case "has": {
			const [, of, field] = operands[0] as readonly [string, Expression, string];
			const whole = compile(of);
			return (scope) => fieldOf(whole(scope), field) !== undefined;
		}
		case "list": {
			const items = (operands as readonly Expression[]).map(compile);
			return (scope) => items.map((item) => item(scope));
		}
		case "map":
			return () => ({});
		case "?:": {
			const condition = compile(operands[0] as Expression);
			const then = compile(operands[1] as Expression);
			const otherwise = compile(operands[2] as Expression);
			return (scope) => (truth(condition(scope)) ? then(scope) : otherwise(scope));
		}
		case "&&":
		case "||": {
			const sides = (operands as readonly Expression[]).map(compile);
			const deciding = operation === "||";
			return (scope) => some(sides, deciding, (side) => side(scope));
		}
		case "all":
		case "exists":
		case "exists_one":
		case "filter":
			return compileOverItems(operation, operands as readonly Expression[]);
		default: {
			const run = operations[operation];
			if (run === undefined) {
				throw new Error(`CEL: ${operation} is not known`);
			}
			const values = (operands as readonly Expression[]).map(compile);
			return (scope) => run(...values.map((value) => value(scope)));
		}
	}
}

function compileOverItems(
	operation: "all" | "exists" | "exists_one" | "filter",
	operands: readonly Expression[],
): Evaluated {
	const items = compile(operands[0] ?? ["value", null]);
	const test = compile(operands[2] ?? ["value", null]);
	const name = operands[1]?.[1] as string;
	return (scope) => {
		const value = items(scope);
		const all: readonly unknown[] = Array.isArray(value) ? value : Object.keys(map(value));
		const ask = (item: unknown): unknown => test(new Map([...scope, [name, item]]));
		switch (operation) {
			case "all":
				return some(all, false, ask);
			case "exists":
				return some(all, true, ask);
			case "exists_one":
				return all.filter((item) => truth(ask(item))).length === 1;
			case "filter":
				return all.filter((item) => truth(ask(item)));
		}
	};
}

/**
 * What decides if one of several says so; else the opposite. What has no value is passed over if another decides, wherever it
 * stands (CEL: logical operators are commutative).
 */
function some<T>(items: readonly T[], deciding: boolean, ask: (item: T) => unknown): boolean {
	let failure: unknown;
	for (const item of items) {
		try {
			if (truth(ask(item)) === deciding) {
				return deciding;
			}
		} catch (error) {
			failure ??= error;
		}
	}
	if (failure !== undefined) {
		throw failure;
	}
	return !deciding;
}

function missing(): never {
	throw new NoValue();
}

function present<T>(value: T | undefined): T {
	return value === undefined ? missing() : value;
}

function fieldOf(value: unknown, field: string): unknown {
	return Object.hasOwn(map(value), field) ? map(value)[field] : undefined;
}

function map(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null
		? (value as Readonly<Record<string, unknown>>)
		: missing();
}

function text(value: unknown): string {
	return typeof value === "string" ? value : missing();
}

function number(value: unknown): number {
	return typeof value === "number" ? value : missing();
}

function truth(value: unknown): boolean {
	return typeof value === "boolean" ? value : missing();
}

function compare(one: unknown, other: unknown): number {
	return number(one) - number(other);
}

function part(value: string, start: number, end = value.length): string {
	return start < 0 || end > value.length || start > end ? missing() : value.slice(start, end);
}

function wholeNumber(value: unknown): number {
	const written = typeof value === "string" && /^[+-]?\d{1,18}$/.test(value) ? Number(value) : value;
	return Math.trunc(number(written));
}

const expressions = new Map<string, RegExp>();

/** A pattern of the schema, in which `(?i)` stands for the whole as in RE2. */
export function expression(pattern: string): RegExp {
	let known = expressions.get(pattern);
	if (known === undefined) {
		known = new RegExp(pattern.replace("(?i)", ""), pattern.includes("(?i)") ? "i" : "");
		expressions.set(pattern, known);
	}
	return known;
}

const nanoseconds: Readonly<Record<string, number>> = {
	ns: 1,
	us: 1e3,
	µs: 1e3,
	μs: 1e3,
	ms: 1e6,
	s: 1e9,
	m: 60e9,
	h: 3600e9,
};

/** A duration as Go's time.ParseDuration reads it, in nanoseconds. */
function durationOf(value: string): number {
	const found = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(value.slice(0, 256));
	if (found === null || value.length > 256) {
		return /^[+-]?0$/.test(value) ? 0 : missing();
	}
	const [, sign, parts = ""] = found;
	let sum = 0;
	for (const [, amount, unit = ""] of parts.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
		sum += Number(amount) * (nanoseconds[unit] ?? 0);
	}
	return sum >= 2 ** 63 ? missing() : sign === "-" ? -sum : sum;
}

/** The scheme of an absolute URL or a rooted path as Go's net/url ParseRequestURI reads it; undefined where it reads none. */
function schemeOf(value: string): string | undefined {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: Go refuses them anywhere.
	if (value === "" || /[\u0000-\u001f\u007f]/.test(value)) {
		return undefined;
	}
	const [, scheme, rest = ""] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?([^?]*)/s.exec(value) ?? [];
	if (!rest.startsWith("/")) {
		return value === "*" ? "" : scheme?.toLowerCase();
	}
	const [, authority = "", path = ""] =
		scheme === undefined ? ["", "", rest] : (/^(?:\/\/([^/]*))?(.*)$/s.exec(rest) ?? []);
	return isAuthority(authority) && isEscaped(path) ? (scheme ?? "").toLowerCase() : undefined;
}

function isEscaped(value: string): boolean {
	return !/%(?![0-9A-Fa-f]{2})/.test(value);
}

function isAuthority(authority: string): boolean {
	const at = authority.lastIndexOf("@");
	const user = authority.slice(0, Math.max(at, 0));
	const host = authority.slice(at + 1);
	return (
		/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) &&
		isEscaped(user) &&
		(/^\[[^\]]*\](?::\d*)?$/.test(host) ||
			(!/[\s<>"\\^`{}|#[\]]/.test(host.replace(/[<>"[\]]/g, "")) && /^[^:]*(?::\d*)?$/.test(host))) &&
		isEscaped(host)
	);
}
