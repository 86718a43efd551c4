import assert from "node:assert/strict";
import { test } from "node:test";
import type { Review } from "../../src/admission/review.ts";
import { readReview } from "../../src/admission/review.ts";
import { boundEntry, plainEntry, teamNamespace } from "../../src/rules/examples.ts";
import { reviewOf } from "../support/reviews.ts";

const today = "2026-11-23";

function read(review: unknown): Review {
	const result = readReview(review, today);
	assert.ok("uid" in result, "message" in result ? result.message : "");
	return result;
}

test("readReview() reads everything that a verdict rests on", () => {
	const { subject, ...review } = read(reviewOf(boundEntry, { old: plainEntry, request: { dryRun: true } }));
	assert.deepEqual(review, {
		uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
		apiVersion: "admission.k8s.io/v1",
		operation: "UPDATE",
		dryRun: true,
		namespace: "team",
		name: "payments",
	});
	assert.deepEqual(subject, {
		kind: "ServiceEntry",
		namespace: "team",
		name: "payments",
		object: boundEntry,
		old: plainEntry,
		requester: { username: "alice", groups: ["developers", "system:authenticated"] },
		today,
	});
});

test("readReview() gives a creation no old object, whatever the review says", () => {
	const { subject } = read(reviewOf(plainEntry, { operation: "CREATE", old: boundEntry }));
	assert.equal(subject?.old, undefined);
});

test("readReview() takes the name from the object where the request has none, and none from generateName", () => {
	assert.equal(read(reviewOf(plainEntry, { request: { name: "" } })).subject?.name, "payments");
	const generated = { ...plainEntry, metadata: { namespace: "team", generateName: "payments-" } };
	assert.equal(read(reviewOf(generated)).subject?.name, undefined);
});

test("readReview() takes a Namespace for an object without a namespace, though its request names one", () => {
	const { namespace, subject } = read(reviewOf(teamNamespace, { request: { namespace: "team" } }));
	assert.deepEqual([namespace, subject?.namespace, subject?.name], ["team", "", "team"]);
});

test("readReview() reads a requester of any shape", () => {
	for (const [userInfo, username, groups] of [
		[null, "", []],
		[{ username: 7, groups: "admins" }, "", []],
		[{ username: "bob", groups: ["a", 1, null, "b"] }, "bob", ["a", "b"]],
	] as const) {
		assert.deepEqual(read(reviewOf(plainEntry, { request: { userInfo } })).subject?.requester, {
			username,
			groups,
		});
	}
});

test("readReview() says why a body is no review", () => {
	for (const body of [undefined, null, 1, "x", [], true]) {
		assert.deepEqual(readReview(body, today), {
			message: "The body is not an AdmissionReview: it is not a JSON object",
		});
	}
	for (const body of [
		{},
		{ request: null },
		{ request: [] },
		{ request: { uid: 1 } },
		{ request: { uid: "" } },
	]) {
		assert.deepEqual(readReview(body, today), {
			message: "The body is not an AdmissionReview: it has no request.uid",
		});
	}
});

const namespaceKind = { group: "", version: "v1", kind: "Namespace" };
const entryKind = { group: "networking.istio.io", version: "v1", kind: "ServiceEntry" };
const subjectIn = (request: object): Review["subject"] =>
	read({ request: { uid: "1", object: { a: 1 }, ...request } }).subject;

test("readReview() takes what is deleted from the old object", () => {
	const subject = subjectIn({ operation: "DELETE", kind: entryKind, object: null, oldObject: { b: 2 } });
	assert.deepEqual([subject?.object, subject?.old, subject?.isDeletion], [{ b: 2 }, undefined, true]);
});

test("readReview() judges the subresources by which a Namespace's annotations are written, and no others", () => {
	for (const subResource of ["status", "finalize"]) {
		assert.ok(subjectIn({ operation: "UPDATE", kind: namespaceKind, subResource }), subResource);
		assert.equal(subjectIn({ operation: "UPDATE", kind: entryKind, subResource }), undefined);
	}
	assert.equal(subjectIn({ operation: "UPDATE", kind: namespaceKind, subResource: "other" }), undefined);
	assert.equal(subjectIn({ operation: "CONNECT", kind: namespaceKind }), undefined);
});
