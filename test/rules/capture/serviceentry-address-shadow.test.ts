import type { AnyObject, ServiceEntry } from "../../../src/core/kinds.ts";
import { serviceentryAddressShadow } from "../../../src/rules/capture/serviceentry-address-shadow.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import type { RuleCase } from "../../support/test-rule.ts";
import { testRule } from "../../support/test-rule.ts";

const other = {
	...teamNamespace,
	metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } },
};
const world: readonly AnyObject[] = [teamNamespace, other, egressNamespace, egressWaypoint];

function governed(...addresses: readonly string[]): ServiceEntry {
	return withSpec(boundEntry, { resolution: "NONE", addresses: [...addresses] });
}

function open(...addresses: readonly string[]): ServiceEntry {
	return {
		...withSpec(plainEntry, { hosts: ["hole.example.com"], resolution: "NONE", addresses: [...addresses] }),
		metadata: { name: "hole", namespace: "other" },
	};
}

function spotsOfHole(hole: ServiceEntry, holder: ServiceEntry): Omit<RuleCase, "finds"> {
	return { object: hole, given: [...world, holder] };
}

const error = ["error spec.addresses[0]"];

testRule(serviceentryAddressShadow, {
	"sees a single address that takes from a block, whoever asks": [
		{ ...spotsOfHole(open("203.0.113.9"), governed("203.0.113.0/24")), finds: error },
		{ ...spotsOfHole(open("2001:db8::9"), governed("2001:db8::/64")), finds: error },
	],
	"knows that a block never takes from a single address": {
		...spotsOfHole(open("203.0.113.0/24"), governed("203.0.113.9")),
		finds: [],
	},
	"sees a broader block, which goes first in its own namespace": [
		{ ...spotsOfHole(open("203.0.0.0/8"), governed("203.0.113.0/24")), finds: error },
		{ ...spotsOfHole(open("0.0.0.0/0"), governed("203.0.113.0/24")), finds: error },
	],
	"lets a broader block stand behind a narrower one of the same namespace": {
		...spotsOfHole(
			{ ...open("203.0.113.0/24"), metadata: { name: "hole", namespace: "other" } },
			{
				...governed("203.0.113.0/25"),
				metadata: { ...boundEntry.metadata, namespace: "other" },
			},
		),
		finds: [],
	},
	"compares addresses, not their spelling": [
		{ ...spotsOfHole(open("2001:DB8:0::9"), governed("2001:db8::9")), finds: error },
		{ ...spotsOfHole(open("203.0.113.9/32"), governed("203.0.113.9")), finds: error },
	],
	"warns on the governed side, where a hole exists already": {
		object: governed("203.0.113.0/24"),
		given: [...world, open("203.0.113.9")],
		finds: ["warning spec.addresses[0]"],
	},
	"is silent about two bound entries, and about addresses apart": [
		{
			object: { ...governed("203.0.113.9"), metadata: { ...boundEntry.metadata, name: "second" } },
			given: [...world, governed("203.0.113.0/24")],
			finds: [],
		},
		{ ...spotsOfHole(open("198.51.100.9"), governed("203.0.113.0/24")), finds: [] },
		{ ...spotsOfHole(open("2001:db8::9"), governed("0.0.0.0/0")), finds: [] },
	],
	"is silent about an entry that istiod ignores": {
		object: governed("203.0.113.0/24"),
		given: [
			...world,
			{
				...open("203.0.113.9"),
				metadata: { name: "hole", namespace: "other", labels: { "istio.io/rev": "gone" } },
			},
		],
		finds: [],
	},
});
