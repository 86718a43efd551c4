import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import { conformsToKind, kindOfObject, kinds } from "../../src/core/kinds.ts";
import { pruneNulls } from "../../src/core/prune-nulls.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { Shape } from "../../src/core/shape.ts";
import { rules } from "../../src/rules/table.ts";

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
export function randomFrom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

/** A world as somebody wrote it, with nulls, and as the API server stores it; the last object is the one judged. */
export interface NullWorld {
	readonly rule: Rule<Kind>;
	readonly written: readonly AnyObject[];
	readonly stored: readonly AnyObject[];
}

type Fields = Record<string, unknown>;

/**
 * The example of some rule with nulls put where nothing stood: a null field counts as absent, a null label or
 * annotation as an empty one. What is stored is known by construction, not by the code under test.
 */
export function nullWorld(seed: number): NullWorld {
	const random = randomFrom(seed);
	const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
	// An object of the wrong shape is stored by nobody.
	const plain = rules.filter(
		({ docs, kind }) =>
			docs.old === undefined && docs.requester === undefined && conformsToKind(kind, pruneNulls(docs.bad)),
	);
	const rule = pick(plain) as Rule<Kind>;
	const object = random() < 0.7 ? rule.docs.bad : rule.docs.good;
	const written = structuredClone([...(rule.docs.given ?? []), object]) as AnyObject[];
	const stored = structuredClone(written);
	for (let times = 1 + Math.floor(random() * 6); times > 0; times--) {
		const index = Math.floor(random() * written.length);
		const [one, other] = [written[index], stored[index]];
		if (one !== undefined && other !== undefined) {
			addNull(one as Fields, other as Fields, pick, random);
		}
	}
	return { rule, written, stored };
}

function addNull(
	written: Fields,
	stored: Fields,
	pick: <T>(list: readonly T[]) => T | undefined,
	random: () => number,
): void {
	if (random() < 0.4) {
		const map = random() < 0.5 ? "annotations" : "labels";
		const key = pick(["team.example.org/contact", "egress.waymark.dev/ticket", "example.org/x"]) ?? "";
		for (const [object, value] of [
			[written, null],
			[stored, ""],
		] as const) {
			const metadata = partOf(object, "metadata");
			const entries = partOf(metadata, map);
			if (entries[key] === undefined) {
				entries[key] = value;
			}
		}
		return;
	}
	const kind = kindOfObject(written as AnyObject);
	if (kind !== undefined) {
		const spots = absences(written, kinds[kind].shape as Shape).filter(
			([parent, field]) => parent !== written || field !== "metadata",
		);
		const spot = pick(spots);
		if (spot !== undefined) {
			spot[0][spot[1]] = null;
		}
	}
}

function partOf(object: Fields, field: string): Fields {
	object[field] ??= {};
	return object[field] as Fields;
}

/** The fields that a shape has and a value lacks. */
function absences(value: unknown, shape: Shape): readonly (readonly [Fields, string])[] {
	if (typeof shape === "string" || typeof value !== "object" || value === null) {
		return [];
	}
	if ("list" in shape) {
		return Array.isArray(value) ? value.flatMap((item) => absences(item, shape.list)) : [];
	}
	if ("map" in shape) {
		return Object.values(value).flatMap((item) => absences(item, shape.map));
	}
	return Object.entries(shape.fields).flatMap(([field, inner]) => {
		const content = (value as Fields)[field];
		return content === undefined ? [[value as Fields, field] as const] : absences(content, inner as Shape);
	});
}
