import { isScalar } from "yaml";
import type { ShapeFault } from "../core/coerce.ts";
import { coerce } from "../core/coerce.ts";
import { formatPath, quote } from "../core/finding.ts";
import type { AnyObject } from "../core/kinds.ts";
import { conformsToKind, kinds } from "../core/kinds.ts";
import { pruneNulls } from "../core/prune-nulls.ts";
import type { Manifest, Unreadable } from "./read.ts";

const words = {
	string: "a text belongs",
	number: "a number belongs",
	boolean: "true or false belongs",
	list: "a list belongs",
	map: "fields belong",
} as const;

/** More mistakes than this are one mistake, such as a template that nobody rendered. */
const mostMisreadings = 8;

/**
 * An object whose fields have other types than its kind wants, as its author most likely meant it, and what is wrong:
 * the API server refuses it. An object of the right shape, or of an unknown kind, is given back as it is.
 */
export function asMeant(manifest: Manifest): {
	readonly manifest: Manifest;
	readonly misreadings: readonly Unreadable[];
} {
	const { kind, object, file } = manifest;
	if (kind === undefined || conformsToKind(kind, pruneNulls(object))) {
		return { manifest, misreadings: [] };
	}
	const { value, faults } = coerce(object, kinds[kind].shape);
	// The API server leaves out the status of a custom resource that is written with the rest.
	const refused = faults.filter(({ path }) => path[0] !== "status" || kinds[kind].group === "");
	const misreadings = refused.slice(0, mostMisreadings).map((fault) => ({
		file,
		line: manifest.position(fault.path).line,
		message: `${formatPath(fault.path)}: ${words[fault.expected]} here, not ${found(manifest, fault)}; the API server refuses this ${kinds[kind].kind}`,
	}));
	return { manifest: { ...manifest, object: value as AnyObject }, misreadings };
}

/** What is wrong with objects whose shape is not that of their kind; the API server has none of them. */
export function misreadingsOf(manifests: readonly Manifest[]): readonly Unreadable[] {
	return manifests.flatMap((manifest) => asMeant(manifest).misreadings);
}

function found({ document, prefix }: Manifest, { path, value }: ShapeFault): string {
	if (typeof value === "string") {
		return quote(value);
	}
	if (typeof value === "object") {
		return Array.isArray(value) ? "a list" : "a map";
	}
	const node: unknown = document.getIn([...prefix, ...path], true);
	const written = isScalar(node) ? node.source : undefined;
	return written === undefined || written === String(value)
		? String(value)
		: `${String(value)}, which is what ${quote(written)} without quotes means`;
}
