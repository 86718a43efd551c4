import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryWaypointCanary as rule } from "../../../src/rules/binding/serviceentry-waypoint-canary.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withLabels,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const next = { ...egressWaypoint, metadata: { name: "next", namespace: "istio-egress" } };
const given: readonly AnyObject[] = [teamNamespace, egressNamespace, egressWaypoint, next];
const free = { ...teamNamespace, metadata: { name: "team", labels: teamNamespace.metadata?.labels } };
const warning = 'warning metadata.labels["istio.io/use-waypoint-canary"]';
const error = 'error metadata.labels["istio.io/use-waypoint-canary"]';

function canary(name: string, weight?: string, entry = boundEntry): AnyObject {
	const labelled = withLabels(entry, {
		"istio.io/use-waypoint-canary": name,
		"istio.io/use-waypoint-canary-namespace": "istio-egress",
	});
	return weight === undefined
		? labelled
		: withAnnotations(labelled, { "istio.io/use-waypoint-canary-weight": weight });
}

const editors = { policyEditors: { groups: ["security"] } };

testRule(rule, {
	"refuses a share for a waypoint that the policy does not name": {
		object: canary("next", "100"),
		given,
		finds: [error],
		says: /^Sends 100 % of its connections through the waypoint istio-egress\/next, which is not the one of this namespace's policy$/,
	},
	"refuses it for a waypoint of the author's own, which is not there yet": {
		object: canary("mine", "1"),
		given,
		finds: [error],
	},
	"refuses it of somebody who is no policy editor": {
		object: canary("next", "5"),
		given,
		settings: editors,
		requester: { username: "dev", groups: ["developers"] },
		finds: [error],
	},
	"lets a policy editor move to another waypoint": {
		object: canary("next", "5"),
		given,
		settings: editors,
		requester: { username: "alice", groups: ["security"] },
		finds: [],
	},
	"refuses a canary that the namespace brings to an entry without labels": {
		object: plainEntry,
		given: [
			withAnnotations(
				withLabels(teamNamespace, {
					"istio.io/use-waypoint-canary": "next",
					"istio.io/use-waypoint-canary-namespace": "istio-egress",
				}),
				{
					"egress.waymark.dev/waypoint": "istio-egress/egress",
					"istio.io/use-waypoint-canary-weight": "50",
				},
			),
			...given.slice(1),
		],
		finds: ["error metadata.labels"],
	},
	"accepts a share of nothing, and any where no policy names a waypoint": {
		object: canary("next", "0"),
		given,
		finds: [],
	},
	"accepts any share where no policy names a waypoint": {
		object: canary("next", "100"),
		given: [free, ...given.slice(1)],
		finds: [],
	},
	"knows no canary before Istio 1.31": {
		object: canary("next", "100"),
		given,
		mesh: { istioMinor: 30 },
		finds: [],
	},
	"reports a weight that is none": {
		object: canary("next", "10%"),
		given,
		finds: ['warning metadata.annotations["istio.io/use-waypoint-canary-weight"]'],
	},
	"reports a canary that is missing": { object: canary("gone"), given, finds: [warning] },
	"reports the first waypoint as its own canary": { object: canary("egress"), given, finds: [warning] },
	"reports a canary without a waypoint beside it": {
		object: withLabels(plainEntry, { "istio.io/use-waypoint-canary": "next" }),
		given: [],
		finds: [warning],
	},
	"takes none for no canary": { object: canary("none", "100"), given, finds: [] },
	"takes nothing for no canary": { object: canary("", "100"), given, finds: [] },
});
