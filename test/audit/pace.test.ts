import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../../src/audit/pace.ts";
import { createPacer, noLoad } from "../../src/audit/pace.ts";
import type { Arrivals } from "../support/virtual-turns.ts";
import { virtualTurns } from "../support/virtual-turns.ts";

/** A load that a test answers. */
function steadyLoad(): Load & { answer(): void; open: number; came: number } {
	const listeners = new Set<() => void>();
	let answers = 0;
	return {
		open: 0,
		came: 0,
		asked() {
			return this.came;
		},
		processorMs: () => performance.now(),
		answered: () => answers,
		inFlight() {
			return this.open;
		},
		whenAnswered(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		answer() {
			answers += 1;
			for (const listener of listeners) {
				listener();
			}
		},
	};
}

/** Works until it may not go on, and says for how long that was. */
function spin(mayGoOn: () => boolean): number {
	const began = performance.now();
	while (mayGoOn()) {}
	return performance.now() - began;
}

describe("createPacer()", () => {
	test("keeps all who work to one share of the processor while admissions come", async () => {
		const load = steadyLoad();
		const pacer = createPacer(load, { share: 0.2, idleShare: 0.9 });
		let hasEnded = false;
		const spent = [0, 0];
		const work = (who: number) => (mayGoOn: () => boolean) => {
			spent[who] = (spent[who] ?? 0) + spin(mayGoOn);
			if (!hasEnded) {
				pacer.next(work(who));
			}
		};
		load.answer();
		pacer.next(work(0));
		pacer.next(work(1));
		const began = performance.now();
		while (performance.now() - began < 1_000) {
			load.answer();
			await sleep(3);
		}
		hasEnded = true;
		const share = ((spent[0] ?? 0) + (spent[1] ?? 0)) / (performance.now() - began);
		// A loaded machine takes time from the work, and adds none; what is made up for is 20 ms.
		assert.ok(share < 0.26, `${share}`);
		assert.ok((spent[0] ?? 0) > 0 && (spent[1] ?? 0) > 0, "each had its turns");
	});

	test("waits for an answer while a request is being answered, and not for ever", async () => {
		const load = steadyLoad();
		const pacer = createPacer(load, { busySliceMs: 0 });
		let ran = 0;
		load.open = 1;
		for (let count = 0; count < 40; count++) {
			// Answers come close to one another, so the next one is worth waiting for.
			load.answer();
			pacer.next(() => {});
			await sleep(2);
		}
		pacer.next(() => {
			ran += 1;
		});
		load.open = 0;
		for (const end = Date.now() + 5_000; ran === 0 && Date.now() < end; await sleep(1)) {
			load.answer();
		}
		assert.equal(ran, 1, "after an answer");
		pacer.next(() => {
			ran += 1;
		});
		for (const end = Date.now() + 5_000; ran === 1 && Date.now() < end; await sleep(5)) {}
		assert.equal(ran, 2, "without one");
	});

	test("does what is urgent before all that came earlier, and pays for what a piece has put off", async () => {
		const pacer = createPacer(noLoad, { idleShare: 0.5 });
		const order: string[] = [];
		const put = (name: string, isUrgent: () => boolean): void =>
			void pacer.next(() => void order.push(name), isUrgent);
		put("first", () => false);
		put("second", () => false);
		put("urgent", () => true);
		for (const end = Date.now() + 5_000; order.length < 3 && Date.now() < end; await sleep(1)) {}
		assert.deepEqual(order, ["urgent", "first", "second"]);
		let owedAt = 0;
		pacer.next((mayGoOn) => {
			owedAt = performance.now();
			pacer.owe(50);
			assert.ok(!mayGoOn(), "what is put off is a part of the piece");
		});
		const nextAt = await new Promise<number>((resolve) => {
			pacer.next(() => resolve(performance.now()));
		});
		// A hundred milliseconds, less what is made up for.
		assert.ok(nextAt - owedAt > 75, `${nextAt - owedAt}`);
	});

	test("takes shorter pieces where requests waited for one, and longer ones again where none did", async () => {
		const load = steadyLoad();
		const pacer = createPacer(load, { share: 1, busySliceMs: 2, answeredMs: 2 });
		/** The lengths of pieces behind so many answers; whether a request comes while each is done. */
		const lengths = async (count: number, isMet: boolean): Promise<number> => {
			const least: number[] = [];
			while (least.length < count) {
				const before = least.length;
				pacer.next((mayGoOn) => {
					least.push(spin(mayGoOn));
					// It is read when the loop goes on.
					queueMicrotask(() => {
						load.came += isMet ? 1 : 0;
					});
				});
				for (; least.length === before; await sleep(1)) {
					load.answer();
				}
			}
			return Math.min(...least.slice(-10));
		};
		const met = await lengths(60, true);
		assert.ok(met < 1, `${met} ms`);
		const free = await lengths(400, false);
		assert.ok(free > 1.5, `${free} ms`);
	});

	test("does nothing that was called off", async () => {
		const pacer = createPacer(noLoad);
		let ran = 0;
		pacer.next(() => {
			ran += 1;
		})();
		await sleep(50);
		assert.equal(ran, 0);
	});
});

describe("createPacer() in an event loop where time goes by only for what is done", () => {
	/** A number from 0 to 1, the same in every run. */
	function numbers(): () => number {
		let state = 12_345;
		return () => {
			state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
			return state / 0x7fffffff;
		};
	}
	/** One that asks again after two milliseconds, and in turn after five, as `audit-size.ts` does. */
	function oneClient(): Arrivals {
		const random = numbers();
		let next = 1;
		let count = 0;
		return {
			next: () => next,
			take() {
				next = Number.POSITIVE_INFINITY;
			},
			answered(at) {
				count += 1;
				next = at + (count % 2 === 0 ? 4.6 : 2.1) + 0.6 * random();
			},
		};
	}
	/** Many that know nothing of each other. */
	function many(perSecond: number): Arrivals {
		const random = numbers();
		const gap = (): number => (-Math.log(1 - random()) * 1_000) / perSecond;
		let next = gap();
		return {
			next: () => next,
			take() {
				next += gap();
			},
			answered() {},
		};
	}
	/** The seconds that two seconds of work take, and for how long so many hundredths of the requests wait at most. */
	function measure(arrivals: Arrivals): { seconds: number; waitOf: (hundredths: number) => number } {
		const { turns, load, spend, run, waits } = virtualTurns(arrivals, 0.6);
		const pacer = createPacer(load, {}, turns);
		let left = 2_000;
		let steps = 0;
		const work = (mayGoOn: () => boolean): void => {
			while (left > 0 && mayGoOn()) {
				steps += 1;
				// In a few steps memory is collected.
				const ms = steps % 160 === 0 ? 1.5 : 0.1;
				spend(ms);
				left -= ms;
			}
			if (left > 0) {
				pacer.next(work);
			}
		};
		pacer.next(work);
		run(() => left <= 0, 60_000);
		const sorted = waits.toSorted((one, other) => one - other);
		return {
			seconds: turns.now() / 1_000,
			waitOf: (hundredths) => sorted[Math.floor((sorted.length * hundredths) / 100)] ?? 0,
		};
	}

	test("works in the time that a client leaves, and uses its share", () => {
		const { seconds, waitOf } = measure(oneClient());
		assert.ok(seconds < 7, `${seconds} s`);
		assert.ok(waitOf(95) < 0.01, `${waitOf(95)} ms`);
		assert.ok(waitOf(99) < 1.2, `${waitOf(99)} ms`);
	});

	for (const [perSecond, half, most] of [
		[100, 0.01, 1],
		[300, 0.01, 1],
		[800, 0.6, 1.6],
	] as const) {
		test(`lets few of ${perSecond} requests a second wait, whenever they come, and goes on meanwhile`, () => {
			const { seconds, waitOf } = measure(many(perSecond));
			assert.ok(seconds < 10.5, `${seconds} s`);
			assert.ok(waitOf(50) < half, `half wait ${waitOf(50)} ms at most`);
			assert.ok(waitOf(90) < most, `nine of ten wait ${waitOf(90)} ms at most`);
		});
	}
});
