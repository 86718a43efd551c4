import type { Logger } from "pino";
import { destination, pino, stdTimeFunctions } from "pino";

/**
 * Makes the log of a server: JSON, one object a line, with `level` as text and `time` as RFC 3339, as collectors want it.
 * Lines are dropped rather than waited for: a stalled reader must not stall admission.
 */
export function createLog(level: string): Logger {
	return pino(
		{
			level,
			base: null,
			timestamp: stdTimeFunctions.isoTime,
			formatters: { level: (label) => ({ level: label }) },
		},
		destination({ dest: 2, sync: false, maxLength: 1 << 20 }),
	);
}
