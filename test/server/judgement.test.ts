import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterState } from "../../src/core/cluster-state.ts";
import type { Kind } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import type { Confirm } from "../../src/server/judgement.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import { runWebhook } from "../support/webhook.ts";

const deaf: Confirm = async () => ({ found: false, unconfirmed: true });
const staleFor = (ageMs: number, ...kinds: readonly Kind[]) => ({ kinds: new Set(kinds), ageMs });
const body = (uid: string): string => JSON.stringify(reviewOf(boundEntry, { request: { uid } }));

test("POST /validate sends a review of an unknown namespace on while the API server does not answer, then refuses it", async (context) => {
	const webhook = await runWebhook(context, { state: new ClusterState(), confirm: deaf });
	const first = await webhook.post("/validate?timeout=5s", body("a"));
	assert.equal(first.status, 503);
	assert.equal(first.headers["retry-after"], "1");
	assert.equal(first.headers.connection, "close");
	assert.equal((await webhook.post("/validate?timeout=5s", body("b"))).status, 503);
	const { allowed, status, auditAnnotations } = await webhook.ask("validate", JSON.parse(body("a")));
	assert.equal(allowed, false);
	assert.equal(status?.code, 503);
	assert.equal(
		status?.message,
		'Cannot judge the request: Waymark does not know the namespace "team-a" yet, and the API server does not answer Waymark: try again'.replace(
			"team-a",
			boundEntry.metadata?.namespace ?? "",
		),
	);
	assert.deepEqual(auditAnnotations, { decision: "unjudged" });
	assert.match(await webhook.metrics.registry.metrics(), /^waymark_unjudged_total\{answer="retry"\} 2$/m);
	assert.match(await webhook.metrics.registry.metrics(), /^waymark_unjudged_total\{answer="refused"\} 1$/m);
});

test("POST /mutate sends a review of an unknown namespace on, then leaves the refusal to /validate", async (context) => {
	const webhook = await runWebhook(context, { state: new ClusterState(), confirm: deaf });
	assert.equal((await webhook.post("/mutate?timeout=5s", body("a"))).status, 503);
	const answer = await webhook.ask("mutate", JSON.parse(body("a")));
	assert.deepEqual(answer, { uid: "a", allowed: true });
});

test("POST /validate judges in an exempt namespace whatever the API server says, and by defaults where it says that there is none", async (context) => {
	const webhook = await runWebhook(context, { state: new ClusterState(), confirm: deaf });
	const exempt = { ...boundEntry, metadata: { ...boundEntry.metadata, namespace: "kube-system" } };
	const review = reviewOf(exempt, { request: { namespace: "kube-system" } });
	assert.equal((await webhook.ask("validate", review)).allowed, true);
	const other = await runWebhook(context, {
		state: new ClusterState(),
		confirm: async () => ({ found: false, unconfirmed: false }),
	});
	assert.equal((await other.post("/validate", body("a"))).status, 200);
});

test("POST /validate reads the Namespace again while Namespaces are not watched, and judges by its new policy", async (context) => {
	const state = world([teamNamespace, egressNamespace, egressWaypoint]);
	const read: string[] = [];
	const webhook = await runWebhook(context, {
		state,
		stale: () => staleFor(37_400, "Namespace"),
		confirm: async (objects) => {
			read.push(...objects.map(({ kind, name }) => `${kind} ${name}`));
			state.set(
				"Namespace",
				withAnnotations(teamNamespace, { "egress.waymark.dev/denied-hosts": "*.example.com" }),
			);
			return { found: true, unconfirmed: false };
		},
	});
	const { allowed, warnings, status } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.ok(read.includes(`Namespace ${teamNamespace.metadata?.name}`));
	assert.equal(new Set(read).size, read.length, "every object is read once");
	assert.equal(allowed, false);
	assert.match(status?.message ?? "", /^serviceentry-policy-host: /);
	assert.equal(warnings, undefined);
});

test("POST /validate warns, annotates and counts when the API server confirms nothing while a kind is not watched", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
		stale: () => staleFor(37_400, "Namespace", "KubernetesGateway"),
		confirm: deaf,
	});
	const { allowed, warnings, auditAnnotations } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(allowed, true);
	assert.deepEqual(warnings, [
		"Waymark judged by a cluster state 37 s old: the API server does not answer this replica",
	]);
	assert.equal(auditAnnotations?.stale, "37 s");
	assert.match(await webhook.metrics.registry.metrics(), /^waymark_stale_verdicts_total 1$/m);
});

test("POST /validate warns when it searched among objects that are not watched, which no direct read can confirm", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
		stale: () => staleFor(12_000, "ServiceEntry"),
		confirm: async () => ({ found: true, unconfirmed: false }),
	});
	const { warnings } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.match(warnings?.[0] ?? "", /^Waymark judged by a cluster state 12 s old/);
});

test("POST /validate does not warn of kinds that the verdict does not rest on", async (context) => {
	const webhook = await runWebhook(context, {
		state: world([teamNamespace, egressNamespace, egressWaypoint]),
		stale: () => staleFor(12_000, "TCPRoute"),
		confirm: deaf,
	});
	const { warnings, auditAnnotations } = await webhook.ask("validate", reviewOf(boundEntry));
	assert.equal(warnings, undefined);
	assert.equal(auditAnnotations?.stale, undefined);
});
