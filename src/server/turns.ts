import type { FastifyInstance } from "fastify";

/** How large bodies are kept from taking the time of small ones. */
export interface TurnLimits {
	/** A body up to so many characters is judged at once; a larger one waits for its turn. */
	readonly small: number;
	/** Bodies that wait for their turn; one more sends the largest of them away. */
	readonly mostWaiting: number;
	/** For how long a body waits at most, in milliseconds. */
	readonly longestMs: number;
}

/**
 * A review of a plain ServiceEntry has three to six thousand characters, with what it replaces and who manages which
 * field. A second's wait for another replica is the better bet than more than a second here.
 */
export const defaultTurnLimits: TurnLimits = { small: 16 * 1024, mostWaiting: 32, longestMs: 1_000 };

/** What is known of the bodies that wait for their turn. */
export interface Turns {
	waiting(): number;
	/** How many have been sent away, the largest first. */
	turnedAway(): number;
}

/** A body that is sent elsewhere before it is parsed: others are smaller, or it has waited too long. */
export class TurnedAway extends Error {
	constructor() {
		super("This replica cannot judge now what is so large; ask again");
		this.name = "TurnedAway";
	}
}

interface Waiting {
	readonly size: number;
	readonly since: number;
	readonly judge: () => void;
	readonly sendAway: () => void;
}

/**
 * Parses bodies as JSON: small ones at once, larger ones in turn, the smallest first. After each, the loop has as much time
 * for everybody else as that one took, so whoever sends the largest objects as fast as possible gets half of it at most,
 * and nobody waits for more than one of them.
 */
export function installTurns(app: FastifyInstance, limits: Partial<TurnLimits> = {}): Turns {
	const { small, mostWaiting, longestMs } = { ...defaultTurnLimits, ...limits };
	// As elsewhere, keys named __proto__ are ordinary.
	const parse = app.getDefaultJsonParser("ignore", "ignore");
	let queue: readonly Waiting[] = [];
	let turnedAway = 0;
	let isBusy = false;
	const sendAway = (one: Waiting): void => {
		queue = queue.filter((each) => each !== one);
		turnedAway += 1;
		one.sendAway();
	};
	const next = (): void => {
		isBusy = false;
		const now = performance.now();
		for (const late of queue.filter(({ since }) => now - since > longestMs)) {
			sendAway(late);
		}
		const [first, ...rest] = queue;
		if (first === undefined) {
			return;
		}
		queue = rest;
		isBusy = true;
		first.judge();
		setTimeout(next, performance.now() - now);
	};
	const wait = (one: Waiting): void => {
		queue = [...queue, one].toSorted((a, b) => a.size - b.size);
		const largest = queue.at(-1);
		if (queue.length > mostWaiting && largest !== undefined) {
			sendAway(largest);
		}
		if (!isBusy) {
			isBusy = true;
			setImmediate(next);
		}
	};
	app.removeContentTypeParser("application/json");
	app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
		const text = String(body);
		// What it returns would be taken for a promise of the body.
		const judge = (): void => void parse(request, text, done);
		if (text.length <= small) {
			judge();
			return;
		}
		wait({
			size: text.length,
			since: performance.now(),
			judge,
			sendAway: () => done(new TurnedAway()),
		});
	});
	return { waiting: () => queue.length, turnedAway: () => turnedAway };
}
