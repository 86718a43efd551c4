import type { EventEmitter } from "node:events";
import { constants } from "node:os";

const signals = ["SIGTERM", "SIGINT"] as const;

/**
 * Waits for the first SIGTERM or SIGINT and then for `leave`, and gives what `leave` gives.
 * A second signal ends the process at once with 128 + its number.
 */
export async function untilSignalled<Outcome>(
	leave: (signal: NodeJS.Signals) => Promise<Outcome>,
	source: EventEmitter = process,
	// The one place that ends the process: as PID 1 of a container, restoring the default action would do nothing.
	exit: (code: number) => void = (code) => process.exit(code),
): Promise<Outcome> {
	let first: ((signal: NodeJS.Signals) => void) | null = null;
	const listener = (signal: NodeJS.Signals): void => {
		if (first === null) {
			exit(128 + constants.signals[signal]);
			return;
		}
		const signalled = first;
		first = null;
		signalled(signal);
	};
	const signalled = new Promise<NodeJS.Signals>((resolve) => {
		first = resolve;
	});
	for (const signal of signals) {
		source.on(signal, listener);
	}
	try {
		return await leave(await signalled);
	} finally {
		for (const signal of signals) {
			source.off(signal, listener);
		}
	}
}
