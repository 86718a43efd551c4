import { parseAddressRange, rangeContains } from "../../src/core/address-range.ts";

/** A NetworkPolicy as the API server gives it back, as far as egress goes (networking.k8s.io/v1). */
export interface StoredNetworkPolicy {
	readonly metadata: { readonly namespace?: string };
	readonly spec: {
		readonly podSelector: Selector;
		readonly policyTypes: readonly string[];
		readonly egress?: readonly {
			readonly to?: readonly {
				readonly namespaceSelector?: Selector;
				readonly podSelector?: Selector;
				readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
			}[];
			readonly ports?: readonly { readonly protocol?: string; readonly port?: number | string }[];
		}[];
	};
}

interface Selector {
	readonly matchLabels?: Readonly<Record<string, string>>;
	readonly matchExpressions?: readonly {
		readonly key: string;
		readonly operator: string;
		readonly values?: readonly string[];
	}[];
}

/** Where a connection ends. */
export interface Peer {
	readonly address: string;
	readonly port: number;
	readonly protocol: "TCP" | "UDP";
	/** Absent outside the cluster. */
	readonly pod?: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
}

/**
 * Whether pods of a namespace may open a connection, as the API's documentation says it: a pod that no policy of type
 * Egress selects may open any; else one rule of one such policy must fit, by a peer and by a port; a rule without peers, or
 * without ports, fits all.
 */
export function mayOpen(
	policies: readonly StoredNetworkPolicy[],
	from: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
	to: Peer,
): boolean {
	const selecting = policies.filter(
		({ metadata, spec }) =>
			metadata.namespace === from.namespace &&
			spec.policyTypes.includes("Egress") &&
			selects(spec.podSelector, from.labels),
	);
	const rules = selecting.flatMap(({ spec }) => spec.egress ?? []);
	return (
		selecting.length === 0 ||
		rules.some(
			({ to: peers = [], ports = [] }) =>
				(peers.length === 0 || peers.some((peer) => fits(peer, from.namespace, to))) &&
				(ports.length === 0 ||
					ports.some(
						({ protocol = "TCP", port }) =>
							protocol === to.protocol && (port === undefined || port === to.port),
					)),
		)
	);
}

type RulePeer = NonNullable<NonNullable<StoredNetworkPolicy["spec"]["egress"]>[number]["to"]>[number];

function fits(peer: RulePeer, home: string, { address, pod }: Peer): boolean {
	if (peer.ipBlock !== undefined) {
		const isIn = (cidr: string): boolean => {
			const [range, one] = [parseAddressRange(cidr), parseAddressRange(address)];
			return range !== undefined && one !== undefined && rangeContains(range, one);
		};
		return isIn(peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some(isIn);
	}
	if (pod === undefined) {
		return false;
	}
	const isThere =
		peer.namespaceSelector === undefined
			? pod.namespace === home
			: selects(peer.namespaceSelector, { "kubernetes.io/metadata.name": pod.namespace });
	return isThere && (peer.podSelector === undefined || selects(peer.podSelector, pod.labels));
}

function selects(
	{ matchLabels = {}, matchExpressions = [] }: Selector,
	labels: Readonly<Record<string, string>>,
): boolean {
	return (
		Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
		matchExpressions.every(({ key, operator, values = [] }) => {
			switch (operator) {
				case "Exists":
					return key in labels;
				case "DoesNotExist":
					return !(key in labels);
				case "In":
					return values.includes(labels[key] ?? "");
				default:
					return !values.includes(labels[key] ?? "");
			}
		})
	);
}
