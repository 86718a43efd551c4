import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isClusterHost } from "../../../src/istio/entry/cluster-hosts.ts";
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
