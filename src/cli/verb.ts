import type { CaughtSignals } from "../server/signals.ts";

/** Where a verb writes, and what it may assume of it. */
export interface Streams {
	out(text: string): void;
	error(text: string): void;
	/** Whether the output is a terminal that shows colour. */
	readonly colour: boolean;
	/** Columns of the terminal; undefined where the output is none. */
	readonly width?: number | undefined;
	/** Shows how far a long run is, on a line that the next one replaces; "" clears it. Only on a terminal. */
	readonly progress?: (text: string) => void;
	/** What stands for the standard input, where that is not the process's own. */
	readonly input?: string;
	/** Signals caught since the process began, for a verb that has something to finish. */
	readonly signals?: CaughtSignals;
}

/** Exit codes of every verb (BSD sysexits.h where it has one). */
export const exitCodes: {
	readonly clean: 0;
	readonly findings: 1;
	readonly usage: 64;
	readonly unreadable: 65;
	readonly fault: 70;
} = { clean: 0, findings: 1, usage: 64, unreadable: 65, fault: 70 };

/** Arguments that make no sense; the message says which, and the caller shows how the verb is used. */
export class UsageError extends Error {
	/** Whether the message itself says what was meant, so that the help of the verb would only hide it. */
	readonly isHelped: boolean;

	constructor(message: string, options: { readonly isHelped?: boolean } = {}) {
		super(message);
		this.name = "UsageError";
		this.isHelped = options.isHelped ?? false;
	}
}

/** One verb of the command line: gives the exit code. */
export interface Verb {
	readonly summary: string;
	readonly usage: string;
	/** The verb of its own that the first argument names, whose help, flags and run are meant then. */
	part?(name: string | undefined): Promise<Verb | undefined>;
	/** The words that the first argument may be: the names of the parts, or of what is asked about; none: anything. */
	words?(): Promise<readonly string[]>;
	run(argv: readonly string[], streams: Streams): Promise<number>;
}
