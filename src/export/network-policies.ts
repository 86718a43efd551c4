import type { Inventory } from "../core/inventory.ts";
import type { AnyObject } from "../core/kinds.ts";
import { isAmbientNamespace } from "../core/policy.ts";
import type { Reach } from "../reach/reach.ts";
import { weightOf } from "../reach/word.ts";

/** A NetworkPolicy (networking.k8s.io/v1), as far as it is written here. */
export interface NetworkPolicy extends AnyObject {
	readonly spec: {
		readonly podSelector: object;
		readonly policyTypes: readonly string[];
		readonly egress: readonly { readonly to: readonly object[]; readonly ports?: readonly object[] }[];
	};
}

const gatewayName = "gateway.networking.k8s.io/gateway-name";
const namespaceName = "kubernetes.io/metadata.name";

/**
 * For each ambient namespace whose policy is enforced, a NetworkPolicy that lets its pods, but not its gateways, open
 * connections only to the cluster's DNS, to ranges inside the cluster, and to port 15008 of the waypoints.
 */
export function generateNetworkPolicies(
	reach: Reach,
	inventory: Inventory,
	ranges: readonly string[],
): readonly NetworkPolicy[] {
	const bound = reach.outlets.flatMap(({ boundTo }) => boundTo ?? []);
	return reach.namespaces.flatMap((namespace) => {
		const policy = inventory.policy(namespace);
		const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels ?? {};
		if (!isAmbientNamespace(labels) || weightOf(policy, inventory.settings) !== "enforced") {
			return [];
		}
		const own =
			policy.waypoint === undefined || policy.waypoint === "none"
				? []
				: [`${policy.waypoint.namespace}/${policy.waypoint.name}`];
		return [policyOf(namespace, [...new Set([...bound, ...own])].toSorted(), ranges)];
	});
}

function policyOf(namespace: string, waypoints: readonly string[], ranges: readonly string[]): NetworkPolicy {
	const ports = (protocols: readonly string[], port: number): readonly object[] =>
		protocols.map((protocol) => ({ protocol, port }));
	return {
		apiVersion: "networking.k8s.io/v1",
		kind: "NetworkPolicy",
		metadata: {
			name: "waymark-default-deny",
			namespace,
			labels: { "app.kubernetes.io/managed-by": "waymark" },
		},
		spec: {
			// A waypoint that stands in the namespace must leave the cluster.
			podSelector: { matchExpressions: [{ key: gatewayName, operator: "DoesNotExist" }] },
			policyTypes: ["Egress"],
			egress: [
				{
					to: [
						{
							namespaceSelector: { matchLabels: { [namespaceName]: "kube-system" } },
							podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
						},
					],
					ports: ports(["UDP", "TCP"], 53),
				},
				...(waypoints.length === 0 ? [] : [{ to: waypoints.map(podsOf), ports: ports(["TCP"], 15008) }]),
				// An empty list of peers would mean everybody.
				...(ranges.length === 0 ? [] : [{ to: ranges.map((cidr) => ({ ipBlock: { cidr } })) }]),
			],
		},
	};
}

function podsOf(waypoint: string): object {
	const slash = waypoint.indexOf("/");
	return {
		namespaceSelector: { matchLabels: { [namespaceName]: waypoint.slice(0, slash) } },
		podSelector: { matchLabels: { [gatewayName]: waypoint.slice(slash + 1) } },
	};
}
