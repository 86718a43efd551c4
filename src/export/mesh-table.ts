import { quote } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type { KubernetesGateway } from "../core/kinds.ts";
import { saysEgressGateway } from "../istio/egress/names.ts";
import { selectorEvidence } from "../istio/egress/objects.ts";
import { isEgressService } from "../istio/egress/services.ts";
import type { WaypointState } from "../istio/waypoint/waypoint.ts";
import { attachmentListener, inspectWaypoint } from "../istio/waypoint/waypoint.ts";

/** A Kubernetes object as it is printed. */
export interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
	readonly [field: string]: unknown;
}

/** How the API server names the table. */
export const tableVersion = "egress.waymark.dev/v1alpha1";
export const tableKind = "MeshTable";
/** The name of the one table. */
export const tableName = "waymark";

/** Something that is wrong with a waypoint, as the rule of this id says it; ORIGIN stands for who named the waypoint. */
export interface WaypointFault {
	readonly rule: string;
	readonly severity: "error" | "warning";
	readonly message: string;
}

/** A Gateway that an entry may name: whom it admits, as its allowedRoutes say it, and what is wrong with it. */
export interface TableWaypoint {
	readonly from: "All" | "Same" | "Selector";
	readonly matchLabels?: Readonly<Record<string, string>>;
	readonly matchExpressions?: readonly {
		readonly key: string;
		readonly operator: string;
		readonly values?: readonly string[];
	}[];
	readonly faults?: readonly WaypointFault[];
}

/** What admission policies need to know of other objects: it grows with Gateways, never with namespaces. */
export interface TableSpec {
	/** By NAMESPACE/NAME. */
	readonly waypoints: Readonly<Record<string, TableWaypoint>>;
	/** Services of sidecar-style egress gateways, by NAMESPACE/NAME. */
	readonly egressServices: Readonly<Record<string, true>>;
	/** Istio Gateways by NAMESPACE/NAME: whether each selects an egress gateway; those whose name misleads say false. */
	readonly egressGateways: Readonly<Record<string, boolean>>;
	/** The revisions and tags that read objects, sorted. */
	readonly revisions: readonly string[];
}

/** The table of a world; the same world gives the same table, to the order of its keys. */
export function meshTable(inventory: Inventory): TableSpec {
	return {
		waypoints: sorted(
			[...inventory.all("KubernetesGateway")].map((gateway) => [
				keyOf(gateway),
				waypointOf(gateway, inventory),
			]),
		),
		egressServices: sorted(
			[...inventory.all("Service")].flatMap(({ metadata }) => {
				const { name = "", namespace = "" } = metadata ?? {};
				return isEgressService(`${name}.${namespace}.svc`, "", inventory)
					? [[`${namespace}/${name}`, true as const]]
					: [];
			}),
		),
		egressGateways: sorted(
			[...inventory.all("IstioGateway")].flatMap((gateway): [string, boolean][] => {
				const [namespace, name] = [gateway.metadata?.namespace ?? "", gateway.metadata?.name ?? ""];
				const isEgress = selectorEvidence(gateway, namespace, name, inventory).next().done !== true;
				return isEgress || saysEgressGateway(name) ? [[`${namespace}/${name}`, isEgress]] : [];
			}),
		),
		revisions: [...inventory.mesh.revisions].toSorted(),
	};
}

function keyOf({ metadata }: KubernetesGateway): string {
	return `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}

function sorted<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
	return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function waypointOf(gateway: KubernetesGateway, inventory: Inventory): TableWaypoint {
	const [namespace, name] = [gateway.metadata?.namespace ?? "", gateway.metadata?.name ?? ""];
	// Whether it admits a namespace is left to the policy, which sees that namespace as it is.
	const state = inspectWaypoint({ name, namespace }, namespace, inventory);
	const faults = faultsOf(gateway, state);
	const isJudged = state.waypointClass !== false && state.selectorFault === undefined;
	return {
		...(isJudged ? admission(gateway, inventory) : { from: "All" as const }),
		...(faults.length === 0 ? {} : { faults }),
	};
}

function admission(gateway: KubernetesGateway, inventory: Inventory): TableWaypoint {
	const namespaces = attachmentListener(gateway, inventory)?.listener.allowedRoutes?.namespaces;
	if (namespaces?.from === "All") {
		return { from: "All" };
	}
	const { matchLabels, matchExpressions } = namespaces?.selector ?? {};
	if (namespaces?.from !== "Selector" || namespaces.selector === undefined || namespaces.selector === null) {
		// A selector that is not there matches nothing, and an expression that nothing matches says so.
		return namespaces?.from === "Selector"
			? {
					from: "Selector",
					matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "DoesNotExist" }],
				}
			: { from: "Same" };
	}
	return {
		from: "Selector",
		...(Object.keys(matchLabels ?? {}).length === 0 ? {} : { matchLabels: { ...matchLabels } }),
		...((matchExpressions ?? []).length === 0
			? {}
			: {
					matchExpressions: (matchExpressions ?? []).map(({ key, operator, values }) => ({
						key: key ?? "",
						operator: operator ?? "",
						...((values ?? []).length === 0 ? {} : { values: values ?? [] }),
					})),
				}),
	};
}

/** What the rules about the state of a waypoint find wrong with it, whoever names it. */
function faultsOf(gateway: KubernetesGateway, state: WaypointState): readonly WaypointFault[] {
	const faults: WaypointFault[] = [];
	const say = (
		rule: string,
		severity: WaypointFault["severity"],
		predicate: string,
		noun = "Waypoint",
	): void => {
		faults.push({
			rule: `serviceentry-waypoint-${rule}`,
			severity,
			message: `${noun} ${keyOf(gateway)}, which ORIGIN, ${predicate}`,
		});
	};
	const name = quote(gateway.spec?.gatewayClassName ?? "");
	if (state.waypointClass === false) {
		say("class", "error", `is of class ${name} and no waypoint: ztunnel would drop the traffic`, "Gateway");
	} else if (state.waypointClass === undefined) {
		say("class", "warning", `has the class ${name}, of which nobody said that it makes waypoints`, "Gateway");
	}
	if (state.selectorFault !== undefined) {
		say(
			"selector",
			"error",
			`has a malformed namespace selector (${state.selectorFault}): binding to it would stop istiod`,
		);
	}
	if (state.waypointClass !== false) {
		sayReadiness(state, say);
		if (!state.servesServices) {
			say(
				"traffic",
				"error",
				`serves the traffic type ${quote(state.trafficType)} and not services: traffic would leave the cluster without it`,
			);
		}
	}
	return faults;
}

function sayReadiness(
	state: WaypointState,
	say: (rule: string, severity: WaypointFault["severity"], predicate: string) => void,
): void {
	if (!state.ready && state.neverReady !== undefined) {
		say(
			"readiness",
			"error",
			`can never become ready, since ${state.neverReady}: traffic would leave the cluster without it`,
		);
	} else if (!state.ready) {
		say("readiness", "warning", "is not ready yet: until it is, traffic leaves the cluster without it");
	} else if (!state.reachable) {
		say(
			"readiness",
			"error",
			"has no address that ztunnel can use: Istio reports it as bound, and traffic leaves the cluster without it",
		);
	}
}

const text = { type: "string" };
const texts = { type: "array", items: text };

/** The CustomResourceDefinition of the table. */
export const tableDefinition: Manifest = {
	apiVersion: "apiextensions.k8s.io/v1",
	kind: "CustomResourceDefinition",
	metadata: { name: "meshtables.egress.waymark.dev" },
	spec: {
		group: "egress.waymark.dev",
		names: { kind: tableKind, listKind: `${tableKind}List`, plural: "meshtables", singular: "meshtable" },
		// No tenant can reach an object without a namespace.
		scope: "Cluster",
		versions: [
			{
				name: "v1alpha1",
				served: true,
				storage: true,
				additionalPrinterColumns: [{ name: "Written", type: "date", jsonPath: ".spec.written" }],
				schema: {
					openAPIV3Schema: {
						type: "object",
						description:
							"What Waymark tells the admission policies about other objects. Written by Waymark only.",
						required: ["spec"],
						properties: {
							spec: {
								type: "object",
								required: ["written", "waypoints", "revisions"],
								properties: {
									written: {
										...text,
										format: "date-time",
										description: "When Waymark last vouched for it.",
									},
									revisions: { ...texts, description: "The revisions and tags of istiod that read objects." },
									waypoints: {
										type: "object",
										description:
											"NAMESPACE/NAME: whom a Gateway admits, and what is wrong with it as a waypoint.",
										additionalProperties: {
											type: "object",
											required: ["from"],
											properties: {
												from: { ...text, enum: ["All", "Same", "Selector"] },
												matchLabels: { type: "object", additionalProperties: text },
												matchExpressions: {
													type: "array",
													items: {
														type: "object",
														required: ["key", "operator"],
														properties: {
															key: text,
															operator: { ...text, enum: ["In", "NotIn", "Exists", "DoesNotExist"] },
															values: texts,
														},
													},
												},
												faults: {
													type: "array",
													items: {
														type: "object",
														required: ["rule", "severity", "message"],
														properties: {
															rule: text,
															severity: { ...text, enum: ["error", "warning"] },
															message: text,
														},
													},
												},
											},
										},
									},
									egressServices: {
										type: "object",
										description: "NAMESPACE/NAME of Services of sidecar-style egress gateways.",
										additionalProperties: { type: "boolean" },
									},
									egressGateways: {
										type: "object",
										description: "NAMESPACE/NAME of Istio Gateways: whether they select an egress gateway.",
										additionalProperties: { type: "boolean" },
									},
								},
							},
						},
					},
				},
			},
		],
	},
};
