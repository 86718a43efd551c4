import assert from "node:assert/strict";
import { it } from "node:test";
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
import { spots } from "../../support/spots.ts";

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

function spotsOfHole(hole: ServiceEntry, holder: ServiceEntry): readonly string[] {
	return spots(serviceentryAddressShadow, hole, [...world, holder]);
}

const error = ["error spec.addresses[0]"];

it("serviceentry-address-shadow sees a single address that takes from a block, whoever asks", () => {
	assert.deepEqual(spotsOfHole(open("203.0.113.9"), governed("203.0.113.0/24")), error);
	assert.deepEqual(spotsOfHole(open("2001:db8::9"), governed("2001:db8::/64")), error);
});

it("serviceentry-address-shadow knows that a block never takes from a single address", () => {
	assert.deepEqual(spotsOfHole(open("203.0.113.0/24"), governed("203.0.113.9")), []);
});

it("serviceentry-address-shadow sees a broader block, which goes first in its own namespace", () => {
	assert.deepEqual(spotsOfHole(open("203.0.0.0/8"), governed("203.0.113.0/24")), error);
	assert.deepEqual(spotsOfHole(open("0.0.0.0/0"), governed("203.0.113.0/24")), error);
});

it("serviceentry-address-shadow lets a broader block stand behind a narrower one of the same namespace", () => {
	const hole = { ...open("203.0.113.0/24"), metadata: { name: "hole", namespace: "other" } };
	const holder = {
		...governed("203.0.113.0/25"),
		metadata: { ...boundEntry.metadata, namespace: "other" },
	};
	assert.deepEqual(spotsOfHole(hole, holder), []);
});

it("serviceentry-address-shadow compares addresses, not their spelling", () => {
	assert.deepEqual(spotsOfHole(open("2001:DB8:0::9"), governed("2001:db8::9")), error);
	assert.deepEqual(spotsOfHole(open("203.0.113.9/32"), governed("203.0.113.9")), error);
});

it("serviceentry-address-shadow warns on the governed side, where a hole exists already", () => {
	assert.deepEqual(
		spots(serviceentryAddressShadow, governed("203.0.113.0/24"), [...world, open("203.0.113.9")]),
		["warning spec.addresses[0]"],
	);
});

it("serviceentry-address-shadow is silent about two bound entries, and about addresses apart", () => {
	const bound = { ...governed("203.0.113.9"), metadata: { ...boundEntry.metadata, name: "second" } };
	assert.deepEqual(spots(serviceentryAddressShadow, bound, [...world, governed("203.0.113.0/24")]), []);
	assert.deepEqual(spotsOfHole(open("198.51.100.9"), governed("203.0.113.0/24")), []);
	assert.deepEqual(spotsOfHole(open("2001:db8::9"), governed("0.0.0.0/0")), []);
});

it("serviceentry-address-shadow is silent about an entry that istiod ignores", () => {
	const ignored = {
		...open("203.0.113.9"),
		metadata: { name: "hole", namespace: "other", labels: { "istio.io/rev": "gone" } },
	};
	assert.deepEqual(spots(serviceentryAddressShadow, governed("203.0.113.0/24"), [...world, ignored]), []);
});
