import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../../src/audit/pace.ts";
import { createPacer, noLoad } from "../../src/audit/pace.ts";

/** A load that a test answers. */
function steadyLoad(): Load & { answer(): void; open: number } {
	const listeners = new Set<() => void>();
	let answers = 0;
	return {
		open: 0,
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
