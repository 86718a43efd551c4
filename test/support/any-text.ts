import type { Arbitrary } from "fast-check";
import { array, integer, oneof } from "fast-check";

/**
 * Text of any letters, halves of pairs too. The `unit: "binary"` of fast-check is this as well, and lists its million of
 * letters first, a second in each process.
 */
export const anyText: Arbitrary<string> = array(
	oneof(
		integer({ min: 0, max: 0xff }),
		integer({ min: 0, max: 0xffff }),
		integer({ min: 0, max: 0x10_ffff }),
	),
).map((points) => String.fromCodePoint(...points));
