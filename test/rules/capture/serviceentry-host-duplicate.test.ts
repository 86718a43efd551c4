import { serviceentryHostDuplicate } from "../../../src/rules/capture/serviceentry-host-duplicate.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const first = {
	...boundEntry,
	metadata: { ...boundEntry.metadata, name: "first", creationTimestamp: "2026-01-01T00:00:00Z" },
};

const elsewhere = { ...first, metadata: { ...first.metadata, namespace: "other" } };

const ignored = withLabels(
	{ ...first, metadata: { ...first.metadata, name: "ignored" } },
	{ "istio.io/rev": "other" },
);

testRule(serviceentryHostDuplicate, {
	"judges the older one too, since writing it takes the host from the younger": {
		object: {
			...boundEntry,
			metadata: { ...boundEntry.metadata, creationTimestamp: "2025-01-01T00:00:00Z" },
		},
		given: [teamNamespace, egressNamespace, egressWaypoint, first],
		finds: ["error spec.hosts[0]"],
	},
	"does not count the entry itself, nor other namespaces, nor what istiod ignores": {
		object: first,
		given: [teamNamespace, egressNamespace, egressWaypoint, first, elsewhere, ignored],
		finds: [],
	},
	"compares hosts as istiod does, by their spelling": {
		object: withSpec(boundEntry, { hosts: ["API.payments.example.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, first],
		finds: [],
	},
});
