import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ConditionRequest } from "../../scripts/match-conditions.ts";
import { matchConditions } from "../../scripts/match-conditions.ts";
import { createEngine, fixingPart } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import { kinds } from "../../src/core/kinds.ts";
import { pruneNulls } from "../../src/core/prune-nulls.ts";
import type { Rule } from "../../src/core/rule.ts";
import { rules } from "../../src/rules/table.ts";
import { runs } from "../support/long-form.ts";
import { exampleWorld, subjectOf } from "../support/rule-example.ts";
import { serviceEntry } from "../support/service-entry-arbitrary.ts";

const engine = createEngine(rules);
const fixing = fixingPart(engine);
const conditions = matchConditions(rules);

type Webhook = "validate" | "namespaces" | "services" | "bindings";

/**
 * Whether the API server would call a webhook: always for a creation, Namespaces aside; else when every condition holds
 * for what it sees, which has no nulls.
 */
function calls(webhook: Webhook | "mutate", subject: Subject): boolean {
	if ((webhook === "mutate" || webhook === "validate") && subject.old === undefined) {
		return true;
	}
	const request: ConditionRequest = {
		operation: subject.old === undefined ? "CREATE" : "UPDATE",
		resource: { resource: kinds[subject.kind].plural },
		object: pruneNulls(subject.object) as ConditionRequest["object"],
		oldObject: (pruneNulls(subject.old ?? null) ?? null) as ConditionRequest["oldObject"],
	};
	const { mutateUpdates: mutate, validateUpdates: validate, ...others } = conditions;
	const chosen = { mutate, validate, ...others }[webhook];
	return chosen.every((condition) => condition.holds(request));
}

function validateWebhook({ kind, object }: Subject): Webhook {
	if (kind === "Service") {
		const { type } = (object as { readonly spec?: { readonly type?: unknown } }).spec ?? {};
		return type === "ExternalName" ? "services" : "bindings";
	}
	return kind === "Namespace" ? "namespaces" : "validate";
}

/** Fails where a webhook that would not be called has something to say. */
function assertNothingSkipped(subject: Subject, world: Inventory): Verdict {
	const verdict = evaluate(engine, world, subject);
	if (!calls(validateWebhook(subject), subject)) {
		assert.equal(verdict.decision, "allow", `denied unseen: ${JSON.stringify(verdict.denials)}`);
	}
	if (subject.kind !== "Namespace" && !calls("mutate", subject)) {
		assert.deepEqual(evaluate(fixing, world, subject).fixes, [], "fixed unseen");
	}
	return verdict;
}

/** The object again as a controller would leave it: other finalizers, another manager, another status. */
function touched(object: AnyObject): AnyObject {
	return {
		...object,
		metadata: { ...object.metadata, finalizers: ["example.com/wait"], generation: 7, resourceVersion: "9" },
		status: { observed: true },
	} as AnyObject;
}

/** What the API server has stored has no nulls. */
function stored(object: AnyObject): AnyObject {
	return pruneNulls(object) as AnyObject;
}

function withRequester(rule: Rule, subject: Subject): Subject {
	const { requester } = rule.docs;
	return requester === undefined ? subject : { ...subject, requester };
}

describe("matchConditions", () => {
	for (const rule of rules) {
		it(`${rule.id} is heard on its bad example, created or changed, and needs no hearing where nothing changes`, () => {
			const world = exampleWorld(rule);
			const { good, bad, old } = rule.docs;
			// An update stays in its namespace, wherever the two examples are.
			const inPlaceOf = (object: AnyObject, other: AnyObject): AnyObject => ({
				...object,
				metadata: { ...object.metadata, namespace: other.metadata?.namespace },
			});
			for (const subject of [
				subjectOf(bad),
				subjectOf(bad, inPlaceOf(old ?? good, bad)),
				subjectOf(good, inPlaceOf(bad, good)),
				subjectOf(touched(bad), bad),
				subjectOf(touched(good), good),
			]) {
				assertNothingSkipped(withRequester(rule, subject), world);
			}
			const unchanged = subjectOf(touched(bad), bad);
			assert.equal(calls(validateWebhook(unchanged), unchanged), false, "an unchanged object is not sent");
		});

		it(`${rule.id} is heard on an object that is being deleted and changed, and not on its last finalizer`, () => {
			const world = exampleWorld(rule);
			const { good, bad } = rule.docs;
			const dying = (object: typeof bad): typeof bad => ({
				...object,
				metadata: { ...object.metadata, deletionTimestamp: "2026-11-23T00:00:00Z" },
			});
			assertNothingSkipped(
				withRequester(
					rule,
					subjectOf(
						dying(bad),
						dying({ ...good, metadata: { ...good.metadata, namespace: bad.metadata?.namespace } }),
					),
				),
				world,
			);
			const released = subjectOf(touched(dying(bad)), dying(bad));
			assert.equal(calls(validateWebhook(released), released), false);
			assert.equal(calls("mutate", released), false);
		});
	}

	it("skip no verdict on a ServiceEntry, whatever it says and whatever it replaces", () => {
		const binding = rules.find((rule) => rule.id === "serviceentry-waypoint-binding");
		assert.ok(binding !== undefined);
		const world = exampleWorld(binding);
		const labels = fc.constantFrom<Readonly<Record<string, string>> | undefined>(
			undefined,
			{},
			{ app: "shop" },
			{ "istio.io/use-waypoint": "egress" },
			{ "istio.io/use-waypoint": "" },
			{ "istio.io/use-waypoint": "none" },
			{ "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
			{ "istio.io/use-waypoint-namespace": "istio-egress" },
		);
		const times = runs(2_000);
		let fixed = 0;
		let denied = 0;
		let unsent = 0;
		fc.assert(
			fc.property(serviceEntry, labels, labels, fc.boolean(), (entry, one, other, isUpdate) => {
				const named = (metadata: object | undefined): AnyObject =>
					({
						...entry,
						metadata: { name: "payments", namespace: "team", ...(metadata && { labels: metadata }) },
					}) as AnyObject;
				const subject = subjectOf(named(one), isUpdate ? stored(touched(named(other))) : undefined);
				const verdict = assertNothingSkipped(subject, world);
				fixed += evaluate(fixing, world, subject).fixes.length > 0 ? 1 : 0;
				denied += verdict.decision === "deny" ? 1 : 0;
				unsent += calls("mutate", subject) && calls("validate", subject) ? 0 : 1;
			}),
			times,
		);
		// A property that meets none of the cases proves nothing.
		const least = times.numRuns / 20;
		assert.ok(fixed > least && denied > least && unsent > least, JSON.stringify({ fixed, denied, unsent }));
	});

	it("send no bound entry that is applied again, which happens most", () => {
		const binding = rules.find((rule) => rule.id === "serviceentry-waypoint-binding");
		const bound = binding?.docs.good as AnyObject;
		assert.equal(calls("mutate", subjectOf(bound, bound)), false);
		assert.equal(calls("validate", subjectOf(bound, bound)), false);
	});

	it("send for a fix what has no waypoint label, which a selector of the chart says of creations", () => {
		const fixable = matchConditions(rules).mutateUpdates.find(({ name }) => name === "fixable");
		assert.equal(
			fixable?.expression,
			"(request.resource.resource == 'serviceentries' && (!('istio.io/use-waypoint' in object.metadata.?labels.orValue({}))))",
		);
	});

	it("have sentences for reasons and names of their own", () => {
		for (const list of Object.values(conditions)) {
			assert.equal(new Set(list.map(({ name }) => name)).size, list.length);
			for (const { reason } of list) {
				assert.match(reason, /^[A-Z].*\.$/);
			}
		}
	});
});
