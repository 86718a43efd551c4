import assert from "node:assert/strict";
import { test } from "node:test";
import { allowed, mutated, validated } from "../../src/admission/response.ts";
import type { Review } from "../../src/admission/review.ts";
import type { Verdict } from "../../src/core/evaluate.ts";
import type { Finding } from "../../src/core/finding.ts";

const review: Review = {
	uid: "1",
	apiVersion: "admission.k8s.io/v1",
	operation: "CREATE",
	dryRun: false,
	namespace: "shop",
	name: "payments",
	subject: {
		kind: "ServiceEntry",
		namespace: "shop",
		name: "payments",
		object: { metadata: { name: "payments" } },
		today: "2026-11-23",
	},
};

const finding: Finding = {
	rule: "serviceentry-policy-host",
	severity: "error",
	path: ["spec", "hosts", 0],
	message: 'Host "a" is denied',
	hint: "Remove it",
};

function verdict(more: Partial<Verdict>): Verdict {
	return {
		decision: "allow",
		mode: "enforce",
		policy: undefined,
		findings: [],
		denials: [],
		warnings: [],
		fixes: [],
		faults: [],
		absences: [],
		...more,
	};
}

test("allowed() says nothing but yes", () => {
	assert.deepEqual(allowed(review), {
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		response: { uid: "1", allowed: true },
	});
});

test("mutated() encodes a patch whose values are not ASCII as UTF-8", () => {
	const fixes = [{ op: "set", path: ["metadata", "labels", "a/b~c"], value: "grüezi \u{1F600}" }] as const;
	const { response } = mutated(review, verdict({ fixes, findings: [{ ...finding, fix: fixes }] }));
	assert.deepEqual(JSON.parse(Buffer.from(response.patch ?? "", "base64").toString("utf8")), [
		{ op: "add", path: "/metadata/labels", value: { "a/b~c": "grüezi \u{1F600}" } },
	]);
	assert.deepEqual(response.auditAnnotations, { fixed: "serviceentry-policy-host" });
});

test("mutated() sends no patch for a wish that is fulfilled already", () => {
	const fixes = [{ op: "set", path: ["metadata", "name"], value: "payments" }] as const;
	assert.deepEqual(mutated(review, verdict({ fixes, findings: [finding] })), allowed(review));
});

test("mutated() does not deny what the findings deny", () => {
	const denying = verdict({ decision: "deny", findings: [finding], denials: [finding] });
	assert.deepEqual(mutated(review, denying), allowed(review));
});

const watched = { isUnconfirmed: false, staleMs: undefined };

test("validated() writes a denial with its rule, field, reason, way out and page", () => {
	const { response } = validated(
		review,
		verdict({ decision: "deny", findings: [finding], denials: [finding] }),
		watched,
	);
	assert.deepEqual(response.status, {
		code: 403,
		reason: "Forbidden",
		message:
			'serviceentry-policy-host: spec.hosts[0]: Host "a" is denied. Remove it (waymark explain serviceentry-policy-host)',
		details: {
			causes: [{ reason: "serviceentry-policy-host", message: 'Host "a" is denied', field: "spec.hosts[0]" }],
		},
	});
});

test("validated() leads to the pages of the rules where the configuration says where they are", () => {
	const denied = verdict({ decision: "deny", findings: [finding], denials: [finding], warnings: [finding] });
	const links = "https://docs.example.com/rules/";
	const { status, warnings } = validated(review, denied, watched, { links }).response;
	assert.match(status?.message ?? "", /\(https:\/\/docs\.example\.com\/rules\/serviceentry-policy-host\)$/);
	assert.match(warnings?.[1] ?? "", /\(https:\/\/docs\.example\.com\/rules\/serviceentry-policy-host\)$/);
});

test("validated() warns in two lines: what is wrong, and how to fix it", () => {
	const { warnings } = validated(
		review,
		verdict({ findings: [finding], warnings: [finding] }),
		watched,
	).response;
	assert.deepEqual(warnings, [
		'serviceentry-policy-host: Host "a" is denied',
		"fix: Remove it (waymark explain serviceentry-policy-host)",
	]);
	const { hint: _, ...bare } = finding;
	const without = validated(review, verdict({ findings: [bare], warnings: [bare] }), watched).response;
	assert.equal(without.warnings?.[1], "fix: (waymark explain serviceentry-policy-host)");
});

test("validated() cuts what is wrong at a word, after 120 characters at most, and a fix after 256 without its page", () => {
	const long = { ...finding, message: "word ".repeat(60).trim(), hint: "do this ".repeat(60).trim() };
	const { warnings = [] } = validated(
		review,
		verdict({ findings: [long], warnings: [long] }),
		watched,
	).response;
	assert.match(warnings[0] ?? "", /^serviceentry-policy-host: (word )+word…$/);
	assert.ok((warnings[0] ?? "").length <= 120 && (warnings[0] ?? "").length > 110);
	assert.match(
		warnings[1] ?? "",
		/^fix: (do this )+do( this)?… \(waymark explain serviceentry-policy-host\)$/,
	);
	assert.ok((warnings[1] ?? "").length <= 256 && (warnings[1] ?? "").length > 240);
	const solid = { ...finding, message: "x".repeat(300) };
	const cut = validated(review, verdict({ findings: [solid], warnings: [solid] }), watched).response;
	assert.equal(cut.warnings?.[0]?.length, 120);
});

test("validated() warns of 5 findings and counts the others, and names every rule once in the audit annotations", () => {
	const many = Array.from({ length: 30 }, (_, index) => ({ ...finding, path: ["spec", "hosts", index] }));
	const { response } = validated(review, verdict({ findings: many, warnings: many }), watched);
	assert.equal(response.warnings?.length, 11);
	assert.equal(response.warnings?.at(-1), "and 25 more");
	const rules = Array.from({ length: 300 }, (_, index) => ({ ...finding, rule: `serviceentry-${index}` }));
	const policy = { annotated: true } as Verdict["policy"];
	const { auditAnnotations } = validated(review, verdict({ findings: rules, policy }), watched).response;
	assert.equal(auditAnnotations?.rules?.length, 1024);
	assert.equal(auditAnnotations?.policy, "namespace");
});
