import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { main } from "../../src/main.ts";
import type { StoredNetworkPolicy } from "../support/network-policy.ts";
import { mayOpen } from "../support/network-policy.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

const plane = await useControlPlane();
const egress = "netpol-egress";
const shop = "netpol-shop";
const watched = "netpol-watched";
const plain = { app: "shop" };

async function exported(...argv: readonly string[]): Promise<string> {
	let out = "";
	let error = "";
	const streams = {
		out: (text: string) => {
			out += text;
		},
		error: (text: string) => {
			error += text;
		},
		colour: false,
	};
	const code = await main(
		["export", "network-policies", "--cluster", "--kubeconfig", plane.kubeconfig, ...argv],
		streams,
	);
	assert.equal(code, 0, error);
	return out;
}

describe("export network-policies, with a real API server", () => {
	let folder: string;
	let stored: readonly StoredNetworkPolicy[];

	before(async () => {
		folder = await mkdtemp(join(tmpdir(), "waymark-netpol-"));
		const ambient = { "istio.io/dataplane-mode": "ambient" };
		await createNamespace(plane, egress, { labels: ambient });
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await createNamespace(plane, shop, { labels: ambient });
		await createNamespace(plane, watched, {
			labels: ambient,
			annotations: { "egress.waymark.dev/mode": "warn" },
		});
		await plane.api.apply(
			serviceEntry(shop, "api", "api.netpol.example", { labels: useWaypoint("waypoint", egress) }),
		);
		await plane.istiod.waypointBound(shop, "api");
	});

	after(async () => {
		await deleteNamespaces(plane, shop, watched, egress);
		await rm(folder, { recursive: true });
	});

	test("what is printed is taken by the API server without a warning, unchanged the second time", async () => {
		const config = join(folder, "config.yaml");
		await writeFile(config, "internal: {addresses: [192.0.2.7]}\n");
		const text = await exported("--config", config, "--allow", "10.9.8.7/8", "--allow", "fd00:0::1/8");
		const manifest = join(folder, "policies.yaml");
		await writeFile(manifest, text);
		const first = await plane.kubectl(["apply", "-f", manifest]);
		assert.match(first.stdout, /networkpolicy.*\/waymark-default-deny created/);
		assert.equal(first.stderr, "");
		const second = await plane.kubectl(["apply", "-f", manifest]);
		assert.doesNotMatch(second.stdout, /created|configured/);
		const { stdout } = await plane.kubectl(["get", "networkpolicies", "-A", "-o", "json"]);
		const { items } = JSON.parse(stdout) as { readonly items: readonly StoredNetworkPolicy[] };
		stored = items;
		const of = (namespace: string): number =>
			items.filter(({ metadata }) => metadata.namespace === namespace).length;
		assert.deepEqual([of(shop), of(watched)], [1, 0]);
	});

	test("what is stored lets pods reach DNS, the cluster and the waypoints' port, and nothing outside", () => {
		const pod = { namespace: shop, labels: plain };
		const dns = { namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
		const waypoint = {
			namespace: egress,
			labels: { "gateway.networking.k8s.io/gateway-name": "waypoint" },
		};
		const rival = { namespace: watched, labels: waypoint.labels };
		const outside = "198.51.100.7";
		const cases: readonly (readonly [string, boolean, Parameters<typeof mayOpen>[2]])[] = [
			["DNS by UDP", true, { address: "172.16.0.10", port: 53, protocol: "UDP", pod: dns }],
			["DNS by TCP", true, { address: "172.16.0.10", port: 53, protocol: "TCP", pod: dns }],
			["another port of DNS", false, { address: "172.16.0.10", port: 443, protocol: "TCP", pod: dns }],
			["another resolver", false, { address: outside, port: 53, protocol: "UDP" }],
			["the waypoint", true, { address: "172.16.0.20", port: 15008, protocol: "TCP", pod: waypoint }],
			["past HBONE", false, { address: "172.16.0.20", port: 443, protocol: "TCP", pod: waypoint }],
			["a gateway elsewhere", false, { address: "172.16.0.21", port: 15008, protocol: "TCP", pod: rival }],
			["a pod in a range", true, { address: "10.200.0.1", port: 8080, protocol: "TCP" }],
			["a pod in a range of IPv6", true, { address: "fd12::1", port: 8080, protocol: "TCP" }],
			["the declared machine", true, { address: "192.0.2.7", port: 5432, protocol: "TCP" }],
			["its neighbour", false, { address: "192.0.2.8", port: 5432, protocol: "TCP" }],
			["the internet", false, { address: outside, port: 443, protocol: "TCP" }],
			["metadata of the cloud", false, { address: "169.254.169.254", port: 80, protocol: "TCP" }],
		];
		for (const [what, isOpen, peer] of cases) {
			assert.equal(mayOpen(stored, pod, peer), isOpen, what);
		}
		const internet = { address: outside, port: 443, protocol: "TCP" } as const;
		assert.ok(
			mayOpen(stored, { namespace: egress, labels: waypoint.labels }, internet),
			"a waypoint must leave",
		);
		assert.ok(
			mayOpen(stored, { namespace: watched, labels: plain }, internet),
			"a watched namespace is left",
		);
	});

	test("kubectl, which reads policies by itself, says the same", async () => {
		const { stdout } = await plane.kubectl(["describe", "networkpolicy", "waymark-default-deny", "-n", shop]);
		const text = stdout.replace(/\s+/g, " ");
		assert.match(text, /Not affecting ingress traffic/);
		assert.match(text, /Allowing egress traffic: To Port: 53\/UDP To Port: 53\/TCP To:/);
		assert.match(
			text,
			/To Port: 15008\/TCP To: NamespaceSelector: kubernetes.io\/metadata.name=netpol-egress/,
		);
		assert.match(text, /CIDR: 10\.0\.0\.0\/8/);
		assert.match(text, /CIDR: fd00::\/8/);
		assert.match(text, /CIDR: 192\.0\.2\.7\/32/);
		assert.match(text, /Policy Types: Egress/);
	});
});
