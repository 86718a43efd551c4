import type { Resource } from "./api.ts";
import { ApiError, resourcePath } from "./api.ts";
import type { Connection } from "./connection.ts";
import { servedVersions } from "./discovery.ts";

/** An object as the API server stores it, with every field; `apiVersion` and `kind` are filled in. */
export type RawObject = Readonly<Record<string, unknown>>;

/** A resource with the name of its kind, which a list does not repeat for each object. */
export interface RawResource extends Resource {
	readonly kind: string;
}

interface List {
	readonly metadata?: { readonly continue?: string | null } | null;
	readonly items?: readonly RawObject[] | null;
}

const pageSize = 500;
const deadlineMs = 30_000;

/**
 * Lists every object of a resource, once; none when the API server does not serve it. Unlike the feed, which keeps what
 * rules read, it leaves no field out. Throws `ApiError`, also where listing is forbidden, and `HttpError`.
 */
export function listRaw(connection: Connection, resource: RawResource): Promise<readonly RawObject[]> {
	const { group, kind } = resource;
	return listKept(connection, resource, (item, version) => ({
		apiVersion: group === "" ? version : `${group}/${version}`,
		kind,
		...item,
	}));
}

/**
 * Lists every object of a resource as `listRaw` does, and keeps of each what `keep` makes of it, page by page.
 * @param keep is given the version that was listed; what it gives undefined for is left out
 */
export async function listKept<T>(
	connection: Connection,
	resource: Resource,
	keep: (item: RawObject, version: string) => T | undefined,
): Promise<readonly T[]> {
	const [version] = resource.group === "" ? resource.versions : await servedVersions(connection, resource);
	if (version === undefined) {
		return [];
	}
	try {
		return await listPages(connection, resource, version, { keep, limit: pageSize });
	} catch (error) {
		// A page's token lives five minutes at most; the whole list at once needs none.
		if (error instanceof ApiError && error.status === 410) {
			return listPages(connection, resource, version, { keep, limit: undefined });
		}
		throw error;
	}
}

async function listPages<T>(
	connection: Connection,
	{ group, plural }: Resource,
	version: string,
	{
		keep,
		limit,
	}: {
		readonly keep: (item: RawObject, version: string) => T | undefined;
		readonly limit: number | undefined;
	},
): Promise<readonly T[]> {
	const kept: T[] = [];
	let next: string | undefined;
	do {
		const page = (await connection.request("GET", resourcePath(group, version, plural), {
			deadlineMs,
			query: { limit, continue: next },
		})) as List;
		for (const item of page.items ?? []) {
			const each = keep(item, version);
			if (each !== undefined) {
				kept.push(each);
			}
		}
		next = page.metadata?.continue || undefined;
	} while (next !== undefined);
	return kept;
}
