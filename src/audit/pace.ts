/** How much of the processor work beside answering requests may take, and in what pieces. */
export interface AuditPace {
	/** Milliseconds at a stretch while nobody asks: what the first admission waits for at worst. */
	readonly sliceMs: number;
	/** The same while admissions come: between two pieces it is looked whether somebody waits. */
	readonly busySliceMs: number;
	/**
	 * For how long at most pieces follow each other behind an answer, while whoever asked is busy with that. It is less
	 * where requests are found to have waited for a piece to end.
	 */
	readonly answeredMs: number;
	/** The part of one processor that all of this work takes while admissions come; what others take meanwhile is not counted. */
	readonly share: number;
	/** The same where there was no time behind answers: then none is waited for. */
	readonly leastShare: number;
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
	busySliceMs: 1,
	answeredMs: 2,
	share: 0.3,
	leastShare: 0.2,
	idleShare: 0.8,
	gatherMs: 100,
	restFactor: 5,
};

/** What is answered meanwhile, as far as work beside it must know. */
export interface Load {
	/** Requests that have come so far. */
	asked(): number;
	/** Admissions that were answered so far. */
	answered(): number;
	/** Requests that are being read or answered. */
	inFlight(): number;
	/** Calls back each time that a request has had its answer; gives what ends that. */
	whenAnswered(listener: () => void): () => void;
	/** Milliseconds of processor that whoever answers, and works beside that, has taken so far. */
	processorMs(): number;
}

/** Nobody asks anything. */
export const noLoad: Load = {
	asked: () => 0,
	answered: () => 0,
	inFlight: () => 0,
	whenAnswered: () => () => {},
	processorMs: () => performance.now(),
};

/** What a pacer knows of time: the turns of the event loop that answers. */
export interface Turns {
	/** Monotonic milliseconds. */
	now(): number;
	/** Calls back after so many milliseconds; gives what calls that off. */
	after(ms: number, callback: () => void): () => void;
	/** Calls back when everything that has come by now was read. */
	next(callback: () => void): void;
}

const ownTurns: Turns = {
	now: () => performance.now(),
	after(ms, callback) {
		const timer = setTimeout(callback, ms);
		return () => clearTimeout(timer);
	},
	next: (callback) => void setImmediate(callback),
};

/** Does a piece of work until `mayGoOn` says no. */
export type Piece = (mayGoOn: () => boolean) => void;

/** Shares the time beside answering requests among all that work there. */
export interface Pacer {
	/** Does a piece when its time has come, an urgent one before all others; gives what calls that off. */
	next(piece: Piece, isUrgent?: () => boolean): () => void;
	/** Says that so many milliseconds of processor go to what a piece has begun and what ends by itself: they are paid for as well. */
	owe(ms: number): void;
}

interface Waiting {
	readonly piece: Piece;
	readonly isUrgent: () => boolean;
}

/** So long after the last admission the next is no longer waited for. */
const calmMs = 200;
/** Time that was not used is made up for, so much of it. */
const mostCreditMs = 20;
/** Requests that come further apart than this are not waited for. */
const rareMs = 10;
/** A shorter piece costs more than it does. */
const leastSliceMs = 0.3;
/** How much less time is taken behind an answer where a request waited, and more where none did: one piece of 23 meets one. */
const shorter = 0.8;
const longer = 1.01;

/** How answers follow each other. */
interface Rhythm {
	/** Whether admissions come. */
	isBusy(): boolean;
	/** Whether, of late, they come so often that the next is worth waiting for. */
	isOften(): boolean;
}

function rhythmOf(load: Load, now: () => number): Rhythm {
	let count = load.answered();
	let busyUntil = 0;
	let lastAnswer = Number.NEGATIVE_INFINITY;
	/** Milliseconds between answers, of late. */
	let gapMs = rareMs;
	return {
		isBusy() {
			const at = now();
			const answered = load.answered();
			if (answered !== count) {
				gapMs = 0.8 * gapMs + 0.2 * Math.min(2 * rareMs, (at - lastAnswer) / (answered - count));
				lastAnswer = at;
				busyUntil = at + calmMs;
				count = answered;
			}
			return at < busyUntil;
		},
		isOften: () => gapMs < rareMs,
	};
}

/** Shares time by what it costs: after each piece all wait until it is paid for. */
export function createPacer(load: Load, given: Partial<AuditPace> = {}, turns: Turns = ownTurns): Pacer {
	const pace = { ...defaultPace, ...given };
	const { now } = turns;
	const line: Waiting[] = [];
	let isWaiting = false;
	let isTaking = false;
	let owed = 0;
	let paidAt = 0;
	let lateAt = 0;
	let answeredMs = Math.min(pace.busySliceMs, pace.answeredMs);
	const rhythm = rhythmOf(load, now);
	const pay = (since: number, ms: number): void => {
		const isFree = !rhythm.isBusy();
		const from = since - mostCreditMs;
		paidAt = Math.max(paidAt, from) + ms / (isFree ? pace.idleShare : pace.share);
		lateAt = Math.max(lateAt, from) + ms / (isFree ? pace.idleShare : Math.min(pace.leastShare, pace.share));
	};
	const take = (piece: Piece, sliceMs: number): void => {
		const began = now();
		const spentBefore = load.processorMs();
		isTaking = true;
		owed = 0;
		try {
			piece(() => now() - began + owed < sliceMs);
		} finally {
			isTaking = false;
			pay(began, load.processorMs() - spentBefore + owed);
		}
	};
	const takeNext = (sliceMs: number): void => {
		const urgent = line.findIndex(({ isUrgent }) => isUrgent());
		const [next] = line.splice(Math.max(0, urgent), 1);
		if (next !== undefined) {
			take(next.piece, sliceMs);
		}
	};
	const takeOne = (sliceMs: number): void => {
		takeNext(sliceMs);
		waitAgain();
	};
	/** Takes pieces behind an answer until its time is over, or somebody asks: what then comes first has waited for a piece. */
	const takeBehind = (answeredAt: number): void => {
		takeNext(Math.min(pace.busySliceMs, answeredMs));
		const before = load.asked();
		turns.next(() => {
			const hasWaited = load.asked() > before;
			answeredMs = Math.min(
				pace.answeredMs,
				Math.max(leastSliceMs, answeredMs * (hasWaited ? shorter : longer)),
			);
			const at = now();
			if (!hasWaited && line.length > 0 && paidAt <= at && at - answeredAt < answeredMs) {
				takeBehind(answeredAt);
			} else {
				waitAgain();
			}
		});
	};
	/** Waits for an answer, behind which the next request is far; not for long, and not where they are rare. */
	const afterAnswer = (): void => {
		let isOver = false;
		const end = (begin: () => void): void => {
			if (!isOver) {
				isOver = true;
				stopListening();
				cancel();
				begin();
			}
		};
		const stopListening = load.whenAnswered(() => {
			const answeredAt = now();
			turns.next(() => {
				if (load.inFlight() === 0) {
					end(() => takeBehind(answeredAt));
				}
			});
		});
		const cancel = turns.after(rhythm.isOften() ? Math.max(1, lateAt - now()) : 1, () =>
			end(() => takeOne(pace.busySliceMs)),
		);
	};
	const come = (): void => {
		if (line.length === 0) {
			waitAgain();
		} else if (rhythm.isBusy() || load.inFlight() > 0) {
			afterAnswer();
		} else {
			takeOne(pace.sliceMs);
		}
	};
	const waitAgain = (): void => {
		isWaiting = false;
		wait();
	};
	const wait = (): void => {
		if (!isWaiting && !isTaking && line.length > 0) {
			isWaiting = true;
			const dueIn = paidAt - now();
			if (dueIn < 0 && rhythm.isBusy()) {
				// A timer takes a millisecond, in which an answer may go by.
				afterAnswer();
			} else {
				turns.after(Math.max(1, dueIn), come);
			}
		}
	};
	return {
		next(piece, isUrgent = () => false) {
			const waiting: Waiting = { piece, isUrgent };
			line.push(waiting);
			wait();
			return () => {
				const at = line.indexOf(waiting);
				if (at >= 0) {
					line.splice(at, 1);
				}
			};
		},
		owe(ms) {
			if (isTaking) {
				owed += ms;
			} else {
				pay(now(), ms);
			}
		},
	};
}
