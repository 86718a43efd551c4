import type { Server, TLSSocket } from "node:tls";

/**
 * Why a TLS handshake failed: the client does not trust our certificate, we do not trust the client's, no TLS version or
 * cipher in common, HTTP without TLS, not done in time, or the connection ended in its middle.
 */
export type HandshakeFailure =
	| "distrusted"
	| "client-certificate"
	| "version"
	| "plain-http"
	| "timeout"
	| "closed"
	| "other";

export const handshakeFailures: readonly HandshakeFailure[] = [
	"distrusted",
	"client-certificate",
	"version",
	"plain-http",
	"timeout",
	"closed",
	"other",
];

/** The handshakes of a server that failed. */
export interface Handshakes {
	/** How many have failed for that reason since the start. */
	failed(reason: HandshakeFailure): number;
}

/** Counts failed handshakes of a server; a client that never begins one is not among them. */
export function countHandshakes(server: Pick<Server, "on">): Handshakes {
	const counts = new Map<HandshakeFailure, number>();
	server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
		const reason = reasonOf(error, socket);
		counts.set(reason, (counts.get(reason) ?? 0) + 1);
	});
	return { failed: (reason) => counts.get(reason) ?? 0 };
}

/** By OpenSSL's reasons as Node.js spells them (deps/openssl ssl/ssl_err.c), the alerts of RFC 8446 among them. */
const reasons: readonly (readonly [RegExp, HandshakeFailure])[] = [
	[/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN))$/, "distrusted"],
	[/PEER_DID_NOT_RETURN_A_CERTIFICATE|CERTIFICATE_VERIFY_FAILED/, "client-certificate"],
	[/UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|VERSION_TOO_LOW|NO_SHARED_CIPHER/, "version"],
	[/HTTP_REQUEST/, "plain-http"],
	[/HANDSHAKE_TIMEOUT/, "timeout"],
	[/ECONNRESET|EPIPE/, "closed"],
];

function reasonOf({ code = "" }: NodeJS.ErrnoException, socket: TLSSocket): HandshakeFailure {
	// Node.js ends the connection of a client that it does not trust, and reports no more than that it ended. The type
	// knows no null, and there is one until a certificate was looked at.
	const distrust: unknown = socket.authorizationError;
	if (typeof distrust === "string") {
		return "client-certificate";
	}
	return reasons.find(([pattern]) => pattern.test(code))?.[1] ?? "other";
}
