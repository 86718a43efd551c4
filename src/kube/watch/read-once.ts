import type { AnyObject, Kind, Resources } from "../../core/kinds.ts";
import { kinds } from "../../core/kinds.ts";
import { ApiError } from "../client/api.ts";
import type { Connection } from "../client/connection.ts";
import { listKept } from "../client/list-raw.ts";
import type { Sink } from "./feed.ts";
import { keepWhole, projectionOf } from "./projection.ts";
import { createSharedValues } from "./shared-values.ts";

/**
 * Lists every object of some kinds once, all kinds at the same time, and makes a world of them as the feed would. Throws
 * the first failure when all have ended: unlike the feed it waits for nobody to be given a right or to come back.
 */
export async function readOnce(
	connection: Connection,
	followed: readonly Kind[],
	sink: Pick<Sink, "replace">,
): Promise<void> {
	const keeping = keepWhole(createSharedValues());
	const lists = await Promise.allSettled(
		followed.map(async (kind) => {
			const objects = await listKept(connection, kinds[kind], projectionOf(kind, keeping));
			replace(sink, kind, objects);
		}),
	);
	const reasons = lists.filter((each) => each.status === "rejected").map(({ reason }): unknown => reason);
	const [first] = reasons;
	if (first instanceof ApiError && reasons.length > 1) {
		// Whoever has to ask for rights wants to ask once.
		const more = reasons.length - 1;
		const message = `${first.message} (and ${more} more ${more === 1 ? "kind fails" : "kinds fail"})`;
		throw new ApiError(first.status, first.reason, message);
	}
	if (first !== undefined) {
		throw first;
	}
}

/** The projection has seen to it that the objects are of that kind. */
function replace<K extends Kind>(sink: Pick<Sink, "replace">, kind: K, objects: readonly AnyObject[]): void {
	sink.replace(kind, objects as readonly Resources[K][]);
}
