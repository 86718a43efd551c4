import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClusterState } from "../../../src/core/cluster-state.ts";
import type { AnyObject, Namespace } from "../../../src/core/kinds.ts";
import { kindOfObject } from "../../../src/core/kinds.ts";
import { defaultSettings } from "../../../src/core/settings.ts";
import { generatePolicies } from "../../../src/export/authorization-policies.ts";
import { readReach } from "../../../src/reach/reach.ts";
import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { serviceentryReach as rule } from "../../../src/rules/reach/serviceentry-reach.ts";
import { findings } from "../../support/rule-example.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, inTeam, message, places, surroundings, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function denying(
	name: string,
	mode = "enforce",
	labels = { "istio.io/dataplane-mode": "ambient" },
): Namespace {
	return {
		...team({ "denied-hosts": "api.payments.example.com", mode }, labels),
		metadata: { ...team({ "denied-hosts": "api.payments.example.com", mode }, labels).metadata, name },
	};
}

/** The AuthorizationPolicies that Waymark writes for a world. */
function generatedFor(given: readonly AnyObject[]): readonly AnyObject[] {
	const state = new ClusterState(defaultSettings, { offline: true });
	for (const object of given) {
		state.set(kindOfObject(object) ?? "Namespace", object);
	}
	return generatePolicies(readReach(state, "2026-11-26"), state, "2026-11-26").policies;
}

const home: Circumstances = { given: [team(), ...surroundings] };

testRule(rule, {
	"names the namespaces that reach the host against their policies, the first three of them": [
		{
			object: boundEntry,
			...inTeam(beside(home, denying("intern"))),
			finds: ["warning spec.hosts[0]"],
			says: 'Host "api.payments.example.com", port 443, is reached from a namespace whose policy does not allow it (intern), and nothing refuses them at waypoint istio-egress/egress',
		},
		{
			object: boundEntry,
			...inTeam(beside(home, ...["a", "b", "c", "d", "e"].map((name) => denying(name)))),
			finds: ["warning spec.hosts[0]"],
			says: /from 5 namespaces whose policies do not allow it \(a, b, c and 2 more\)/,
		},
	],
	"says where no waypoint is on the way": {
		object: plainEntry,
		...inTeam(beside(home, denying("intern"))),
		finds: ["warning spec.hosts[0]"],
		says: /, and no waypoint is on the way$/,
	},
});

describe("serviceentry-reach", () => {
	it("serviceentry-reach is silent where a policy only watches, and where the pods are not in ambient", () => {
		for (const mode of ["warn", "audit", "off"]) {
			assert.deepEqual(places(rule, boundEntry, beside(home, denying("intern", mode))), [], mode);
		}
		const outside = denying("intern", "enforce", { "istio.io/dataplane-mode": "none" });
		assert.deepEqual(places(rule, boundEntry, beside(home, outside)), []);
	});

	it("serviceentry-reach is silent where the policies that Waymark writes are applied, and about each port alone", () => {
		const given: readonly AnyObject[] = [team(), ...surroundings, denying("intern"), boundEntry];
		const policies = generatedFor(given);
		assert.equal(policies.length, 1);
		assert.deepEqual(places(rule, boundEntry, { given: [...given, ...policies] }), []);
		const ports = [...(boundEntry.spec?.ports ?? []), { number: 80, name: "http", protocol: "HTTP" }];
		const limited = team({ "allowed-ports": "443/TLS" });
		const two = beside(home, { ...limited, metadata: { ...limited.metadata, name: "intern" } });
		assert.match(message(rule, withSpec(boundEntry, { ports }), two), /, port 80, is reached/);
	});

	it("serviceentry-reach tells the ServiceAccounts that a policy does not name, until something refuses them", () => {
		const limiting = (name: string, mode = "enforce"): Namespace => {
			const like = team({ "allowed-service-accounts": "web", mode });
			return { ...like, metadata: { ...like.metadata, name } };
		};
		const given: readonly AnyObject[] = [team(), ...surroundings, limiting("intern"), boundEntry];
		assert.equal(
			message(rule, boundEntry, { given }),
			'Host "api.payments.example.com", port 443, is reached by ServiceAccounts that the policy of their namespace does not name (intern), and nothing refuses them at waypoint istio-egress/egress',
		);
		assert.match(
			message(rule, boundEntry, { given: [...given, limiting("shop")] }),
			/that the policies of 2 namespaces do not name \(intern, shop\)/,
		);
		assert.deepEqual(places(rule, boundEntry, beside(home, limiting("intern", "warn"))), []);
		const allowWeb: AnyObject = {
			apiVersion: "security.istio.io/v1",
			kind: "AuthorizationPolicy",
			metadata: { name: "web", namespace: boundEntry.metadata?.namespace ?? "" },
			spec: {
				targetRefs: [
					{ group: "networking.istio.io", kind: "ServiceEntry", name: boundEntry.metadata?.name ?? "" },
				],
				rules: [{ from: [{ source: { principals: ["cluster.local/ns/intern/sa/web"] } }] }],
			},
		} as AnyObject;
		assert.deepEqual(places(rule, boundEntry, { given: [...given, allowWeb] }), []);
		const generated = generatedFor(given);
		assert.equal(generated.length, 1);
		assert.deepEqual(places(rule, boundEntry, { given: [...given, ...generated] }), []);
	});

	it("serviceentry-reach is silent in admission, which knows no gaps", () => {
		assert.deepEqual(findings([rule], boundEntry, [team(), ...surroundings, denying("intern")]), []);
	});
});
