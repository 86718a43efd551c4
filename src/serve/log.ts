import type { Logger } from "pino";
import { destination, pino } from "pino";

/** Makes the log of a server. Lines are dropped rather than waited for: a stalled reader must not stall admission. */
export function createLog(level: string): Logger {
	return pino({ level, base: null }, destination({ dest: 2, sync: false, maxLength: 1 << 20 }));
}
