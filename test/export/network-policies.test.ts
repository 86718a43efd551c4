import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateNetworkPolicies } from "../../src/export/network-policies.ts";
import { main } from "../../src/main.ts";
import { readReach } from "../../src/reach/reach.ts";
import { entry, namespace, waypoint, worldWith } from "../reach/worlds.ts";

const today = "2026-11-26";

describe("generateNetworkPolicies", () => {
	it("generateNetworkPolicies() leaves pods DNS, the cluster's ranges and port 15008 of the waypoints", () => {
		const world = worldWith([
			namespace("bank", { waypoint: "istio-egress/egress" }),
			namespace("watched", { mode: "warn" }),
			{ apiVersion: "v1", kind: "Namespace", metadata: { name: "sidecars" } },
			waypoint,
			entry("bank/api", "api.bank.example"),
		]);
		const policies = generateNetworkPolicies(readReach(world, today), world, ["10.0.0.0/8"]);
		assert.deepEqual(policies, [
			{
				apiVersion: "networking.k8s.io/v1",
				kind: "NetworkPolicy",
				metadata: {
					name: "waymark-default-deny",
					namespace: "bank",
					labels: { "app.kubernetes.io/managed-by": "waymark" },
				},
				spec: {
					podSelector: {
						matchExpressions: [{ key: "gateway.networking.k8s.io/gateway-name", operator: "DoesNotExist" }],
					},
					policyTypes: ["Egress"],
					egress: [
						{
							to: [
								{
									namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
									podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
								},
							],
							ports: [
								{ protocol: "UDP", port: 53 },
								{ protocol: "TCP", port: 53 },
							],
						},
						{
							to: [
								{
									namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "istio-egress" } },
									podSelector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": "egress" } },
								},
							],
							ports: [{ protocol: "TCP", port: 15008 }],
						},
						{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] },
					],
				},
			},
		]);
	});

	it("export network-policies refuses to cut a namespace off, or to leave everything open", async () => {
		for (const argv of [[], ["--allow", "everywhere"], ["--allow", "0.0.0.0/0"]]) {
			let error = "";
			const streams = {
				out: () => {},
				error: (text: string) => {
					error += text;
				},
				colour: false,
			};
			assert.equal(await main(["export", "network-policies", ...argv, "examples"], streams), 64);
			assert.match(error, /--allow must/);
		}
	});
});
