import type { Logger } from "pino";
import { destination, pino, stdTimeFunctions } from "pino";
import { formatLine } from "./log-line.ts";

/** Where log lines go, and whether a person reads them there. */
export interface LogOutput {
	/** A file descriptor. */
	readonly descriptor: number;
	/** Lines for people instead of JSON. */
	readonly isForPeople: boolean;
}

/**
 * Makes the log of a server: JSON, one object a line, with `level` as text and `time` as RFC 3339, as collectors want it;
 * for people a line of text. Lines are dropped rather than waited for: a stalled reader must not stall admission.
 */
export function createLog(level: string, { descriptor, isForPeople }: LogOutput): Logger {
	const sink = destination({ dest: descriptor, sync: false, maxLength: 1 << 20 });
	return pino(
		{
			level,
			base: null,
			timestamp: stdTimeFunctions.isoTime,
			formatters: { level: (label) => ({ level: label }) },
		},
		isForPeople ? { write: (line: string) => void sink.write(formatLine(line)) } : sink,
	);
}
