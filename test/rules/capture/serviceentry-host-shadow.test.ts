import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostShadow } from "../../../src/rules/capture/serviceentry-host-shadow.ts";
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
const shadow = { ...plainEntry, metadata: { name: "shadow", namespace: "other" } };
const wildcard = withSpec(boundEntry, { hosts: ["*.wild.example.com"], resolution: "DYNAMIC_DNS" });

it("serviceentry-host-shadow warns on the governed side, where a shadow exists already", () => {
	assert.deepEqual(
		spots(serviceentryHostShadow, boundEntry, [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			other,
			shadow,
		]),
		["warning spec.hosts[0]"],
	);
});

it("serviceentry-host-shadow sees a single host that hides another namespace's wildcard", () => {
	assert.deepEqual(
		spots(serviceentryHostShadow, { ...shadow, spec: { ...shadow.spec, hosts: ["x.wild.example.com"] } }, [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			other,
			wildcard,
		]),
		["error spec.hosts[0]"],
	);
});

it("serviceentry-host-shadow only warns where ambient is not enforced", () => {
	assert.deepEqual(
		spots(serviceentryHostShadow, shadow, [teamNamespace, egressNamespace, egressWaypoint, boundEntry]),
		["warning spec.hosts[0]"],
	);
});

it("serviceentry-host-shadow is silent about an entry that nobody can find", () => {
	assert.deepEqual(
		spots(serviceentryHostShadow, { ...shadow, spec: { ...shadow.spec, resolution: "NONE" } }, [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			other,
			boundEntry,
		]),
		[],
	);
});

it("serviceentry-host-shadow warns about a single host that passes a wildcard's waypoint by, written before it", () => {
	const single = { ...shadow, spec: { ...shadow.spec, hosts: ["x.wild.example.com"] } };
	const given = [teamNamespace, egressNamespace, egressWaypoint, other];
	assert.deepEqual(spots(serviceentryHostShadow, wildcard, [...given, single]), ["warning spec.hosts[0]"]);
	const elsewhere = {
		...shadow,
		spec: { ...shadow.spec, hosts: ["wild.example.com", "x.mild.example.com"] },
	};
	assert.deepEqual(spots(serviceentryHostShadow, wildcard, [...given, elsewhere]), []);
});
