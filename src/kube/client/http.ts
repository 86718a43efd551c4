import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createSecureContext } from "node:tls";
import { urlToHttpOptions } from "node:url";
import { HttpError } from "./api.ts";
import type { Identity } from "./credentials.ts";

/** Longest waits, in milliseconds. */
export interface Timeouts {
	/** TCP and TLS handshake: short, because a black hole is only noticed by it. */
	readonly connectMs: number;
	/** From the request to the first byte of the answer. */
	readonly headersMs: number;
	/** Between two chunks of an answer; a watch has a limit of its own. */
	readonly bodyMs: number;
}

/** What is sent. */
export interface Message {
	readonly method: string;
	readonly server: URL;
	/** With its query, percent-encoded; it is sent as it is. */
	readonly path: string;
	readonly headers: OutgoingHttpHeaders;
	readonly body: string | undefined;
	readonly signal: AbortSignal;
}

/** Connections that outlive an exchange, of one set of TLS material at a time. */
export interface Pool {
	/** Sends one message; resolves when the answer begins, whatever its status. */
	send(identity: Identity, message: Message): Promise<IncomingMessage>;
	/** Closes every connection, and so ends every exchange. */
	stop(): void;
}

type Agent = HttpAgent | HttpsAgent;

/** The other side closed an idle connection in the moment in which it was used again: nothing was answered. */
class StaleConnection extends HttpError {}

/** An idle connection is closed after this many milliseconds, before the API server or what lies between does it. */
const idleMs = 30_000;

/**
 * Makes a pool, which opens a connection when one is needed: HTTP/1.1, because a half-open HTTP/2 connection is not
 * noticed and takes every watch with it; a dozen connections cost less than a megabyte.
 */
export function createPool(limits: Timeouts): Pool {
	let current: { readonly key: string; readonly agent: Agent } | undefined;
	const agents = new Set<Agent>();

	/** A rotated certificate or CA needs new connections; exchanges that are under way end on the old ones. */
	function agentOf(identity: Identity, secure: boolean): Agent {
		const key = JSON.stringify([secure, identity.tls, identity.proxy]);
		if (current?.key === key) {
			return current.agent;
		}
		for (const old of agents) {
			if (isUnused(old)) {
				agents.delete(old);
			}
		}
		const agent = createAgent(identity, secure);
		agents.add(agent);
		current = { key, agent };
		return agent;
	}

	async function send(identity: Identity, message: Message): Promise<IncomingMessage> {
		const agent = agentOf(identity, isSecure(message));
		for (;;) {
			try {
				return await exchange(agent, message, limits);
			} catch (error) {
				if (!(error instanceof StaleConnection) || message.method !== "GET") {
					throw error;
				}
			}
		}
	}

	return {
		send,
		stop() {
			for (const agent of agents) {
				agent.destroy();
			}
		},
	};
}

function createAgent({ tls, proxy }: Identity, secure: boolean): Agent {
	const options = {
		keepAlive: true,
		timeout: idleMs,
		...(proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
	};
	if (!secure) {
		return new HttpAgent(options);
	}
	const { servername, rejectUnauthorized, ...material } = tls;
	return new HttpsAgent({
		...options,
		// Parsed once, not for every connection.
		secureContext: createSecureContext(material),
		...(servername === undefined ? {} : { servername }),
		...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
	});
}

function isSecure({ server }: Message): boolean {
	return server.protocol === "https:";
}

function isUnused(agent: Agent): boolean {
	return [agent.sockets, agent.freeSockets, agent.requests].every((each) => Object.keys(each).length === 0);
}

function exchange(agent: Agent, message: Message, limits: Timeouts): Promise<IncomingMessage> {
	const { method, server, path, headers, body, signal } = message;
	const secure = isSecure(message);
	return new Promise((resolve, reject) => {
		const request = (secure ? httpsRequest : httpRequest)({
			...urlToHttpOptions(server),
			agent,
			method,
			path,
			headers,
			signal,
		});
		const late = new HttpError("timeout", "Cannot reach the API server: no answer in time");
		const giveUp = (): void => void request.destroy(late);
		let timer = setTimeout(giveUp, limits.connectMs);
		const connected = (): void => {
			clearTimeout(timer);
			timer = setTimeout(giveUp, limits.headersMs);
		};
		request.on("socket", (socket) => {
			if (request.reusedSocket) {
				connected();
			} else {
				socket.once(secure ? "secureConnect" : "connect", connected);
			}
		});
		request.on("response", (response) => {
			clearTimeout(timer);
			// Errors of the body reach whoever reads it; without a listener, an unread one would end the process.
			response.on("error", () => {});
			resolve(response);
		});
		// Stays when the answer has come: the end of a connection is told here too.
		request.on("error", (error: NodeJS.ErrnoException) => {
			clearTimeout(timer);
			const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
			reject(isStale ? new StaleConnection("cut", "Cannot reach the API server: it hung up", error) : error);
		});
		request.end(body);
	});
}
