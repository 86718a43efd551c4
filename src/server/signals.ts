import type { EventEmitter } from "node:events";
import { constants } from "node:os";

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Signals that ask a process to leave, from the moment on at which they are caught. */
export interface CaughtSignals {
	/** Settles with the first one. */
	readonly first: Promise<NodeJS.Signals>;
	/** Gives the default actions back. */
	release(): void;
	/** Ends the process with this code, unless it ends by itself at once. */
	end(code: number): void;
}

/** Node.js opens a port on SIGUSR1 by which anybody who reaches loopback, the node's own with hostNetwork, runs code. */
function openNoDebugger(): void {}

/**
 * Catches SIGTERM, SIGINT and SIGHUP; a second one ends the process at once with 128 + its number. SIGUSR1 does nothing.
 * To be called before anything else: as PID 1 of a container a process without a handler does not even notice a SIGTERM.
 */
export function catchSignals(
	source: EventEmitter = process,
	// The one place that ends the process: as PID 1 of a container, restoring the default action would do nothing.
	exit: (code: number) => void = (code) => process.exit(code),
): CaughtSignals {
	const { promise: first, resolve } = Promise.withResolvers<NodeJS.Signals>();
	let isFirst = true;
	const listener = (signal: NodeJS.Signals): void => {
		if (isFirst) {
			isFirst = false;
			resolve(signal);
		} else {
			exit(128 + constants.signals[signal]);
		}
	};
	for (const signal of signals) {
		source.on(signal, listener);
	}
	source.on("SIGUSR1", openNoDebugger);
	return {
		first,
		release() {
			source.off("SIGUSR1", openNoDebugger);
			for (const signal of signals) {
				source.off(signal, listener);
			}
		},
		end(code) {
			setTimeout(() => exit(code), 100).unref();
		},
	};
}

/** Waits for the first signal and then for `leave`, and gives what `leave` gives. */
export async function untilSignalled<Outcome>(
	leave: (signal: NodeJS.Signals) => Promise<Outcome>,
	caught: CaughtSignals = catchSignals(),
): Promise<Outcome> {
	try {
		return await leave(await caught.first);
	} finally {
		caught.release();
	}
}
