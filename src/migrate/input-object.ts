import type { Path } from "../core/finding.ts";
import type { Kind } from "../core/kinds.ts";
import type { Fields } from "./fields.ts";

/** One object of the input. */
export interface InputObject {
	/** Undefined for kinds that Waymark does not judge; they matter where they select an egress gateway. */
	readonly kind: Kind | undefined;
	/** The kind as the manifest writes it. */
	readonly title: string;
	readonly namespace: string;
	readonly name: string;
	readonly object: Fields;
	readonly file: string;
	readonly line: number;
	/** The mesh configuration that it holds, if it does. */
	readonly mesh?: MeshConfiguration;
}

/** Istio's mesh configuration, and where in an object it stands. */
export interface MeshConfiguration {
	readonly path: Path;
	/** Whether it is a text there, so that no path leads further. */
	readonly isText: boolean;
	readonly value: Fields;
}

/** An object for people: `Gateway shop/payments`. */
export function titleOf({ title, namespace, name }: InputObject): string {
	return `${title} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

/** `1-add` can be applied at any time, `2-switch` together with the move of the clients to ambient. */
export type Stage = "1-add" | "2-switch";

/** An object that the migration writes. */
export interface Output {
	readonly stage: Stage;
	readonly object: Fields;
	/** The object of the input that it continues, whose comments it keeps. */
	readonly base?: InputObject;
	/** Why it exists, for people. */
	readonly purpose: string;
}

/** The kind, namespace and name by which two written objects are the same one. */
export function outputKey(object: Fields): string {
	const metadata = object.metadata as { readonly namespace?: string; readonly name?: string } | undefined;
	return `${String(object.kind)} ${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}
