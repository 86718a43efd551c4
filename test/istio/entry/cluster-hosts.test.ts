import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isClusterHost, isOutsideName } from "../../../src/istio/entry/cluster-hosts.ts";
import { world } from "../../support/rule-example.ts";

describe("isClusterHost()", () => {
	for (const host of [
		"reviews",
		"reviews.shop.svc",
		"REVIEWS.shop.SVC.",
		"reviews.shop.svc.cluster.local",
		"cluster.local",
		"pod.web.shop.svc.cluster.local",
		"*.svc",
		"*.shop.svc",
		"*.cluster.local",
		"reviews.shop.svc.clusterset.local",
	]) {
		it(`isClusterHost() takes ${host} for a name of the cluster`, () => {
			assert.equal(isClusterHost(host, world()), true);
		});
	}

	for (const host of [
		"api.example.com",
		"reviews.shop",
		"reviews.shop.svc.example.com",
		"xcluster.local",
		"cluster.local.example.com",
		"*",
		"*.",
		"*com",
		"*.com",
		"*.local",
		"*svc",
		"*cluster.local",
	]) {
		it(`isClusterHost() takes ${host} for one outside`, () => {
			assert.equal(isClusterHost(host, world()), false);
		});
	}

	it("isClusterHost() goes by the configured domain", () => {
		const state = world([], { clusterDomain: "corp.example" });
		assert.equal(isClusterHost("a.b.svc.corp.example", state), true);
		assert.equal(isClusterHost("a.b.svc.cluster.local", state), false);
	});
});

describe("isOutsideName()", () => {
	it("isOutsideName() is a name outside the cluster, and neither an address nor a socket", () => {
		assert.equal(isOutsideName("api.example.com", world()), true);
		for (const address of ["", "10.0.0.1", "::1", "fe80::1%eth0", "unix:///tmp/x", "db", "db.shop.svc"]) {
			assert.equal(isOutsideName(address, world()), false, address);
		}
	});
});
