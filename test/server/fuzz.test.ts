import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Arbitrary } from "fast-check";
import {
	array,
	assert as assertProperty,
	asyncProperty,
	constantFrom,
	dictionary,
	jsonValue,
	nat,
	oneof,
	string,
	tuple,
} from "fast-check";
import { applyPatch } from "rfc6902";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import { anyText } from "../support/any-text.ts";
import { runs } from "../support/long-form.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import type { ReviewResponse } from "../support/webhook.ts";
import { patchOf, runWebhook } from "../support/webhook.ts";

const webhook = await runWebhook(
	{ after },
	{ state: world([teamNamespace, egressNamespace, egressWaypoint]) },
);

const reviews: readonly Record<string, unknown>[] = [
	reviewOf(plainEntry),
	reviewOf(boundEntry, { old: plainEntry }),
	reviewOf(withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-ports": "443" }), {
		old: teamNamespace,
	}),
	reviewOf(egressWaypoint),
	...["VirtualService", "DestinationRule", "Sidecar", "Gateway"].map((kind) =>
		reviewOf({
			apiVersion: "networking.istio.io/v1",
			kind,
			metadata: { name: "x", namespace: "team" },
			spec: { host: "a", hosts: ["a"], selector: { istio: "egressgateway" }, http: [{ route: [] }] },
		} as never),
	),
];

/** Text with everything in it that has ever broken a parser, a log or a header. */
const nasty: Arbitrary<unknown> = oneof(
	jsonValue(),
	anyText,
	constantFrom<unknown>(null, -1, 1e308, "", "\u0000\r\n", "\ud800", "__proto__", [], {}, [null], {
		"": null,
	}),
	constantFrom<unknown>("x".repeat(100_000), "a.".repeat(50_000), "-".repeat(50_000), "xn--".repeat(20_000)),
	array(jsonValue(), { maxLength: 300 }),
	dictionary(constantFrom("__proto__", "constructor", "spec", "metadata", "labels", "hosts"), jsonValue()),
);

/** Every place in a value, the value itself left out. */
function places(value: unknown, prefix: readonly string[] = []): readonly (readonly string[])[] {
	return typeof value === "object" && value !== null
		? Object.entries(value).flatMap(([key, inner]) => [[...prefix, key], ...places(inner, [...prefix, key])])
		: [];
}

function change(review: Record<string, unknown>, pick: number, value: unknown): void {
	const all = places(review).filter(
		(path) => path.join(".") !== "request" && path.join(".") !== "request.uid",
	);
	const path = all[pick % all.length] ?? [];
	const parent = path
		.slice(0, -1)
		.reduce((inner: unknown, step) => (inner as Record<string, unknown>)[step], review);
	const last = path.at(-1) ?? "";
	if (value === undefined) {
		delete (parent as Record<string, unknown>)[last];
	} else {
		(parent as Record<string, unknown>)[last] = value;
	}
}

/** Sends a review to both endpoints and holds the answers to what the API server accepts. */
async function assertAnswered(review: Record<string, unknown>): Promise<void> {
	const body = JSON.stringify(review);
	const sent = JSON.parse(body) as { apiVersion?: unknown; request: { uid: string; object?: unknown } };
	for (const endpoint of ["mutate", "validate"] as const) {
		const answer = await webhook.post(`/${endpoint}?timeout=5s`, body);
		assert.equal(answer.status, 200, `${endpoint}: ${JSON.stringify(answer.body)}`);
		const { apiVersion, kind, response, ...rest } = answer.body as Record<string, unknown>;
		const asked = sent.apiVersion === "admission.k8s.io/v1beta1" ? "v1beta1" : "v1";
		assert.deepEqual([apiVersion, kind, rest], [`admission.k8s.io/${asked}`, "AdmissionReview", {}]);
		assertResponse(endpoint, response as ReviewResponse, sent.request);
	}
}

function assertResponse(
	endpoint: "mutate" | "validate",
	response: ReviewResponse,
	request: { readonly uid: string; readonly object?: unknown },
): void {
	assert.equal(response.uid, request.uid);
	assert.equal(typeof response.allowed, "boolean");
	assert.equal(response.status?.code, response.allowed ? undefined : 403);
	if (endpoint === "mutate") {
		assert.equal(response.allowed, true);
		assert.equal(response.patchType, response.patch === undefined ? undefined : "JSONPatch");
		const patch = patchOf(response) as Parameters<typeof applyPatch>[1];
		assert.deepEqual(
			applyPatch(structuredClone(request.object), patch).filter((each) => each !== null),
			[],
		);
	} else {
		assert.deepEqual([response.patch, response.patchType], [undefined, undefined]);
	}
	for (const warning of response.warnings ?? []) {
		assert.ok(
			warning.length <= (warning.startsWith("fix: ") ? 256 : 120) &&
				warning.isWellFormed() &&
				!/\p{Cc}/u.test(warning),
			warning,
		);
	}
	for (const line of (response.status?.message ?? "").split("\n")) {
		assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}]/u);
	}
	for (const value of Object.values(response.auditAnnotations ?? {})) {
		assert.equal(typeof value, "string");
	}
}

test("POST /mutate and /validate answer every review with up to three random changes", async () => {
	const changes = array(tuple(nat(), oneof({ weight: 4, arbitrary: nasty }, constantFrom(undefined))), {
		minLength: 1,
		maxLength: 3,
	});
	await assertProperty(
		asyncProperty(constantFrom(...reviews), changes, async (review, made) => {
			const copy = structuredClone(review);
			for (const [pick, value] of made) {
				change(copy, pick, value);
			}
			await assertAnswered(copy);
		}),
		runs(600),
	);
});

test("POST /mutate and /validate answer any JSON under the request's fields", async () => {
	const field = constantFrom(
		...["kind", "operation", "object", "oldObject", "namespace", "name", "userInfo", "subResource", "dryRun"],
	);
	await assertProperty(
		asyncProperty(
			string({ minLength: 1 }),
			dictionary(field, nasty),
			constantFrom("CREATE", "UPDATE"),
			async (uid, fields, operation) => {
				const kind = { group: "networking.istio.io", version: "v1", kind: "ServiceEntry" };
				await assertAnswered({ request: { kind, operation, namespace: "team", ...fields, uid } });
			},
		),
		runs(400),
	);
});

test("POST /mutate and /validate answer an object of any JSON, of every kind", async () => {
	const kinds = reviews.map(({ request }) => (request as { kind: unknown }).kind);
	const object = dictionary(constantFrom("metadata", "spec", "status", "apiVersion", "kind"), nasty);
	await assertProperty(
		asyncProperty(constantFrom(...kinds), object, object, async (kind, now, old) => {
			const request = { uid: "1", kind, namespace: "team", name: "team", operation: "UPDATE" };
			await assertAnswered({ request: { ...request, object: now, oldObject: old } });
		}),
		runs(400),
	);
});

test("createWebhook() had no fault and no rule that failed in all of this, and answers on", async () => {
	assert.deepEqual(
		webhook.logs.filter((line) => line.includes("failed")),
		[],
	);
	assert.equal(patchOf(await webhook.ask("mutate", reviewOf(plainEntry))).length, 1);
	assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.equal((await webhook.ask("validate", reviewOf(plainEntry))).allowed, false);
});
