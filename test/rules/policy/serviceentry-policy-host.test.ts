import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyHost as rule } from "../../../src/rules/policy/serviceentry-policy-host.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, judge, places, team } from "../../support/team.ts";

function allowing(hosts: string, more: Record<string, string> = {}): Circumstances {
	return { given: [team({ "allowed-hosts": hosts, ...more })] };
}

const first = ["error spec.hosts[0]"];

function said(hosts: readonly string[], circumstances: Circumstances): readonly string[] {
	return places(rule, entry({ hosts }), circumstances);
}

describe("serviceentry-policy-host", () => {
	it("serviceentry-policy-host allows every host where no list is", () => {
		assert.deepEqual(said(["anything.example.org", "*.example.net"], { given: [team()] }), []);
		assert.deepEqual(said(["anything.example.org"], allowing("  ")), []);
		assert.deepEqual(said(["anything.example.org"], { settings: { limits: {} } }), []);
	});

	it("serviceentry-policy-host points at each host that the namespace does not allow", () => {
		const hosts = ["a.example.com", "b.example.org", "c.example.com", "d.example.org"];
		assert.deepEqual(said(hosts, allowing("*.example.com")), ["error spec.hosts[1]", "error spec.hosts[3]"]);
	});

	for (const host of [
		"API.Example.COM",
		"api.example.com.",
		"a.b.example.com",
		"*.example.com",
		"*.eu.example.com",
	]) {
		it(`serviceentry-policy-host takes *.example.com for an allowance of ${host}`, () => {
			assert.deepEqual(said([host], allowing("*.example.com")), []);
		});
	}

	for (const host of [
		"example.com",
		"badexample.com",
		"*example.com",
		"*.com",
		"api.example.com.evil.org",
		"*",
	]) {
		it(`serviceentry-policy-host does not take *.example.com for an allowance of ${host}`, () => {
			assert.deepEqual(said([host], allowing("*.example.com")), first);
		});
	}

	it("serviceentry-policy-host compares punycode with the letters that it stands for", () => {
		assert.deepEqual(said(["xn--bcher-kva.example"], allowing("bücher.example")), []);
		assert.deepEqual(said(["BÜCHER.example"], allowing("*.example bücher.example")), []);
		assert.deepEqual(said(["xn--bcher-kva.example"], allowing("bucher.example")), first);
	});

	it("serviceentry-policy-host fills in the namespace's name", () => {
		assert.deepEqual(said(["team.example.com"], allowing("${namespace}.example.com")), []);
		assert.deepEqual(said(["a.team.example.com"], allowing("*.${namespace}.example.com")), []);
		assert.deepEqual(said(["other.example.com"], allowing("${namespace}.example.com")), first);
	});

	it("serviceentry-policy-host wants both the cluster and the namespace to allow a host", () => {
		const settings = { limits: { allowedHosts: ["*.example.com"] } };
		const narrow = allowing("api.example.com, api.example.org");
		assert.deepEqual(said(["api.example.com"], { ...narrow, settings }), []);
		assert.deepEqual(said(["api.example.org"], { ...narrow, settings }), first);
		assert.deepEqual(said(["www.example.com"], { ...narrow, settings }), first);
		const [finding] = judge(rule, entry({ hosts: ["api.example.org"] }), { ...narrow, settings });
		assert.match(finding?.message ?? "", /that the cluster's limits allow \(\*\.example\.com\)$/);
	});

	it("serviceentry-policy-host lets a denial win over an allowance, and a wildcard not slip past it", () => {
		const lists = allowing("*.example.com", { "denied-hosts": "secret.example.com" });
		assert.deepEqual(said(["api.example.com"], lists), []);
		assert.deepEqual(said(["secret.example.com"], lists), first);
		assert.deepEqual(said(["*.example.com"], lists), first);
		assert.deepEqual(said(["SECRET.example.com."], lists), first);
		assert.deepEqual(said(["very.secret.example.com"], lists), []);
	});

	it("serviceentry-policy-host says who denies, with the pattern", () => {
		const settings = { limits: { deniedHosts: ["*.internal.example.com"] } };
		const [finding] = judge(rule, entry({ hosts: ["a.internal.example.com"] }), { settings });
		assert.match(finding?.message ?? "", /denied by the cluster's limits \("\*\.internal\.example\.com"\)$/);
	});

	it("serviceentry-policy-host: an empty allow-list of the cluster allows nothing", () => {
		assert.deepEqual(said(["api.example.com"], { settings: { limits: { allowedHosts: [] } } }), first);
	});

	it("serviceentry-policy-host holds the names of endpoints to the same lists, since traffic goes there", () => {
		const spec = {
			hosts: ["api.example.com"],
			endpoints: [
				{ address: "eu.example.com" },
				{ address: "evil.example.org" },
				{ address: "203.0.113.9" },
				{ address: "2001:db8::1" },
				{ address: null },
				{ address: "unix:///var/run/api.sock" },
				{ address: "gateway.infra.svc.cluster.local" },
			],
		};
		assert.deepEqual(places(rule, entry(spec), allowing("*.example.com")), [
			"error spec.endpoints[1].address",
		]);
		const denied = { given: [team({ "denied-hosts": "*.example.org" })] };
		assert.deepEqual(places(rule, entry(spec), denied), ["error spec.endpoints[1].address"]);
		assert.deepEqual(places(rule, entry(spec), { given: [team()] }), []);
	});

	for (const host of ["api.example.org", "*com", "*.local", "*.team", "api.shop.svc.example.org"]) {
		it(`serviceentry-policy-host judges ${host} although the entry says that it is internal`, () => {
			const dodge = entry({ hosts: [host], location: "MESH_INTERNAL" });
			assert.deepEqual(places(rule, dodge, allowing("*.example.com")), first);
		});
	}

	for (const host of [
		"reviews.shop.svc",
		"reviews.shop.svc.cluster.local",
		"reviews-0.reviews.shop.svc.cluster.local",
	]) {
		it(`serviceentry-policy-host leaves the name ${host} of a Service alone where the entry is internal`, () => {
			const known = beside(allowing("*.example.com"), exampleService("reviews", "shop", "10.96.0.9"));
			const internal = entry({ hosts: [host], location: "MESH_INTERNAL" });
			assert.deepEqual(places(rule, internal, known), []);
			assert.deepEqual(places(rule, entry({ hosts: [host] }), known), first);
		});
	}

	for (const host of [
		"reviews",
		"*.shop.svc.cluster.local",
		"*.cluster.local",
		"db.shop.svc.clusterset.local",
	]) {
		it(`serviceentry-policy-host judges the internal host ${host}, which no Service answers`, () => {
			const internal = entry({ hosts: [host], location: "MESH_INTERNAL" });
			assert.deepEqual(places(rule, internal, allowing("*.example.com")), first);
		});
	}

	it("serviceentry-policy-host judges what an ExternalName Service leads to, at an endpoint and at the host", () => {
		const alias = {
			...exampleService("away", "team", ""),
			spec: { type: "ExternalName", externalName: "evil.example" },
		};
		const spec = { location: "MESH_INTERNAL", hosts: ["api.team.svc.cluster.local"] };
		const endpoints = [{ address: "away.team.svc.cluster.local" }];
		const known = beside(allowing("*.example.com, *.svc.cluster.local"), alias);
		assert.deepEqual(places(rule, entry({ ...spec, endpoints }), known), ["error spec.endpoints[0].address"]);
		assert.deepEqual(places(rule, entry({ ...spec, hosts: ["away.team.svc.cluster.local"] }), known), first);
	});

	it("serviceentry-policy-host goes by the cluster domain of the configuration", () => {
		const internal = entry({ hosts: ["a.shop.svc.corp.example"], location: "MESH_INTERNAL" });
		const settings = { clusterDomain: "corp.example" };
		const known = {
			...beside(allowing("*.example.com"), exampleService("a", "shop", "10.96.0.9")),
			settings,
		};
		assert.deepEqual(places(rule, internal, known), []);
		assert.deepEqual(places(rule, internal, allowing("*.example.com")), first);
	});

	it("serviceentry-policy-host judges internal workloads too, since a WorkloadEntry has any address", () => {
		const workloads = { workloadSelector: { labels: { app: "details" } }, resolution: "STATIC" };
		const internal = entry({ hosts: ["details.example.org"], location: "MESH_INTERNAL", ...workloads });
		assert.deepEqual(places(rule, internal, allowing("*.example.com")), first);
		assert.deepEqual(places(rule, internal, allowing("*.example.org")), []);
	});

	it("serviceentry-policy-host judges internal entries that leave by another way", () => {
		const workloads = { workloadSelector: { labels: { app: "details" } }, location: "MESH_INTERNAL" };
		const passthrough = entry({ hosts: ["details.example.org"], ...workloads, resolution: "NONE" });
		assert.deepEqual(places(rule, passthrough, allowing("*.example.com")), first);
		const endpoints = [{ address: "evil.example.org" }];
		const renamed = entry({ hosts: ["db"], location: "MESH_INTERNAL", endpoints });
		assert.deepEqual(places(rule, renamed, allowing("*.example.com")), [
			...first,
			"error spec.endpoints[0].address",
		]);
	});

	it("serviceentry-policy-host says nothing of an entry without hosts", () => {
		assert.deepEqual(places(rule, entry({ hosts: null }), allowing("*.example.com")), []);
	});

	it("serviceentry-policy-host shows three patterns and how many more", () => {
		const [finding] = judge(rule, entry({ hosts: ["x.org"] }), allowing("a.com b.com c.com d.com e.com"));
		assert.match(finding?.message ?? "", /\(a\.com, b\.com, c\.com and 2 more\)$/);
	});
});
