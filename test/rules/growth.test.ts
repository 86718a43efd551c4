import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import { kinds, readObject } from "../../src/core/kinds.ts";
import type { Shape } from "../../src/core/shape.ts";
import { longestText, mostItems } from "../../src/core/size.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { gateOr, longestVerdictMs, sampleOf } from "../support/long-form.ts";
import { subjectOf, world } from "../support/rule-example.ts";
import { growthOf, leastMs } from "../support/slope.ts";

const engine = createEngine(rules);
const state = world([teamNamespace, egressNamespace, egressWaypoint]);

/** Pairs of lists that are tried of each kind; in the long form each list is in several. */
const mostPairs = gateOr(4, 12);

type Path = readonly string[];

/** A place of a kind where an object can grow. */
interface Place {
	readonly path: Path;
	readonly shape: Shape;
}

/** Every list, map and text of a shape; of what stands in a list, too. */
function* growthsOf(shape: Shape, path: Path = []): Iterable<Place> {
	if (shape === "string" && path.length > 1) {
		yield { path, shape };
	}
	if (typeof shape === "string") {
		return;
	}
	if ("list" in shape) {
		yield { path, shape };
		yield* growthsOf(shape.list, [...path, "0"]);
	} else if ("map" in shape) {
		yield { path, shape };
	} else {
		for (const [field, inner] of Object.entries(shape.fields)) {
			yield* growthsOf(inner, [...path, field]);
		}
	}
}

/** A value of a shape that is as usual as a value can be of which another one has the number `index`. */
function usualValue(shape: Shape, index: number, name: string): unknown {
	if (shape === "string") {
		return /address|ip|value/i.test(name)
			? `203.0.${(index >> 8) % 256}.${index % 256}`
			: `h${index}.example.com`;
	}
	if (shape === "number") {
		return (index % 60_000) + 1;
	}
	if (shape === "boolean") {
		return true;
	}
	if ("list" in shape) {
		return [usualValue(shape.list, index, name)];
	}
	if ("map" in shape) {
		return { [`key-${index}`]: usualValue(shape.map, index, name) };
	}
	return Object.fromEntries(
		Object.entries(shape.fields).map(([field, inner]) => [field, usualValue(inner, index, field)]),
	);
}

/** A place, and what stands at it when it has grown to a size. */
interface Growth extends Place {
	readonly grown: (size: number) => unknown;
}

/** The first so many values of an endless row; each is made once, when it is first asked for. */
function beginningOf<T>(make: (index: number) => T): (size: number) => readonly T[] {
	const made: T[] = [];
	return (size) => {
		while (made.length < size) {
			made.push(make(made.length));
		}
		return made.slice(0, size);
	};
}

function growthAt(place: Place): Growth {
	const { shape, path } = place;
	const name = path.at(-1) ?? "";
	if (typeof shape === "string") {
		return { ...place, grown: (size) => "a.".repeat(size / 2) };
	}
	if ("list" in shape) {
		const items = beginningOf((index) => usualValue(shape.list, index, name));
		return { ...place, grown: items };
	}
	if ("map" in shape) {
		const entries = beginningOf((index) => [`key-${index}`, usualValue(shape.map, index, name)] as const);
		return { ...place, grown: (size) => Object.fromEntries(entries(size)) };
	}
	return { ...place, grown: () => ({}) };
}

function placed(value: unknown, [step, ...rest]: Path, content: unknown): unknown {
	if (step === undefined) {
		return content;
	}
	if (step === "0") {
		return [placed(Array.isArray(value) ? value[0] : undefined, rest, content)];
	}
	const fields = (typeof value === "object" && value !== null ? value : {}) as Readonly<
		Record<string, unknown>
	>;
	return { ...fields, [step]: placed(fields[step], rest, content) };
}

function largest({ shape }: Place): number {
	if (typeof shape === "string") {
		return longestText;
	}
	return "list" in shape ? (shape.most ?? mostItems) : mostItems;
}

/** The object in which lists, maps and texts have grown to a share of what each may have. */
function grownTo(host: AnyObject, growths: readonly Growth[], share: number): AnyObject {
	return growths.reduce<unknown>(
		(value, growth) => placed(value, growth.path, growth.grown(Math.floor(largest(growth) / share))),
		host,
	) as AnyObject;
}

/** The share at which an object is still judged by all rules: what grows is halved until it is within the bounds. */
function largestShare(kind: Kind, host: AnyObject, growths: readonly Growth[]): number {
	for (let share = 1; share <= 64; share *= 2) {
		if (readObject(kind, grownTo(host, growths, share)).state !== "oversized") {
			return share;
		}
	}
	return 128;
}

/** What is wrong with how the cost of a verdict grows, if anything is. */
function faultOf(kind: Kind, host: AnyObject, growths: readonly Growth[]): string | undefined {
	const share = largestShare(kind, host, growths);
	const prepare = (part: number): (() => unknown) => {
		const subject = subjectOf(grownTo(host, growths, share * part));
		return () => evaluate(engine, state, subject);
	};
	const { steep, last, lastMs } = growthOf([8, 4, 2, 1].map((part) => () => prepare(part)));
	const what = growths.map(({ path }) => path.join(".")).join(" and ");
	if (steep !== undefined) {
		return `${what}: ${steep}`;
	}
	// One that is long at first is looked at again, for others use the machine.
	const time = lastMs > longestVerdictMs ? leastMs(last, longestVerdictMs, 30) : lastMs;
	return time > longestVerdictMs ? `${what}: ${time.toFixed(0)} ms` : undefined;
}

const hosts: ReadonlyMap<Kind, AnyObject> = new Map(
	rules.map((rule) => [rule.kind, rule.kind === "ServiceEntry" ? boundEntry : (rule.docs.good as AnyObject)]),
);

describe("evaluate() of the largest objects", () => {
	for (const [kind, host] of hosts) {
		const growths = [...growthsOf(kinds[kind].shape)]
			.filter(({ path }) => path[0] === "spec" || path[1] === "labels" || path[1] === "annotations")
			.map(growthAt);
		it(`evaluate() takes at most ${longestVerdictMs} ms for a ${kind}, and its share, whatever has grown in it`, () => {
			const slow = sampleOf(growths).flatMap((growth) => faultOf(kind, host, [growth]) ?? []);
			assert.deepEqual(slow, []);
		});
		it(`evaluate() takes at most ${longestVerdictMs} ms for a ${kind}, and its share, whichever two lists have grown in it`, () => {
			const lists = growths.filter(({ shape }) => typeof shape !== "string");
			const pairs = lists
				.flatMap((one, index) => lists.slice(index + 1).map((other) => [one, other] as const))
				.filter(([one, other]) => !other.path.join(".").startsWith(one.path.join(".")));
			// All 1,000 take a minute of CPU; every n-th is tried.
			const stride = Math.ceil(pairs.length / mostPairs);
			const tried = pairs.filter((_, index) => index % stride === 0);
			const slow = sampleOf(tried).flatMap((pair) => faultOf(kind, host, pair) ?? []);
			assert.deepEqual(slow, []);
		});
	}
});
