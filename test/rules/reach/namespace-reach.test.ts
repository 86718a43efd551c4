import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Namespace } from "../../../src/core/kinds.ts";
import { boundEntry, plainEntry } from "../../../src/rules/examples.ts";
import { namespaceReach as rule } from "../../../src/rules/reach/namespace-reach.ts";
import { message, places, surroundings, team } from "../../support/team.ts";

const ambient = { "istio.io/dataplane-mode": "ambient" };

function intern(
	annotations: Readonly<Record<string, string>>,
	labels: Readonly<Record<string, string>> = ambient,
): Namespace {
	const like = team(annotations, labels);
	return { ...like, metadata: { ...like.metadata, name: "intern" } };
}

const world = { given: [team(), ...surroundings, boundEntry] };

describe("namespace-reach", () => {
	it("namespace-reach names what is reached, at the list that is not kept", () => {
		const denied = intern({ "denied-hosts": "api.payments.example.com" });
		assert.deepEqual(places(rule, denied, world), [
			'warning metadata.annotations["egress.waymark.dev/denied-hosts"]',
		]);
		assert.equal(
			message(rule, denied, world),
			"Its pods reach a port of a host that its policy does not allow (api.payments.example.com:443), and nothing refuses them at the waypoints",
		);
		const settings = { defaults: { allowedHosts: ["nothing.invalid"] } };
		assert.deepEqual(places(rule, intern({}), { ...world, settings }), ["warning metadata.name"]);
	});

	it("namespace-reach says what leaves past every waypoint, and how many there are", () => {
		const direct = {
			...plainEntry,
			spec: { ...plainEntry.spec, hosts: ["b.example.com", "c.example.com", "d.example.com"] },
			metadata: { name: "direct", namespace: "team" },
		};
		const limited = intern({ "allowed-hosts": "*.example.org" });
		assert.match(
			message(rule, limited, { given: [team(), ...surroundings, direct] }),
			/3 ports of hosts .*, past every waypoint$/,
		);
		assert.match(
			message(rule, limited, { given: [...world.given, direct] }),
			/reach 4 ports of hosts .* and 1 more\), 3 of them past every waypoint, and nothing refuses the others there$/,
		);
	});

	it("namespace-reach tells the pods whose ServiceAccount the list does not name, beside the others", () => {
		const limited = intern({ "allowed-service-accounts": "web" });
		assert.deepEqual(places(rule, limited, world), [
			'warning metadata.annotations["egress.waymark.dev/allowed-service-accounts"]',
		]);
		assert.equal(
			message(rule, limited, world),
			"Its pods whose ServiceAccount this list does not name reach a port of a host (api.payments.example.com:443), and nothing refuses them at the waypoints",
		);
		const outside = { ...plainEntry, metadata: { name: "direct", namespace: "team" } };
		assert.match(
			message(rule, limited, { given: [team(), ...surroundings, outside] }),
			/this list does not name reach a port of a host .*, past every waypoint$/,
		);
		const denied = intern({
			"allowed-service-accounts": "web",
			"denied-hosts": "api.payments.example.com",
		});
		// What is forbidden to all of its pods is told once.
		assert.deepEqual(places(rule, denied, world), [
			'warning metadata.annotations["egress.waymark.dev/denied-hosts"]',
		]);
	});

	it("namespace-reach is a hint where the pods are not in ambient, and silent where nothing is forbidden or enforced", () => {
		const annotations = { "denied-hosts": "api.payments.example.com" };
		assert.deepEqual(places(rule, intern(annotations, {}), world), [
			'info metadata.annotations["egress.waymark.dev/denied-hosts"]',
		]);
		assert.deepEqual(places(rule, intern({}), world), []);
		assert.deepEqual(places(rule, intern({ ...annotations, mode: "audit" }), world), []);
	});
});
