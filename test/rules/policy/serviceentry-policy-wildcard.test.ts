import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryPolicyWildcard as rule } from "../../../src/rules/policy/serviceentry-policy-wildcard.ts";
import { entry, message, places } from "../../support/team.ts";

const refused = ["error spec.hosts[0]"];

function said(host: string, least?: number, location = "MESH_EXTERNAL"): readonly string[] {
	const settings = least === undefined ? {} : { limits: { wildcardMinimumLabels: least } };
	return places(rule, entry({ hosts: [host], location }), { settings });
}

describe("serviceentry-policy-wildcard", () => {
	for (const host of ["*.com", "*.COM.", "*com", "*example.com", "*"]) {
		it(`serviceentry-policy-wildcard refuses ${host}, which fixes fewer than two labels`, () => {
			assert.deepEqual(said(host), refused);
		});
	}

	for (const host of ["*.example.com", "*.example.com.", "*-eu.example.com", "com", "api.example.com"]) {
		it(`serviceentry-policy-wildcard accepts ${host}`, () => {
			assert.deepEqual(said(host), []);
		});
	}

	it("serviceentry-policy-wildcard goes by the configuration", () => {
		assert.deepEqual(said("*.com", 1), []);
		assert.deepEqual(said("*", 1), refused);
		assert.deepEqual(said("*", 0), []);
		assert.deepEqual(said("*.example.com", 3), refused);
		assert.deepEqual(said("api.example.com", 9), []);
	});

	it("serviceentry-policy-wildcard counts one label and several in words", () => {
		const of = (host: string) =>
			message(rule, entry({ hosts: [host] }), { settings: { limits: { wildcardMinimumLabels: 3 } } });
		assert.match(of("*.com"), /fixes 1 label, and the cluster wants at least 3$/);
		assert.match(of("*.example.com"), /fixes 2 labels,/);
	});

	it("serviceentry-policy-wildcard sees through MESH_INTERNAL, but not into the cluster's own domain", () => {
		assert.deepEqual(said("*.com", undefined, "MESH_INTERNAL"), refused);
		assert.deepEqual(said("*com", undefined, "MESH_INTERNAL"), refused);
		assert.deepEqual(said("*.shop.svc.cluster.local", undefined, "MESH_INTERNAL"), []);
	});
});
