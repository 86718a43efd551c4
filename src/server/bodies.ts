import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Connections } from "./connections.ts";
import { retryLater } from "./retry-later.ts";

/** How many bytes the bodies of all requests together may take. */
export interface BodyLimits {
	/** A body up to so many bytes is always read: there are no more of them than requests are answered at once. */
	readonly small: number;
	/** What all larger bodies together may take, in bytes. */
	readonly budget: number;
	/** A larger body that has not grown for so long makes room for another one, in milliseconds. */
	readonly stalledMs: number;
}

/** 512 small bodies are 32 MiB; the rest is nine bodies of 7 MiB, with what reading them takes within 256 MiB. */
export const defaultBodyLimits: BodyLimits = { small: 64 * 1024, budget: 64 * 1024 * 1024, stalledMs: 1_000 };

/** What is known of the bodies that are being read or judged. */
export interface Bodies {
	/** The bytes that larger bodies take, by their own word. */
	reserved(): number;
	/** How many requests have been turned away since there was no room for their body. */
	turnedAway(): number;
}

/**
 * Hooks a budget of bytes into an app, before its routes: a request whose body does not fit is answered 503 with
 * `Retry-After: 1`, unless another body that stopped coming can be given up for it.
 * @param bodyLimit what a body without a length may take, in bytes
 */
export function installBodyBudget(
	app: FastifyInstance,
	connections: Pick<Connections, "idleMs" | "cutStalled">,
	bodyLimit: number,
	limits: Partial<BodyLimits> = {},
): Bodies {
	const { small, budget, stalledMs } = { ...defaultBodyLimits, ...limits };
	const held = new Map<IncomingMessage, number>();
	let reserved = 0;
	let turnedAway = 0;
	const release = (request: IncomingMessage): void => {
		reserved -= held.get(request) ?? 0;
		held.delete(request);
	};
	/** Gives up the bodies that have stood still longest, until there is room or all others move. */
	const makeRoom = (bytes: number): boolean => {
		const stalled = [...held.keys()]
			.filter((request) => !request.complete && connections.idleMs(request) >= stalledMs)
			.sort((one, other) => connections.idleMs(other) - connections.idleMs(one));
		for (const request of stalled) {
			if (reserved + bytes <= budget) {
				break;
			}
			release(request);
			connections.cutStalled(request);
		}
		return reserved + bytes <= budget;
	};
	app.addHook("onRequest", (request, reply, done) => {
		const bytes = claimOf(request, bodyLimit);
		if (bytes <= small) {
			done();
			return;
		}
		if (reserved + bytes > budget && !makeRoom(bytes)) {
			turnedAway += 1;
			retryLater(request, reply, "keep-alive");
			return;
		}
		const { raw } = request;
		held.set(raw, bytes);
		reserved += bytes;
		reply.raw.once("close", () => release(raw));
		done();
	});
	return { reserved: () => reserved, turnedAway: () => turnedAway };
}

/** What a request says that its body takes; one that does not say may take all that is allowed. */
function claimOf({ headers }: FastifyRequest, bodyLimit: number): number {
	const length = Number(headers["content-length"] ?? Number.NaN);
	if (Number.isInteger(length)) {
		// A longer one is refused before it is read.
		return length > bodyLimit ? 0 : length;
	}
	return headers["transfer-encoding"] === undefined ? 0 : bodyLimit;
}
