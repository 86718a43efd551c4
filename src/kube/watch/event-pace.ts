/** From so many milliseconds on, events have held up whoever waits for an answer. */
const longMs = 10;

/** How the watches of a feed share the event loop with everybody else: they get half of it at most, all together. */
export interface EventPace {
	/** For how long the next event has to wait, in milliseconds; 0: it may be taken. */
	waitMs(): number;
	/** Takes note of events that were taken from an instant on until now. */
	took(since: number): void;
}

/**
 * A pace by which the events of all watches rest for as long as they took, once that was long: whoever writes the largest
 * objects as fast as possible, of one kind or of many, large ones or a thousand small ones, leaves others half of the loop.
 * @param now monotonic milliseconds
 */
export function createEventPace(now: () => number): EventPace {
	let freeAt = 0;
	return {
		waitMs() {
			const wait = freeAt - now();
			return wait > longMs ? wait : 0;
		},
		took(since) {
			freeAt = Math.max(freeAt, since) + 2 * (now() - since);
		},
	};
}
