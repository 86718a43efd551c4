import type { Socket } from "node:net";
import type { Connections } from "./connections.ts";

const answers: Readonly<Record<string, string>> = {
	ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
	HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/**
 * For how long a connection may wait for its first request, in milliseconds: an API server ends it itself after 90 s
 * (k8s.io/apimachinery pkg/util/net/http.go, IdleConnTimeout).
 */
const longestUnusedMs = 120_000;

/**
 * Answers what is no request, or does not come to an end, and ends its connection (`clientError` of node:http). One that
 * has brought nothing yet is left open: Node.js counts the time for headers from its first moment, while a Go client keeps
 * a connection that it opened for a request which another one took meanwhile (net/http transport.go, queueForDial), and
 * the next request on it would meet the answer to none.
 */
export function refuseClient(
	error: NodeJS.ErrnoException,
	socket: Socket,
	connections: Pick<Connections, "unusedMs">,
): void {
	const code = error.code ?? "";
	if (code === "ECONNRESET" || socket.destroyed) {
		return;
	}
	if (
		code === "ERR_HTTP_REQUEST_TIMEOUT" &&
		(connections.unusedMs(socket) ?? longestUnusedMs) < longestUnusedMs
	) {
		return;
	}
	if (socket.writable) {
		socket.write(
			`HTTP/1.1 ${answers[code] ?? "400 Bad Request"}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
		);
	}
	socket.destroy(error);
}
