import { randomBytes } from "node:crypto";
import type { Server, TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { CertificateSource, ServingCertificate } from "../certificates/source.ts";

/** The oldest TLS version a server accepts; 1.3 unless an old proxy needs 1.2. */
export type TlsFloor = "TLSv1.2" | "TLSv1.3";

/** What a server demands of a connection, beside its own certificate. */
export interface TlsDemands {
	readonly minVersion?: TlsFloor;
	/** PEM bundle; when given, a client must present a certificate that it verifies. */
	readonly clientCa?: string;
}

/** Every option of a TLS context: `setSecureContext()` resets what is left out, the TLS floor and the client CA included. */
export interface TlsContext {
	readonly cert: string;
	readonly key: string;
	readonly ca?: string;
	readonly minVersion: TlsFloor;
	readonly maxVersion: "TLSv1.3";
	readonly ciphers: string;
	readonly honorCipherOrder: true;
	readonly requestCert: boolean;
	readonly rejectUnauthorized: boolean;
	readonly ticketKeys: Buffer;
}

/** Keeps a server's certificate up to date. */
export interface AppliedCertificates {
	/** How many certificates could not be applied since the start; the one before stayed in use. */
	faults(): number;
	/** What the server presents to new connections. */
	served(): ServingCertificate;
	/**
	 * Serves on with other demands, such as a renewed client CA; throws when they cannot be applied.
	 * Whether a client certificate is asked for at all is settled when the server is created.
	 */
	demand(next: TlsDemands): void;
	stop(): void;
}

// TLS 1.3's own three, then the forward-secret AEAD suites of TLS 1.2.
const ciphers = [
	"TLS_AES_128_GCM_SHA256",
	"TLS_AES_256_GCM_SHA384",
	"TLS_CHACHA20_POLY1305_SHA256",
	"ECDHE-ECDSA-AES128-GCM-SHA256",
	"ECDHE-RSA-AES128-GCM-SHA256",
	"ECDHE-ECDSA-AES256-GCM-SHA384",
	"ECDHE-RSA-AES256-GCM-SHA384",
	"ECDHE-ECDSA-CHACHA20-POLY1305",
	"ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** The TLS options of a server, for its creation and for every later `setSecureContext()`. */
export function tlsContext(certificate: ServingCertificate, demands: TlsDemands = {}): TlsContext {
	return {
		cert: certificate.cert,
		key: certificate.key,
		...(demands.clientCa === undefined ? {} : { ca: demands.clientCa }),
		minVersion: demands.minVersion ?? "TLSv1.3",
		maxVersion: "TLSv1.3",
		ciphers,
		honorCipherOrder: true,
		requestCert: demands.clientCa !== undefined,
		rejectUnauthorized: demands.clientCa !== undefined,
		// Fresh keys void older tickets: a client whose CA was withdrawn must not resume its way in.
		ticketKeys: randomBytes(48),
	};
}

/** Lets a server follow a certificate source: new connections get the new certificate, open ones live on. */
export function applyCertificates(
	server: Pick<Server, "setSecureContext">,
	source: CertificateSource,
	demands: TlsDemands = {},
	onFault: (error: Error) => void = () => {},
): AppliedCertificates {
	let faults = 0;
	let served = source.current();
	let wanted = demands;
	const apply = (): void => {
		const next = source.current();
		try {
			server.setSecureContext(tlsContext(next, wanted));
			served = next;
		} catch (error) {
			// OpenSSL refused the pair before anything was replaced, so the old context still serves.
			faults += 1;
			onFault(error instanceof Error ? error : new Error(String(error)));
		}
	};
	const unsubscribe = source.onChange(apply);
	if (source.current() !== served) {
		apply();
	}
	return {
		faults: () => faults,
		served: () => served,
		demand(next) {
			if ((next.clientCa === undefined) !== (wanted.clientCa === undefined)) {
				throw new Error("Cannot turn the client-certificate check on or off: the server already runs");
			}
			server.setSecureContext(tlsContext(served, next));
			wanted = next;
		},
		stop: unsubscribe,
	};
}

/**
 * Answers 403 to clients whose certificate bears none of the allowed names (common name or DNS alternative name).
 * The CA is checked by TLS itself before a request is read; an empty list allows every client of that CA.
 */
export function installClientNames(app: FastifyInstance, allowed: readonly string[]): void {
	if (allowed.length === 0) {
		return;
	}
	const names = new Set(allowed);
	app.addHook("onRequest", async (request, reply) => {
		const socket = request.raw.socket;
		const peer = "getPeerCertificate" in socket ? peerNames(socket) : [];
		if (!peer.some((name) => names.has(name))) {
			await reply
				.code(403)
				.header("connection", "close")
				.send({ message: "The client certificate bears none of the allowed names" });
		}
	});
}

function peerNames(socket: object): readonly string[] {
	// The request's socket is typed as a plain one; the caller saw that it is a TLS socket.
	const certificate = (socket as TLSSocket).getPeerCertificate();
	const names = (certificate.subjectaltname ?? "")
		.split(", ")
		.filter((entry) => entry.startsWith("DNS:"))
		.map((entry) => entry.slice(4));
	const common: string | readonly string[] | undefined = certificate.subject?.CN;
	return common === undefined ? names : names.concat(common);
}
