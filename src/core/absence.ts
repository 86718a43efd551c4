import type { Kind } from "./kinds.ts";

/** An object that a rule asked for and did not find. */
export interface Absence {
	readonly kind: Kind;
	readonly namespace: string;
	readonly name: string;
}
