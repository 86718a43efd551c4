import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { applyPatch } from "rfc6902";
import { createEngine } from "../../src/core/engine.ts";
import type { AnyObject, ServiceEntry } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withLabels,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import type { RunningWebhook } from "../support/webhook.ts";
import { patchOf, runWebhook } from "../support/webhook.ts";

const waypointAnnotation = { "egress.waymark.dev/waypoint": "istio-egress/egress" };

function run(
	context: TestContext,
	annotations: Readonly<Record<string, string>> = {},
): Promise<RunningWebhook> {
	const team = withAnnotations(teamNamespace, { ...waypointAnnotation, ...annotations });
	return runWebhook(context, { state: world([team, egressNamespace, egressWaypoint]) });
}

function mutateByHand(object: AnyObject, patch: readonly unknown[]): AnyObject {
	const copy = structuredClone(object);
	// An independent implementation of RFC 6902: what it gives per operation is null or the reason why not.
	const failures = applyPatch(copy, patch as Parameters<typeof applyPatch>[1]).filter(
		(each) => each !== null,
	);
	assert.deepEqual(failures, []);
	return copy;
}

test("POST /mutate adds both labels to a plain entry, and POST /validate accepts the result", async (context) => {
	const webhook = await run(context);
	const { patch, ...mutation } = await webhook.ask("mutate", reviewOf(plainEntry));
	assert.deepEqual(mutation, {
		uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
		allowed: true,
		patchType: "JSONPatch",
		auditAnnotations: { fixed: "serviceentry-waypoint-binding" },
	});
	const operations = patchOf({ patch: patch ?? "", uid: "", allowed: true });
	assert.deepEqual(operations, [
		{
			op: "add",
			path: "/metadata/labels",
			value: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
		},
	]);
	const mutated = mutateByHand(plainEntry, operations);
	assert.deepEqual(mutated, boundEntry);
	const validation = await webhook.ask("validate", reviewOf(mutated));
	assert.deepEqual(validation, {
		uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
		allowed: true,
		auditAnnotations: { decision: "allow", mode: "enforce", policy: "namespace" },
	});
	assert.deepEqual(patchOf(await webhook.ask("mutate", reviewOf(mutated))), []);
});

test("POST /mutate keeps the other labels, whatever characters their names have", async (context) => {
	const webhook = await run(context);
	const labelled = withLabels(plainEntry, {
		"a~b/c": "1",
		"istio.io/use-waypoint-namespace": "istio-egress",
	});
	for (const labels of [null, {}, labelled.metadata?.labels]) {
		const object = { ...plainEntry, metadata: { ...plainEntry.metadata, labels } } as AnyObject;
		const operations = patchOf(await webhook.ask("mutate", reviewOf(object)));
		const mutated = mutateByHand(object, operations);
		assert.deepEqual(mutated.metadata?.labels, {
			...labels,
			"istio.io/use-waypoint": "egress",
			"istio.io/use-waypoint-namespace": "istio-egress",
		});
	}
});

test("POST /mutate never denies, and POST /validate never patches", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/denied-hosts": "*.example.com" });
	const mutation = await webhook.ask("mutate", reviewOf(plainEntry));
	assert.deepEqual([mutation.allowed, mutation.status], [true, undefined]);
	const validation = await webhook.ask("validate", reviewOf(plainEntry));
	assert.deepEqual([validation.allowed, validation.patch], [false, undefined]);
});

test("POST /validate denies with 403, one line and one cause per finding, and answers HTTP 200", async (context) => {
	const webhook = await run(context, {
		"egress.waymark.dev/denied-hosts": "*.example.com",
		"egress.waymark.dev/allowed-ports": "80",
	});
	const { allowed, status } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(allowed, false);
	assert.deepEqual([status?.code, status?.reason], [403, "Forbidden"]);
	const lines = (status?.message ?? "").split("\n");
	assert.deepEqual(
		lines.map((line) => line.split(": ").slice(0, 2)),
		[
			["serviceentry-policy-host", "spec.hosts[0]"],
			["serviceentry-policy-port", "spec.ports[0].number"],
		],
	);
	assert.match(
		lines[0] ?? "",
		/^serviceentry-policy-host: spec\.hosts\[0\]: Host "api\.payments\.example\.com" is denied by this namespace's policy \("\*\.example\.com"\)\. Remove the host, or ask the security team \(waymark explain serviceentry-policy-host\)$/,
	);
	assert.deepEqual(
		status?.details.causes.map(({ reason, field }) => [reason, field]),
		[
			["serviceentry-policy-host", "spec.hosts[0]"],
			["serviceentry-policy-port", "spec.ports[0].number"],
		],
	);
});

test("POST /validate keeps what a user wrote on one line, without control characters", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/allowed-hosts": "good.example" });
	const evil = 'a\nserviceentry-x: spec: forged\r\u001b[31m\u202e\u2028"';
	const object = withSpec(boundEntry, {
		hosts: [evil],
		ports: [{ number: 443, name: evil, protocol: evil }],
	});
	const { status } = await webhook.ask("validate", reviewOf(object));
	const message = status?.message ?? "";
	assert.doesNotMatch(message.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
	for (const line of message.split("\n")) {
		assert.match(line, /^serviceentry-[a-z-]+: (?:spec|metadata)/);
	}
	for (const line of webhook.logs) {
		assert.doesNotMatch(line, /forged/);
	}
});

test("POST /validate spells out 20 findings, and says how many there are beyond", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/allowed-hosts": "good.example" });
	const hosts = Array.from({ length: 50 }, (_, index) => `host-${index}.example.net`);
	const { status } = await webhook.ask("validate", reviewOf(withSpec(boundEntry, { hosts })));
	const lines = (status?.message ?? "").split("\n");
	assert.equal(lines.length, 21);
	assert.match(lines[20] ?? "", /^and \d\d more$/);
	assert.equal(status?.details.causes.length, 20);
});

test("POST /validate warns where the mode is warn, in lines without control characters, of which the first has at most 120", async (context) => {
	const webhook = await run(context, {
		"egress.waymark.dev/mode": "warn",
		"egress.waymark.dev/allowed-hosts": "good.example",
	});
	const hosts = ["", "a", "ab", "abc"].map((first) => `${first}${"\u0007\u{1F600}".repeat(30)}.example.com`);
	const {
		allowed,
		warnings = [],
		auditAnnotations,
	} = await webhook.ask("validate", reviewOf(withSpec(boundEntry, { hosts })));
	assert.equal(allowed, true);
	assert.ok(warnings.length >= 4);
	for (const warning of warnings) {
		assert.ok(warning.length <= (warning.startsWith("fix: ") ? 256 : 120), warning);
		assert.match(warning, /^[a-z-]+: |^and \d+ more$/);
		// The API server drops what has control characters or is no UTF-8: half of a surrogate pair is none.
		assert.doesNotMatch(warning, /\p{Cc}/u);
		assert.equal(warning.isWellFormed(), true, JSON.stringify(warning));
	}
	assert.equal(auditAnnotations?.mode, "warn");
	assert.equal(auditAnnotations?.decision, "allow");
	assert.match(auditAnnotations?.rules ?? "", /serviceentry-policy-host/);
});

test("POST /validate is silent in audit, and says nothing at all in off", async (context) => {
	const audit = await run(context, {
		"egress.waymark.dev/mode": "audit",
		"egress.waymark.dev/allowed-hosts": "good.example",
	});
	const seen = await audit.ask("validate", reviewOf(plainEntry));
	assert.deepEqual([seen.allowed, seen.warnings, seen.status], [true, undefined, undefined]);
	assert.match(seen.auditAnnotations?.rules ?? "", /serviceentry-policy-host/);
	assert.deepEqual(patchOf(await audit.ask("mutate", reviewOf(plainEntry))), []);
	const off = await run(context, { "egress.waymark.dev/mode": "off" });
	assert.deepEqual(await off.ask("validate", reviewOf(plainEntry)), {
		uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
		allowed: true,
		auditAnnotations: { decision: "allow", mode: "off", policy: "namespace" },
	});
	assert.deepEqual(patchOf(await off.ask("mutate", reviewOf(plainEntry))), []);
});

test("POST /validate names the exemption it used in the audit annotations", async (context) => {
	const webhook = await run(context, {
		"egress.waymark.dev/denied-hosts": "*.example.com",
		"egress.waymark.dev/exempt.serviceentry-policy-host": "until=2027-01-01 reason=migration",
	});
	const { allowed, warnings, auditAnnotations } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(allowed, true);
	assert.match(warnings?.[0] ?? "", /^serviceentry-policy-host: /);
	assert.equal(auditAnnotations?.exemptions, "serviceentry-policy-host");
});

test("POST /validate lets an update keep an old mistake, and denies a new one", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/denied-hosts": "*.example.com" });
	const annotated = withAnnotations(boundEntry, { touched: "yes" });
	const kept = await webhook.ask("validate", reviewOf(annotated, { old: boundEntry }));
	assert.equal(kept.allowed, true);
	assert.match(kept.warnings?.[0] ?? "", /serviceentry-policy-host/);
	const worse = withSpec(boundEntry, { hosts: ["api.payments.example.com", "new.example.com"] });
	const denied = await webhook.ask("validate", reviewOf(worse, { old: boundEntry }));
	assert.equal(denied.allowed, false);
	assert.deepEqual(
		denied.status?.details.causes.map(({ field }) => field),
		["spec.hosts[1]"],
	);
});

test("POST /validate judges an update whose old object cannot be read as a creation", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/denied-hosts": "*.example.com" });
	for (const old of [null, 7, "x", [], { spec: 7 }]) {
		const review = reviewOf(boundEntry, { operation: "UPDATE", old });
		assert.equal((await webhook.ask("validate", review)).allowed, false, JSON.stringify(old));
	}
});

test("POST /validate lets go of an object that is being deleted, and lets nobody change it into a way out", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/denied-hosts": "*.example.com" });
	const dying = {
		...boundEntry,
		metadata: { ...boundEntry.metadata, deletionTimestamp: "2026-11-23T10:00:00Z" },
	} as ServiceEntry;
	assert.equal((await webhook.ask("validate", reviewOf(dying, { old: boundEntry }))).allowed, true);
	const changed = { ...dying, spec: { ...dying.spec, hosts: ["other.example.com"] } } as ServiceEntry;
	assert.equal((await webhook.ask("validate", reviewOf(changed, { old: dying }))).allowed, false);
});

test("POST /mutate and /validate judge an object that only has a generateName", async (context) => {
	const webhook = await run(context);
	const { name: _, ...metadata } = plainEntry.metadata ?? {};
	const generated = { ...plainEntry, metadata: { ...metadata, generateName: "payments-" } } as ServiceEntry;
	assert.equal(patchOf(await webhook.ask("mutate", reviewOf(generated))).length, 1);
	assert.equal((await webhook.ask("validate", reviewOf(generated))).allowed, false);
});

test("POST /mutate and /validate take the namespace from the request where the object has none", async (context) => {
	const webhook = await run(context);
	const { namespace: _, ...metadata } = plainEntry.metadata ?? {};
	const review = reviewOf({ ...plainEntry, metadata } as ServiceEntry, { request: { namespace: "team" } });
	assert.equal(patchOf(await webhook.ask("mutate", review)).length, 1);
	assert.equal((await webhook.ask("validate", review)).allowed, false);
});

test("POST /validate answers a dry run as the real thing", async (context) => {
	const webhook = await run(context);
	const dry = await webhook.ask("validate", reviewOf(plainEntry, { request: { dryRun: true } }));
	assert.deepEqual(dry, await webhook.ask("validate", reviewOf(plainEntry)));
	assert.deepEqual(
		await webhook.ask("mutate", reviewOf(plainEntry, { request: { dryRun: true } })),
		await webhook.ask("mutate", reviewOf(plainEntry)),
	);
});

test("POST /validate refuses no deletion, and warns of the last entry for a host and of a waypoint in use", async (context) => {
	const deletion = (object: AnyObject): unknown =>
		reviewOf(object, { request: { operation: "DELETE", object: null, oldObject: object } });
	const state = world([teamNamespace, egressNamespace, egressWaypoint, boundEntry]);
	const webhook = await runWebhook(context, { state });
	for (const [object, warning] of [
		[boundEntry, /No other ServiceEntry has "api\.payments\.example\.com"/],
		[egressWaypoint, /Takes the waypoint from 1 ServiceEntry \(team\/payments\)/],
	] as const) {
		const answer = await webhook.ask("validate", deletion(object));
		assert.equal(answer.allowed, true);
		assert.match((answer.warnings ?? []).join("\n"), warning);
	}
	const second = { ...boundEntry, metadata: { ...boundEntry.metadata, name: "second" } };
	state.set("ServiceEntry", second);
	const { warnings } = await webhook.ask("validate", deletion(second));
	assert.equal(warnings, undefined);
});

const untouched: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
	["a connection", { operation: "CONNECT", object: { kind: "PodExecOptions" } }],
	["the status subresource", { operation: "UPDATE", subResource: "status" }],
	[
		"the scale subresource",
		{
			operation: "UPDATE",
			subResource: "scale",
			kind: { group: "autoscaling", version: "v1", kind: "Scale" },
		},
	],
	["a kind that nobody judges", { kind: { group: "apps", version: "v1", kind: "Deployment" } }],
	[
		"a kind of the same name in another group",
		{ kind: { group: "example.com", version: "v1", kind: "ServiceEntry" } },
	],
	["a namespace of Kubernetes itself", { namespace: "kube-system" }],
	["a namespace that the cluster exempts", { namespace: "waymark-system" }],
];

test("POST /mutate and /validate allow what is none of Waymark's business", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace, egressWaypoint], { exemptNamespaces: ["waymark-system"] }),
	});
	for (const [what, request] of untouched) {
		for (const endpoint of ["mutate", "validate"] as const) {
			const { uid: _, ...answer } = await webhook.ask(endpoint, reviewOf(plainEntry, { request }));
			assert.deepEqual(answer, { allowed: true }, `${endpoint} of ${what}`);
		}
	}
});

const noRequest: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
	["an operation that does not exist", { operation: "REPLACE" }, /request\.operation is none of/],
	["an operation in small letters", { operation: "create" }, /request\.operation is none of/],
	["no operation", { operation: null }, /request\.operation is none of/],
	["no object", { object: null }, /request\.object is no object/],
	["no object in an update", { object: null, operation: "UPDATE" }, /request\.object is no object/],
	["an object that is a string", { object: "ServiceEntry" }, /request\.object is no object/],
	["a kind that is no object", { kind: "ServiceEntry" }, /request\.kind names no kind/],
	["a kind without a group", { kind: { kind: "ServiceEntry" } }, /request\.kind names no kind/],
	["no kind", { kind: null }, /request\.kind names no kind/],
];

test("POST /validate refuses a request that is not as an API server writes it, and POST /mutate leaves it", async (context) => {
	const webhook = await run(context);
	for (const [what, request, why] of noRequest) {
		const review = reviewOf(plainEntry, { request });
		const { allowed, status, auditAnnotations } = await webhook.ask("validate", review);
		assert.deepEqual([allowed, auditAnnotations], [false, { decision: "unjudged" }], what);
		assert.match(status?.message ?? "", why, what);
		assert.deepEqual((({ uid: _, ...rest }) => rest)(await webhook.ask("mutate", review)), { allowed: true });
	}
	const deletion = reviewOf(plainEntry, { operation: "DELETE", request: { object: null } });
	assert.equal((await webhook.ask("validate", deletion)).allowed, true);
});

test("createWebhook() logs the beginning of a uid and of names, where a review says megabytes", async (context) => {
	const webhook = await run(context);
	const long = "n".repeat(100_000);
	const request = { uid: long, name: long, userInfo: { username: long } };
	assert.equal((await webhook.ask("validate", reviewOf(plainEntry, { request }))).allowed, false);
	assert.ok(webhook.logs.length > 0);
	assert.deepEqual(
		webhook.logs.filter((line) => line.length > 2_000),
		[],
	);
});

test("POST /validate judges every version of a kind alike, also one that does not exist yet", async (context) => {
	const webhook = await run(context);
	for (const version of ["v1", "v1beta1", "v1alpha3", "v2"]) {
		const object = { ...plainEntry, apiVersion: `networking.istio.io/${version}` } as ServiceEntry;
		assert.equal((await webhook.ask("validate", reviewOf(object))).allowed, false, version);
		assert.equal(patchOf(await webhook.ask("mutate", reviewOf(object))).length, 1, version);
	}
});

test("POST /validate answers a review of another version in v1, or in v1beta1 when asked in it", async (context) => {
	const webhook = await run(context);
	for (const [asked, answered] of [
		["admission.k8s.io/v1", "admission.k8s.io/v1"],
		["admission.k8s.io/v1beta1", "admission.k8s.io/v1beta1"],
		["admission.k8s.io/v9", "admission.k8s.io/v1"],
		["example.com/v1", "admission.k8s.io/v1"],
		[undefined, "admission.k8s.io/v1"],
		[7, "admission.k8s.io/v1"],
	]) {
		const answer = await webhook.post(
			"/validate",
			JSON.stringify({ ...reviewOf(plainEntry), apiVersion: asked }),
		);
		const { apiVersion, kind, response } = answer.body as Record<string, unknown>;
		assert.deepEqual([apiVersion, kind], [answered, "AdmissionReview"]);
		assert.equal((response as { allowed: boolean }).allowed, false);
	}
});

test("POST /validate gives the uid back as it came", async (context) => {
	const webhook = await run(context);
	for (const uid of ["x", "\u{1F600}", '"\n', "\ud800", "a".repeat(10_000)]) {
		assert.equal((await webhook.ask("validate", reviewOf(plainEntry, { request: { uid } }))).uid, uid);
	}
});

test("POST /validate judges a Namespace by the policy that it would bring", async (context) => {
	const webhook = await run(context);
	const bad = withAnnotations(teamNamespace, { "egress.waymark.dev/mode": "strict" });
	const denied = await webhook.ask("validate", reviewOf(bad, { old: teamNamespace }));
	assert.equal(denied.allowed, false);
	assert.match(
		denied.status?.message ?? "",
		/^namespace-annotation: metadata\.annotations\["egress\.waymark\.dev\/mode"\]: /,
	);
	assert.equal((await webhook.ask("validate", reviewOf(teamNamespace))).allowed, true);
	const kube = { ...bad, metadata: { ...bad.metadata, name: "kube-system" } } as AnyObject;
	assert.equal((await webhook.ask("validate", reviewOf(kube))).allowed, true);
});

const broken: Rule<"ServiceEntry"> = {
	...(rules.find((rule) => rule.id === "serviceentry-policy-host") as Rule<"ServiceEntry">),
	id: "serviceentry-broken",
	when: () => true,
	// biome-ignore lint/correctness/useYield: it never gets that far.
	*check() {
		throw new Error("by design");
	},
};

const endless: Rule<"ServiceEntry"> = {
	...broken,
	id: "serviceentry-endless",
	// biome-ignore lint/correctness/useYield: it never gets that far.
	*check(_entry, { inventory }) {
		for (let index = 0; ; index++) {
			inventory.get("Service", "team", `service-${index % 5_000}`);
		}
	},
};

test("POST /validate ends and refuses a verdict that takes too long, counts it, and POST /mutate leaves its object", async (context) => {
	const webhook = await runWebhook(context, {
		engine: createEngine([endless as unknown as Rule, ...rules]),
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
	});
	const { allowed, status } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(allowed, false);
	assert.match(status?.message ?? "", /^object-size: .*Too costly to judge/);
	assert.match(await webhook.metrics.registry.metrics(), /^waymark_cut_verdicts_total 1$/m);
	assert.equal(webhook.logs.filter((line) => line.includes('"cut":true')).length, 1);
	const finalized = { ...boundEntry, metadata: { ...boundEntry.metadata, finalizers: [] } } as AnyObject;
	const update = await webhook.ask("validate", reviewOf(boundEntry, { old: finalized }));
	assert.equal(update.allowed, true, "what changes nothing that is judged may go on");
	const mutation = await webhook.ask("mutate", reviewOf(plainEntry));
	assert.equal(mutation.allowed, true);
});

test("POST /validate counts and logs a rule that throws, and judges by the others", async (context) => {
	const engine = createEngine([broken as unknown as Rule, ...rules]);
	const webhook = await runWebhook(context, {
		engine,
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
	});
	const { status } = await webhook.ask("validate", reviewOf(plainEntry));
	assert.match(status?.message ?? "", /^serviceentry-waypoint-binding: /);
	assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.match(
		await webhook.metrics.registry.metrics(),
		/waymark_rule_faults_total\{rule="serviceentry-broken"\} 2/,
	);
	assert.equal(
		webhook.logs.filter((line) => line.includes('"rule failed"') && line.includes("serviceentry-broken"))
			.length,
		2,
	);
});

test("POST /validate logs a denial with facts, and nothing of the object", async (context) => {
	const webhook = await run(context, { "egress.waymark.dev/denied-hosts": "*.example.com" });
	await webhook.ask("validate", reviewOf(withAnnotations(boundEntry, { secret: "swordfish" })));
	const [line = "{}"] = webhook.logs;
	const {
		msg,
		decision,
		namespace,
		name,
		user,
		uid,
		rules: named,
	} = JSON.parse(line) as Record<string, unknown>;
	assert.deepEqual(
		{ msg, decision, namespace, name, user, uid, named },
		{
			msg: "admission answered",
			decision: "deny",
			namespace: "team",
			name: "payments",
			user: "alice",
			uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
			named: ["serviceentry-policy-host"],
		},
	);
	assert.doesNotMatch(webhook.logs.join("\n"), /swordfish|api\.payments/);
});

test("POST /validate logs what it allows in spite of findings, and nothing of what is clean", async (context) => {
	for (const [mode, expected] of [
		["audit", "audit"],
		["warn", "warn"],
		["off", undefined],
	] as const) {
		const webhook = await run(context, {
			"egress.waymark.dev/denied-hosts": "*.example.com",
			"egress.waymark.dev/mode": mode,
		});
		await webhook.ask("mutate", reviewOf(boundEntry));
		assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
		const lines = webhook.logs.map((line) => JSON.parse(line) as Record<string, unknown>);
		assert.deepEqual(
			lines.map(({ msg, decision, mode, user, namespace, rules }) => [
				...[msg, decision, mode, user, namespace],
				rules,
			]),
			expected === undefined
				? []
				: [["admission answered", "allow", expected, "alice", "team", ["serviceentry-policy-host"]]],
		);
	}
	const clean = await run(context, {});
	assert.equal((await clean.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.deepEqual(clean.logs, []);
});

test("POST /validate asks the API server once for what a denial misses, and judges again", async (context) => {
	const state = world([teamNamespace, egressNamespace]);
	const asked: string[] = [];
	const webhook = await runWebhook(context, {
		state,
		confirm: async (absences) => {
			asked.push(...absences.map((each) => `${each.kind} ${each.namespace}/${each.name}`));
			state.set("KubernetesGateway", egressWaypoint);
			return { found: true, unconfirmed: false };
		},
	});
	assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.deepEqual(
		asked.filter((each) => each.startsWith("KubernetesGateway")),
		["KubernetesGateway istio-egress/egress"],
	);
});

test("POST /validate says that it could not confirm what is missing", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace]),
		confirm: async () => ({ found: false, unconfirmed: true }),
	});
	const { allowed, status } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(allowed, false);
	assert.match(
		status?.message ?? "",
		/\nThe API server could not be asked whether what is missing exists by now: try again$/,
	);
});

test("POST /validate gives asking no more than half of the time that the API server waits", async (context) => {
	const limits: number[] = [];
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace]),
		confirm: async (_absences, deadlineMs) => {
			limits.push(deadlineMs);
			return { found: false, unconfirmed: false };
		},
	});
	for (const query of [
		"",
		"?timeout=1s",
		"?timeout=10s",
		"?timeout=soon",
		"?timeout=1s&timeout=2s",
		"?timeout=0s",
	]) {
		await webhook.post(`/validate${query}`, JSON.stringify(reviewOf(boundEntry)));
	}
	assert.equal(limits.length, 6);
	const [usual = 0, one = 0, ten = 0, , , none = 0] = limits;
	assert.deepEqual([usual, ten, none], [500, 500, 50]);
	assert.ok(one > 400 && one <= 500, String(one));
});
