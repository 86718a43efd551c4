import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostDuplicate } from "../../../src/rules/capture/serviceentry-host-duplicate.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

const first = {
	...boundEntry,
	metadata: { ...boundEntry.metadata, name: "first", creationTimestamp: "2026-01-01T00:00:00Z" },
};
const elsewhere = { ...first, metadata: { ...first.metadata, namespace: "other" } };
const ignored = withLabels(
	{ ...first, metadata: { ...first.metadata, name: "ignored" } },
	{ "istio.io/rev": "other" },
);

it("serviceentry-host-duplicate judges the older one too, since writing it takes the host from the younger", () => {
	assert.deepEqual(
		spots(
			serviceentryHostDuplicate,
			{ ...boundEntry, metadata: { ...boundEntry.metadata, creationTimestamp: "2025-01-01T00:00:00Z" } },
			[teamNamespace, egressNamespace, egressWaypoint, first],
		),
		["error spec.hosts[0]"],
	);
});

it("serviceentry-host-duplicate does not count the entry itself, nor other namespaces, nor what istiod ignores", () => {
	assert.deepEqual(
		spots(serviceentryHostDuplicate, first, [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			first,
			elsewhere,
			ignored,
		]),
		[],
	);
});

it("serviceentry-host-duplicate compares hosts as istiod does, by their spelling", () => {
	assert.deepEqual(
		spots(serviceentryHostDuplicate, withSpec(boundEntry, { hosts: ["API.payments.example.com"] }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			first,
		]),
		[],
	);
});
