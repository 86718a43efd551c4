import type { Inventory } from "../core/inventory.ts";
import type { Stepwise } from "../core/stepwise.ts";
import type { FoundGaps } from "../reach/gaps.ts";
import { walkGaps, walkGapsOf } from "../reach/gaps.ts";
import type { Reach } from "../reach/reach.ts";
import { walkReach } from "../reach/reach.ts";
import type { NamedObject } from "./auditor.ts";
import type { AuditPace, Pacer } from "./pace.ts";
import { defaultPace } from "./pace.ts";

/** What is worked out each time that the world has changed. */
export interface ReachOptions {
	readonly inventory: Inventory;
	/** The day in UTC, as YYYY-MM-DD. */
	readonly today: () => string;
	/** Whether more is made of the reach of all hosts than gaps; else it is never held as a whole. */
	readonly wantsReach: () => boolean;
	/** What else is made of it, in steps as well. */
	readonly further: (reach: Reach) => Stepwise<void>;
	/** Objects of which the gaps are others than before. */
	readonly onGaps: (objects: readonly NamedObject[]) => void;
	readonly pacer: Pacer;
	readonly pace?: Partial<Pick<AuditPace, "gatherMs" | "restFactor">>;
}

/** Reach that is worked out again and again. */
export interface ReachRun {
	/** As last worked out; undefined before the first time, and while `reach` is off. */
	found(): FoundGaps | undefined;
	/** Settles when it was worked out once, or is not wanted. */
	readonly first: Promise<void>;
	/** The world is another one. */
	wake(): void;
	stop(): void;
}

/**
 * Works out, beside what answers requests, where policies are not kept: once at first, then after each change, in short
 * pieces and with a rest that grows with what it cost.
 */
export function runReach(options: ReachOptions): ReachRun {
	const pace = { ...defaultPace, ...options.pace };
	let timer: NodeJS.Timeout | undefined;
	let callOff: (() => void) | undefined;
	let work: Stepwise<FoundGaps> | undefined;
	let found: FoundGaps | undefined;
	let isStale = false;
	let spent = 0;
	let hasStopped = false;
	const first = Promise.withResolvers<void>();

	const publish = (next: FoundGaps | undefined): void => {
		const changed = differences(found, next);
		found = next;
		if (changed.length > 0) {
			options.onGaps(changed);
		}
		first.resolve();
	};
	const begin = (inMs: number): void => {
		if (timer === undefined && callOff === undefined && !hasStopped) {
			timer = setTimeout(() => {
				timer = undefined;
				callOff = options.pacer.next(piece);
			}, inMs);
			timer.unref();
		}
	};
	const ended = (): void => {
		work = undefined;
		const rest = Math.max(pace.gatherMs, spent * pace.restFactor);
		spent = 0;
		timer = setTimeout(() => {
			timer = undefined;
			if (isStale) {
				begin(0);
			}
		}, rest);
		timer.unref();
	};
	const piece = (mayGoOn: () => boolean): void => {
		callOff = undefined;
		const began = performance.now();
		if (work === undefined) {
			isStale = false;
			if (options.inventory.settings.reach === "off") {
				publish(undefined);
				return;
			}
			work = walk(options);
		}
		let step = work.next();
		while (step.done !== true && mayGoOn()) {
			step = work.next();
		}
		spent += performance.now() - began;
		if (step.done === true) {
			publish(step.value);
			ended();
			return;
		}
		callOff = options.pacer.next(piece);
	};
	begin(0);
	return {
		found: () => found,
		first: first.promise,
		wake() {
			isStale = true;
			if (work === undefined) {
				begin(pace.gatherMs);
			}
		},
		stop() {
			hasStopped = true;
			clearTimeout(timer);
			callOff?.();
		},
	};
}

function* walk({ inventory, today, wantsReach, further }: ReachOptions): Stepwise<FoundGaps> {
	if (!wantsReach()) {
		return yield* walkGapsOf(inventory, today());
	}
	const reach = yield* walkReach(inventory, today());
	const found = yield* walkGaps(reach);
	yield* further(reach);
	return found;
}

const nothing: ReadonlyMap<string, string> = new Map();

function differences(before: FoundGaps | undefined, after: FoundGaps | undefined): readonly NamedObject[] {
	const [old, fresh] = [before?.marks ?? nothing, after?.marks ?? nothing];
	const keys = new Set([...old.keys(), ...fresh.keys()]);
	return [...keys].filter((key) => old.get(key) !== fresh.get(key)).map(objectOf);
}

/** Marks of entries are `NAMESPACE/NAME`, those of namespaces have no slash. */
function objectOf(mark: string): NamedObject {
	const slash = mark.indexOf("/");
	return slash < 0
		? { kind: "Namespace", namespace: "", name: mark }
		: { kind: "ServiceEntry", namespace: mark.slice(0, slash), name: mark.slice(slash + 1) };
}
