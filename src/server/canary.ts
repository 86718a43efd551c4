import type { FastifyInstance } from "fastify";
import { readReview } from "../admission/review.ts";
import { canaryMessage, canaryNonce } from "../core/canary.ts";

/** Adds `POST /canary`, which denies canaries by name and allows everything else: nothing else is sent there. */
export function installCanary(app: FastifyInstance): void {
	app.post<{ Body: { request?: { object?: unknown } } }>("/canary", (request, reply) => {
		const review = readReview(request.body, "");
		if (!("uid" in review)) {
			return reply.code(400).send({ message: review.message });
		}
		const nonce = canaryNonce(request.body.request?.object);
		const response =
			nonce === null
				? { uid: review.uid, allowed: true }
				: {
						uid: review.uid,
						allowed: false,
						status: { code: 403, reason: "Forbidden", message: canaryMessage(nonce) },
					};
		return { apiVersion: review.apiVersion, kind: "AdmissionReview", response };
	});
}
