import type { AuditChange, Auditor } from "./auditor.ts";
import { noticeOf } from "./events.ts";

/** How much of the processor auditing may take, and in what pieces. */
export interface AuditPace {
	/** Milliseconds at a stretch: what an admission waits for at worst. */
	readonly sliceMs: number;
	/** The part of one processor that auditing takes while there is something to judge and admissions come. */
	readonly share: number;
	/** The same while none come: then nobody waits for it. */
	readonly idleShare: number;
	/** Changes that come within this time are judged together. */
	readonly gatherMs: number;
	/**
	 * Between two rounds over everything that a change may have touched, as a multiple of what the last one took. What
	 * changed itself, and what a waypoint's change may unbind, does not wait for that.
	 */
	readonly restFactor: number;
}

/** The pace of everything that is done beside what answers requests. */
export const defaultPace: AuditPace = {
	sliceMs: 3,
	share: 0.3,
	idleShare: 0.8,
	gatherMs: 100,
	restFactor: 5,
};

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

/** So long after the last admission the next is no longer waited for. */
const calmMs = 200;

/**
 * Runs an auditor in short pieces beside what answers requests: a piece, then a rest that keeps to the share.
 * `onQuiet` is told each time that nothing is in line any more, and that nothing urgent is.
 * @param answered how many admissions were answered so far
 */
export function runAuditor(
	auditor: Auditor,
	onQuiet: () => void,
	answered: () => number,
	given: Partial<AuditPace> = {},
): AuditRun {
	const pace = { ...defaultPace, ...given };
	let count = answered();
	let busyUntil = 0;
	const share = (now: number): number => {
		const next = answered();
		busyUntil = next === count ? busyUntil : now + calmMs;
		count = next;
		return now < busyUntil ? pace.share : pace.idleShare;
	};
	let timer: NodeJS.Timeout | undefined;
	let restUntil = 0;
	let isResting = false;
	let since: number | undefined = performance.now();
	let spent = 0;
	let hasStopped = false;
	const waiters: (() => void)[] = [];
	const slice = (): void => {
		const began = performance.now();
		const end = began + pace.sliceMs;
		isResting = false;
		const isRound = began >= restUntil;
		const wasUrgent = auditor.isUrgent();
		const isLeft = auditor.work(() => performance.now() < end, isRound ? "all" : "single objects");
		const took = performance.now() - began;
		spent += isRound ? took : 0;
		if (isLeft) {
			if (wasUrgent && !auditor.isUrgent()) {
				// What changed itself, and what lost its waypoint, is told before all else is judged.
				onQuiet();
			}
			timer = setTimeout(slice, Math.max(1, took / share(began + took) - took));
			return;
		}
		timer = undefined;
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
		if (timer === undefined && !hasStopped) {
			timer = setTimeout(slice, inMs);
		}
	};
	begin(0);
	return {
		wake() {
			since ??= performance.now();
			if (isResting && auditor.isUrgent()) {
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
