import type { Resource } from "./api.ts";
import { ApiError, HttpError } from "./api.ts";
import type { Connection } from "./connection.ts";

/**
 * The versions of a resource that the API server serves, of those that Waymark can read, the preferred one first;
 * empty when it serves none. Throws when the server does not say so itself: a 404 of a proxy is not the absence of a CRD.
 */
export async function servedVersions(
	connection: Connection,
	resource: Resource,
	signal?: AbortSignal,
): Promise<readonly string[]> {
	const options = { deadlineMs: 10_000, ...(signal === undefined ? {} : { signal }) };
	const groups = await connection.request("GET", "/apis", options);
	const list = field(groups, "groups");
	if (field(groups, "kind") !== "APIGroupList" || !Array.isArray(list)) {
		throw new HttpError("malformed", "Cannot discover kinds: the answer is no APIGroupList");
	}
	const group = list.find((entry) => field(entry, "name") === resource.group);
	const offered = field(group, "versions");
	const names = new Set(Array.isArray(offered) ? offered.map((entry) => field(entry, "version")) : []);
	const served: string[] = [];
	for (const version of resource.versions) {
		if (names.has(version) && (await serves(connection, resource, version, options))) {
			served.push(version);
		}
	}
	return served;
}

async function serves(
	connection: Connection,
	resource: Resource,
	version: string,
	options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
	try {
		const answer = await connection.request("GET", `/apis/${resource.group}/${version}`, options);
		const resources = field(answer, "resources");
		return Array.isArray(resources) && resources.some((entry) => field(entry, "name") === resource.plural);
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) {
			return false;
		}
		throw error;
	}
}

function field(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
