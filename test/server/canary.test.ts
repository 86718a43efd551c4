import assert from "node:assert/strict";
import { test } from "node:test";
import { fastify } from "fastify";
import { canaryLabel, canaryMessage } from "../../src/core/canary.ts";
import { installCanary } from "../../src/server/canary.ts";

const nonce = "0123456789abcdef0123456789abcdef";

function review(labels: object): object {
	return {
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request: { uid: "u-1", operation: "CREATE", object: { metadata: { labels } } },
	};
}

test("POST /canary denies a canary by name, allows what is none, and answers 400 to what is no review", async (context) => {
	const app = fastify();
	installCanary(app);
	context.after(() => app.close());
	const ask = async (payload: object): Promise<{ readonly status: number; readonly body: unknown }> => {
		const answer = await app.inject({ method: "POST", url: "/canary", payload });
		return { status: answer.statusCode, body: answer.json() };
	};
	assert.deepEqual(await ask(review({ [canaryLabel]: nonce })), {
		status: 200,
		body: {
			apiVersion: "admission.k8s.io/v1",
			kind: "AdmissionReview",
			response: {
				uid: "u-1",
				allowed: false,
				status: { code: 403, reason: "Forbidden", message: canaryMessage(nonce) },
			},
		},
	});
	const { body } = await ask(review({ [canaryLabel]: "<script>" }));
	assert.deepEqual((body as { readonly response: object }).response, { uid: "u-1", allowed: true });
	assert.equal((await ask({ hello: "world" })).status, 400);
});
