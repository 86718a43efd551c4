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
	const answer = (): void => {
		reply.header("retry-after", "1").header("content-type", "application/json");
		if (connection === "close") {
			reply.header("connection", "close");
		}
		reply.code(503).send(body);
	};
	const { raw } = request;
	if (raw.complete) {
		answer();
		return;
	}
	raw.once("end", answer);
	raw.resume();
}
