import type { Load, Turns } from "../../src/audit/pace.ts";

/** When requests come: at a given moment, or so long after the last answer. */
export interface Arrivals {
	/** When the next one comes; Infinity while none is on its way. */
	next(): number;
	/** It has come. */
	take(): void;
	/** One was answered. */
	answered(at: number): void;
}

/** An event loop in which time goes by only for what is done, so that a pace is the same on every machine. */
export interface VirtualTurns {
	readonly turns: Turns;
	readonly load: Load;
	/** Uses the processor for so many milliseconds. */
	spend(ms: number): void;
	/** Goes on until that, or for so many milliseconds. */
	run(isOver: () => boolean, mostMs: number): void;
	/** For how long each request waited until it was read. */
	readonly waits: readonly number[];
}

interface Timer {
	readonly at: number;
	readonly callback: () => void;
}

/** Makes one whose requests take `answerMs` each: timers, then what has come, then what waits for the next turn, as libuv. */
export function virtualTurns(arrivals: Arrivals, answerMs: number): VirtualTurns {
	let time = 0;
	let processorMs = 0;
	let asked = 0;
	let answered = 0;
	let inFlight = 0;
	let immediates: (() => void)[] = [];
	const timers = new Set<Timer>();
	const listeners = new Set<() => void>();
	const waits: number[] = [];
	const spend = (ms: number): void => {
		time += ms;
		processorMs += ms;
	};
	const runTimers = (): void => {
		for (const timer of [...timers].toSorted((one, other) => one.at - other.at)) {
			if (timer.at <= time && timers.delete(timer)) {
				timer.callback();
			}
		}
	};
	const readRequests = (): void => {
		const come: number[] = [];
		for (; arrivals.next() <= time; arrivals.take()) {
			come.push(arrivals.next());
		}
		asked += come.length;
		inFlight += come.length;
		for (const at of come) {
			waits.push(time - at);
			spend(answerMs);
			inFlight -= 1;
			answered += 1;
			arrivals.answered(time);
			listeners.forEach((listener) => void listener());
		}
	};
	return {
		turns: {
			now: () => time,
			after(ms, callback) {
				// A timer of libuv counts whole milliseconds.
				const timer = { at: Math.ceil(time + ms), callback };
				timers.add(timer);
				return () => void timers.delete(timer);
			},
			next: (callback) => void immediates.push(callback),
		},
		load: {
			asked: () => asked,
			answered: () => answered,
			inFlight: () => inFlight,
			whenAnswered(listener) {
				listeners.add(listener);
				return () => void listeners.delete(listener);
			},
			processorMs: () => processorMs,
		},
		spend,
		run(isOver, mostMs) {
			while (!isOver() && time < mostMs) {
				runTimers();
				if (immediates.length === 0) {
					time = Math.max(time, Math.min(arrivals.next(), ...[...timers].map(({ at }) => at)));
				}
				readRequests();
				const callbacks = immediates;
				immediates = [];
				callbacks.forEach((callback) => void callback());
			}
		},
		waits,
	};
}
