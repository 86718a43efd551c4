import { readFileSync } from "node:fs";

/** The resident memory of a running process in MiB, as Linux counts it (proc(5), VmRSS). */
export function residentMiB(pid: number): number {
	return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
