/** Nothing that Waymark reads lies deeper; a review can hold more levels than the stack has room for. */
const deepest = 32;

/**
 * An object as the API server would store it as far as nulls go: it drops a null field
 * (k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting/prunenulls.go) and reads a null label or annotation
 * as an empty one. A null item of a list stays, and the schema refuses it. What lies deeper than Waymark reads is shared.
 */
export function pruneNulls(object: unknown): unknown {
	return copy(object, 0, false);
}

function copy(value: unknown, depth: number, isMetadata: boolean): unknown {
	if (depth > deepest) {
		return value;
	}
	if (Array.isArray(value)) {
		return value.map((item) => copy(item, depth + 1, false));
	}
	if (typeof value !== "object" || value === null) {
		return value;
	}
	const entries: [string, unknown][] = [];
	for (const [key, item] of Object.entries(value)) {
		if (item !== null && item !== undefined) {
			const isMap = isMetadata && (key === "labels" || key === "annotations");
			entries.push([key, isMap ? filled(item) : copy(item, depth + 1, depth === 0 && key === "metadata")]);
		}
	}
	return Object.fromEntries(entries);
}

function filled(map: unknown): unknown {
	return typeof map === "object" && map !== null && !Array.isArray(map)
		? Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value ?? ""]))
		: map;
}
