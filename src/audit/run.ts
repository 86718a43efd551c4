import type { Auditor } from "./auditor.ts";
import { noticeOf } from "./events.ts";
import type { AuditChange } from "./judged.ts";
import type { AuditPace, Pacer } from "./pace.ts";
import { defaultPace } from "./pace.ts";

/** An auditor at work. */
export interface AuditRun {
	/** Something was put in line. */
	wake(): void;
	/** Settles when nothing is in line any more. */
	quiet(): Promise<void>;
	/** For how many milliseconds the oldest change has waited; 0 when none waits. */
	waitingMs(): number;
	stop(): void;
}

/**
 * Runs an auditor in short pieces beside what answers requests, as the pacer lets it. `onQuiet` is told each time that
 * nothing is in line any more, and that nothing so urgent is.
 */
export function runAuditor(
	auditor: Auditor,
	onQuiet: () => void,
	pacer: Pacer,
	given: Partial<Pick<AuditPace, "gatherMs" | "restFactor">> = {},
): AuditRun {
	const pace = { ...defaultPace, ...given };
	let timer: NodeJS.Timeout | undefined;
	let callOff: (() => void) | undefined;
	let restUntil = 0;
	let isResting = false;
	let since: number | undefined = performance.now();
	let spent = 0;
	let hasStopped = false;
	const waiters: (() => void)[] = [];
	const isUrgent = (): boolean => auditor.urgency() === 2;
	const work = (mayGoOn: () => boolean): void => {
		callOff = undefined;
		const began = performance.now();
		isResting = false;
		const isRound = began >= restUntil;
		const urgency = auditor.urgency();
		// What lost its waypoint is told by itself: of what is judged next, a part of a namespace may be missing yet.
		const isLeft = auditor.work(
			() => mayGoOn() && (urgency < 2 || auditor.urgency() === 2),
			isRound ? "all" : "single objects",
		);
		spent += isRound ? performance.now() - began : 0;
		if (isLeft) {
			callOff = pacer.next(work, isUrgent);
			if (auditor.urgency() < urgency) {
				// What changed itself, and what lost its waypoint, is told before all else is judged.
				onQuiet();
			}
			return;
		}
		onQuiet();
		if (isRound) {
			restUntil = performance.now() + Math.max(pace.gatherMs, spent * pace.restFactor);
			spent = 0;
		}
		if (auditor.isIdle()) {
			since = undefined;
			for (const settle of waiters.splice(0)) {
				settle();
			}
		} else {
			isResting = true;
			begin(Math.max(0, restUntil - performance.now()));
		}
	};
	const begin = (inMs: number): void => {
		if (timer === undefined && callOff === undefined && !hasStopped) {
			timer = setTimeout(() => {
				timer = undefined;
				callOff = pacer.next(work, isUrgent);
			}, inMs);
		}
	};
	begin(0);
	return {
		wake() {
			since ??= performance.now();
			if (isResting && auditor.urgency() > 0) {
				clearTimeout(timer);
				timer = undefined;
				isResting = false;
			}
			begin(pace.gatherMs);
		},
		async quiet() {
			if (!auditor.isIdle() || !auditor.isComplete()) {
				await new Promise<void>((resolve) => waiters.push(resolve));
			}
		},
		waitingMs: () => (since === undefined ? 0 : performance.now() - since),
		stop() {
			hasStopped = true;
			clearTimeout(timer);
			callOff?.();
		},
	};
}

/** A namespace whose judgement is another one. */
export interface TouchedNamespace {
	readonly name: string;
	/** Something in it breaks a rule or goes past its waypoint that did not before. */
	readonly isWorse: boolean;
}

/** Namespaces whose judgement is another one, gathered until they are taken. */
export interface Touched {
	add(change: AuditChange): void;
	take(): readonly TouchedNamespace[];
}

/** Gathers the namespaces of changes. */
export function touchedNamespaces(): Touched {
	let names = new Map<string, boolean>();
	return {
		add(change) {
			const name = (change.after ?? change.before)?.namespace ?? "";
			names.set(name, names.get(name) === true || noticeOf(change) !== undefined);
		},
		take() {
			const taken = [...names].map(([name, isWorse]) => ({ name, isWorse }));
			names = new Map();
			return taken;
		},
	};
}
