import type { AnyObject, ServiceEntry } from "../../../src/core/kinds.ts";
import { serviceentryHostShadow } from "../../../src/rules/capture/serviceentry-host-shadow.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const other = {
	...teamNamespace,
	metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } },
};

const shadow = { ...plainEntry, metadata: { name: "shadow", namespace: "other" } };

const wildcard = withSpec(boundEntry, { hosts: ["*.wild.example.com"], resolution: "DYNAMIC_DNS" });

const given: readonly AnyObject[] = [teamNamespace, egressNamespace, egressWaypoint, other];

function shadowOf(...hosts: readonly string[]): ServiceEntry {
	return { ...shadow, spec: { ...shadow.spec, hosts } };
}

testRule(serviceentryHostShadow, {
	"warns on the governed side, where a shadow exists already": {
		object: boundEntry,
		given: [teamNamespace, egressNamespace, egressWaypoint, other, shadow],
		finds: ["warning spec.hosts[0]"],
	},
	"sees a single host that hides another namespace's wildcard": {
		object: shadowOf("x.wild.example.com"),
		given: [teamNamespace, egressNamespace, egressWaypoint, other, wildcard],
		finds: ["error spec.hosts[0]"],
	},
	"only warns where ambient is not enforced": {
		object: shadow,
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
		finds: ["warning spec.hosts[0]"],
	},
	"is silent about an entry that nobody can find": {
		object: { ...shadow, spec: { ...shadow.spec, resolution: "NONE" } },
		given: [teamNamespace, egressNamespace, egressWaypoint, other, boundEntry],
		finds: [],
	},
	"warns about a single host that passes a wildcard's waypoint by, written before it": [
		{
			object: wildcard,
			given: [...given, shadowOf("x.wild.example.com")],
			finds: ["warning spec.hosts[0]"],
		},
		{
			object: wildcard,
			given: [...given, shadowOf("wild.example.com", "x.mild.example.com")],
			finds: [],
		},
	],
});
