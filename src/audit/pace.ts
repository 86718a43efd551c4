/** How much of the processor work beside answering requests may take, and in what pieces. */
export interface AuditPace {
	/** Milliseconds at a stretch while nobody asks: what the first admission waits for at worst. */
	readonly sliceMs: number;
	/** The same while admissions come, right after an answer: whoever asked is busy with that. */
	readonly answeredSliceMs: number;
	/** The same while admissions come, where no answer was waited for. */
	readonly busySliceMs: number;
	/** The part of one processor that all of this work takes while admissions come. */
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
	answeredSliceMs: 2,
	busySliceMs: 1,
	share: 0.3,
	idleShare: 0.8,
	gatherMs: 100,
	restFactor: 5,
};

/** What is answered meanwhile, as far as work beside it must know. */
export interface Load {
	/** Admissions that were answered so far. */
	answered(): number;
	/** Requests that are being read or answered. */
	inFlight(): number;
	/** Calls back each time that a request has had its answer; gives what ends that. */
	whenAnswered(listener: () => void): () => void;
}

/** Nobody asks anything. */
export const noLoad: Load = { answered: () => 0, inFlight: () => 0, whenAnswered: () => () => {} };

/** Does a piece of work until `mayGoOn` says no. */
export type Piece = (mayGoOn: () => boolean) => void;

/** Shares the time beside answering requests among all that work there. */
export interface Pacer {
	/** Does a piece when its time has come; gives what calls that off. */
	next(piece: Piece): () => void;
}

/** So long after the last admission the next is no longer waited for. */
const calmMs = 200;
/** Time that was not used is made up for, so much of it. */
const mostCreditMs = 20;
/** Requests that come further apart than this are not waited for. */
const rareMs = 10;

/** Shares time by what it costs: after each piece all wait until it is paid for. */
export function createPacer(load: Load, given: Partial<AuditPace> = {}): Pacer {
	const pace = { ...defaultPace, ...given };
	let paidAt = 0;
	let count = load.answered();
	let busyUntil = 0;
	let lastAnswer = Number.NEGATIVE_INFINITY;
	/** Milliseconds between answers, of late. */
	let gapMs = rareMs;
	const isBusy = (now: number): boolean => {
		const answered = load.answered();
		if (answered !== count) {
			gapMs = 0.8 * gapMs + 0.2 * Math.min(2 * rareMs, (now - lastAnswer) / (answered - count));
			lastAnswer = now;
			busyUntil = now + calmMs;
			count = answered;
		}
		return now < busyUntil;
	};
	const take = (piece: Piece, sliceMs: number): void => {
		const began = performance.now();
		piece(() => performance.now() - began < sliceMs);
		const now = performance.now();
		const share = isBusy(now) ? pace.share : pace.idleShare;
		paidAt = Math.max(paidAt, began - mostCreditMs) + (now - began) / share;
	};
	/** Waits for an answer, behind which the next request is far; not for long, and not where they are rare. */
	const afterAnswer = (begin: (sliceMs: number) => void): (() => void) => {
		let isOver = false;
		const end = (sliceMs?: number): void => {
			if (isOver) {
				return;
			}
			isOver = true;
			stopListening();
			clearTimeout(timer);
			if (sliceMs !== undefined) {
				begin(sliceMs);
			}
		};
		const stopListening = load.whenAnswered(() => {
			setImmediate(() => {
				if (load.inFlight() === 0) {
					end(pace.answeredSliceMs);
				}
			});
		});
		const timer = setTimeout(() => end(pace.busySliceMs), gapMs < rareMs ? Math.ceil(2 * gapMs) : 1);
		return () => end();
	};
	return {
		next(piece) {
			let cancel: () => void = () => {};
			const wait = (): void => {
				const timer = setTimeout(come, Math.max(1, paidAt - performance.now()));
				cancel = () => clearTimeout(timer);
			};
			/** Another piece may have come first. */
			const begin = (sliceMs: number): void => {
				if (paidAt > performance.now()) {
					wait();
				} else {
					take(piece, sliceMs);
				}
			};
			const come = (): void => {
				if (isBusy(performance.now()) || load.inFlight() > 0) {
					cancel = afterAnswer(begin);
				} else {
					begin(pace.sliceMs);
				}
			};
			wait();
			return () => cancel();
		},
	};
}
