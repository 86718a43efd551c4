import { HttpError } from "./api.ts";

/**
 * Cuts a byte stream into lines at "\n" only (readline would also cut at U+2028, which JSON may carry raw) and
 * never keeps more than `limit` bytes of an unfinished one.
 */
export class LineSplitter {
	readonly #limit: number;
	#held: Buffer[] = [];
	#heldBytes = 0;

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** Hands every line that the chunk completes to `line`, without its newline; throws when one is too long. */
	push(chunk: Buffer, line: (text: string) => void): void {
		let start = 0;
		for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
			this.#guard(end - start);
			const text = this.#take(chunk, start, end);
			start = end + 1;
			if (text !== "") {
				line(text);
			}
		}
		if (start < chunk.length) {
			this.#guard(chunk.length - start);
			// A copy: the rest may be short, and a view of it would keep the whole chunk alive.
			this.#held.push(Buffer.from(chunk.subarray(start)));
			this.#heldBytes += chunk.length - start;
		}
	}

	/** Bytes of an unfinished line: above 0 at the end of the stream, the last line was cut off. */
	get pending(): number {
		return this.#heldBytes;
	}

	#take(chunk: Buffer, start: number, end: number): string {
		if (this.#heldBytes === 0) {
			return chunk.toString("utf8", start, end);
		}
		this.#held.push(chunk.subarray(start, end));
		const text = Buffer.concat(this.#held).toString("utf8");
		this.#held = [];
		this.#heldBytes = 0;
		return text;
	}

	#guard(more: number): void {
		if (this.#heldBytes + more > this.#limit) {
			throw new HttpError("oversized", `Cannot read a watch event: it is longer than ${this.#limit} bytes`);
		}
	}
}
