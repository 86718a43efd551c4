import { parentPort, Worker, workerData } from "node:worker_threads";
import type { PlainReading } from "./plain-reading.ts";
import { nothingRead, readPlain } from "./plain-reading.ts";

interface Task {
	readonly bytes: Uint8Array;
	readonly file: string;
}

/**
 * Reads the content of a file in a thread of its own, so that nobody waits for a large one; what ends that thread, such as
 * the want of memory or the signal, is said of the file. The YAML of a megabyte takes about a second to read.
 */
export function readAside(bytes: Buffer, file: string, signal: AbortSignal): Promise<PlainReading> {
	return new Promise((resolve) => {
		const task: Task = { bytes, file };
		// Flags that say how the program was started, such as --eval, are not for the thread.
		const worker = new Worker(new URL(import.meta.url), { workerData: task, execArgv: [] });
		const end = (): void => {
			worker.terminate().catch(() => {});
		};
		const finish = (reading: PlainReading): void => {
			signal.removeEventListener("abort", end);
			resolve(reading);
		};
		worker.once("message", finish);
		worker.once("error", (error: NodeJS.ErrnoException) => finish(nothingRead(file, reasonOf(error))));
		worker.once("exit", () => finish(nothingRead(file, "cannot be read: reading was ended")));
		signal.addEventListener("abort", end, { once: true });
		if (signal.aborted) {
			end();
		}
	});
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
	return code === "ERR_WORKER_OUT_OF_MEMORY"
		? "is too large for the memory of this process: split the file"
		: `cannot be read (${code ?? message})`;
}

// This file is also what the thread runs; another thread that loads it has no such task.
if (parentPort !== null && isTask(workerData)) {
	parentPort.postMessage(readPlain(Buffer.from(workerData.bytes), workerData.file));
}

function isTask(data: unknown): data is Task {
	return (
		typeof data === "object" &&
		data !== null &&
		"bytes" in data &&
		data.bytes instanceof Uint8Array &&
		"file" in data &&
		typeof data.file === "string"
	);
}
