import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, realpathSync } from "node:fs";

/** What is no regular file has no size that could be asked first: more bytes than these are no manifests. */
const mostBytes = 256 * 1024 * 1024;

/** How long is waited for who writes into a pipe that has a name, in milliseconds. */
const defaultWaitMs = 5_000;

/**
 * The whole of a file, in bytes; 0 is the standard input. What a process writes into the pipe of a shell is read to its end,
 * as long as that takes. A pipe with a name is given up when nothing comes for `waitMs`: whoever should write may never
 * come, and to open it is to wait. Throws what the operating system says, or an error whose message is for people.
 */
export function readWhole(file: string | 0, waitMs: number = defaultWaitMs): Buffer {
	if (file === 0) {
		return fstatSync(0).isFile() ? readFileSync(0) : readStream(0, Number.POSITIVE_INFINITY);
	}
	const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(descriptor);
		return stats.isFile() || stats.isDirectory()
			? readFileSync(descriptor)
			: readStream(descriptor, stats.isFIFO() && hasName(file) ? waitMs : Number.POSITIVE_INFINITY);
	} finally {
		closeSync(descriptor);
	}
}

/** Whether a pipe lies in the file system; that of a shell is reached by way of /dev/fd and leads nowhere. */
function hasName(file: string): boolean {
	try {
		realpathSync(file);
		return true;
	} catch {
		return false;
	}
}

function readStream(descriptor: number, waitMs: number): Buffer {
	const chunks: Buffer[] = [];
	let bytes = 0;
	let heard = performance.now();
	for (;;) {
		const chunk = Buffer.allocUnsafe(65_536);
		const count = readSome(descriptor, chunk);
		if (count !== undefined && count > 0) {
			bytes += count;
			chunks.push(chunk.subarray(0, count));
			heard = performance.now();
		} else if (count === 0 && (bytes > 0 || waitMs === Number.POSITIVE_INFINITY)) {
			return Buffer.concat(chunks, bytes);
		} else if (performance.now() - heard > waitMs) {
			throw new Error(`is a pipe into which nobody has written for ${waitMs / 1000} s`);
		} else {
			pause();
		}
		if (bytes > mostBytes) {
			throw new Error(`is longer than ${mostBytes / 1024 / 1024} MiB`);
		}
	}
}

/** How many bytes came; undefined where a writer is there and has nothing yet. */
function readSome(descriptor: number, chunk: Buffer): number | undefined {
	try {
		return readSync(descriptor, chunk);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
			return undefined;
		}
		throw error;
	}
}

function pause(): void {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}
