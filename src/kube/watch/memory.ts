import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives back the memory that reading a whole cluster took: tens of megabytes of young generation that V8 would keep for
 * ever. Blocks for some 5 ms per thousand objects, so it is called once the first rush is over. V8 only shrinks the
 * young generation in its last-resort collection, which no other call of Node's reaches.
 */
export function compactMemory(): void {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as (options?: { readonly flavor: "last-resort" }) => unknown;
	collect({ flavor: "last-resort" });
}

/**
 * Keeps the young generation small until the returned function is called: what a first list brings lives long, so that
 * growing for it only costs memory. V8 reads the factor at every collection.
 */
export function keepYoungGenerationSmall(): () => void {
	setFlagsFromString("--semi-space-growth-factor=1");
	return () => setFlagsFromString("--semi-space-growth-factor=2");
}
