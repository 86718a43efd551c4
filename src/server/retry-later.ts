import type { FastifyReply, FastifyRequest } from "fastify";

const body = '{"message":"This replica cannot answer now; ask again"}';

/**
 * Answers 503 with `Retry-After: 1`, which the API server retries within the webhook's timeout (client-go
 * rest/with_retry.go). The request's body is read to its end first, unparsed: closing with unread data resets the
 * connection, and the answer would be lost with it.
 */
export function retryLater(
	request: FastifyRequest,
	reply: FastifyReply,
	connection: "close" | "keep-alive",
): void {
	const answer = (): void => answerRetryLater(reply, connection);
	const { raw } = request;
	if (raw.complete) {
		answer();
		return;
	}
	raw.once("end", answer);
	raw.resume();
}

/** Gives that answer to a request that has been read. */
export function answerRetryLater(reply: FastifyReply, connection: "close" | "keep-alive"): void {
	reply.header("retry-after", "1").header("content-type", "application/json");
	if (connection === "close") {
		reply.header("connection", "close");
	}
	reply.code(503).send(body);
}

/** The reviews that were last sent on; the API server repeats a call under the same uid. */
export interface RecentIds {
	/** Remembers an id; whether it was remembered already, or is longer than any of an API server. */
	add(id: string): boolean;
}

// A call lasts 30 s at most, and a replica that knows no namespace is not asked a thousand times in that time.
const mostIds = 1000;
// The API server's own are 36 characters long, and a thousand are kept.
const longestId = 256;

/** Makes an empty memory of ids, which forgets the oldest. */
export function createRecentIds(): RecentIds {
	const ids = new Set<string>();
	return {
		add(id) {
			if (id.length > longestId || ids.has(id)) {
				return true;
			}
			const [oldest] = ids;
			if (ids.size >= mostIds && oldest !== undefined) {
				ids.delete(oldest);
			}
			ids.add(id);
			return false;
		},
	};
}
