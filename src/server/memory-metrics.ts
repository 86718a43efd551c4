import { getHeapStatistics } from "node:v8";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { Gauge } from "prom-client";
import type { Check } from "./probes.ts";

/** How full the heap is that V8 may use (`--max-old-space-size`); past it the process ends. */
export interface MemoryWatch {
	checks(): readonly Check[];
	stop(): void;
}

const checkEveryMs = 5000;

// Garbage that waits for a collection counts too, and V8 collects in earnest only above this.
const fullAt = 0.85;
const easedAt = 0.75;

/** Registers the metrics of memory, and logs when it becomes scarce and when that is over. */
export function watchMemory(
	registry: Registry,
	log: Pick<Logger, "info" | "warn">,
	read: () => { readonly used: number; readonly limit: number } = () => heapFigures(),
	everyMs: number = checkEveryMs,
): MemoryWatch {
	new Gauge({
		name: "waymark_heap_used_bytes",
		help: "Bytes of the JavaScript heap in use",
		registers: [registry],
		collect() {
			this.set(read().used);
		},
	});
	new Gauge({
		name: "waymark_heap_limit_bytes",
		help: "Bytes that the JavaScript heap may grow to; past it the process ends",
		registers: [registry],
		collect() {
			this.set(read().limit);
		},
	});
	let isScarce = false;
	const check = (): void => {
		const { used, limit } = read();
		const share = used / limit;
		if (!isScarce && share > fullAt) {
			isScarce = true;
			log.warn({ usedMegabytes: megabytes(used), limitMegabytes: megabytes(limit) }, "memory is scarce");
		} else if (isScarce && share < easedAt) {
			isScarce = false;
			log.info({ usedMegabytes: megabytes(used) }, "memory is no longer scarce");
		}
	};
	const timer = setInterval(check, everyMs);
	timer.unref();
	return {
		checks() {
			const { used, limit } = read();
			return [
				{
					name: "memory",
					ok: !isScarce,
					advisory: true,
					detail: `${megabytes(used)} of ${megabytes(limit)} MB of heap`,
				},
			];
		},
		stop: () => clearInterval(timer),
	};
}

/** What the heap takes, and what it may take, in bytes. */
export function heapFigures(nodeOptions = ""): { readonly used: number; readonly limit: number } {
	return { used: getHeapStatistics().used_heap_size, limit: heapLimit(nodeOptions) };
}

/** MiB of a young generation that V8 may grow one to, unless `--max-semi-space-size` says otherwise. */
const usualYoung = 64;

/**
 * What long-lived objects may take, in bytes: `--max-old-space-size`, or what V8 chose.
 * @param nodeOptions the environment's `NODE_OPTIONS`
 */
export function heapLimit(nodeOptions = ""): number {
	const { heap_size_limit: limit } = getHeapStatistics();
	const options = [...nodeOptions.split(/\s+/), ...process.execArgv];
	const young = options.findLast((option) => option.startsWith("--max-semi-space-size="))?.split("=")[1];
	// V8's own figure has room for three young generations in it, whatever `--max-old-space-size` says.
	const youngBytes = 3 * Number(young ?? usualYoung) * 1024 * 1024;
	return limit > youngBytes ? limit - youngBytes : limit;
}

function megabytes(bytes: number): number {
	return Math.round(bytes / 1e6);
}
