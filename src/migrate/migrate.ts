import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import { legsOf } from "../istio/egress/virtual-services.ts";
import { isWaypoint } from "../istio/waypoint/waypoint.ts";
import { convertAsm } from "./asm.ts";
import type { Bundle } from "./bundles.ts";
import { bundlesOf, egressParts, typed } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import { boundEntries } from "./entries.ts";
import { gatewayApiRoutes } from "./gateway-api-routes.ts";
import { hostRules } from "./host-rules.ts";
import type { Item, Output } from "./item.ts";
import { itemTitle, outputKey } from "./item.ts";
import type { LedgerEntry } from "./ledger.ts";
import { Ledger } from "./ledger.ts";
import { noteOldParts } from "./old-parts.ts";
import { movedPolicies, noteNamespacePolicies } from "./policies.ts";
import { fieldsOf } from "./raw.ts";
import { carriedRoutes } from "./route-features.ts";
import { wishesOf } from "./wishes.ts";

/** One way out of the old kind and what became of it. */
export interface ConvertedBundle {
	readonly bundle: Bundle;
	readonly entries: readonly BoundEntry[];
	readonly outputs: readonly Output[];
	readonly removals: readonly Item[];
	/** Those of the removals that a waypoint would obey, so that they have to go when the clients move. */
	readonly steering: readonly Item[];
	readonly ledger: readonly LedgerEntry[];
	/** What a person has to know or do, in Markdown. */
	readonly notes: readonly string[];
}

/** The result of a migration: nothing is written by it. */
export interface Migration {
	readonly bundles: readonly ConvertedBundle[];
	readonly outputs: readonly Output[];
	/** Objects of the input that take no part in sidecar-style egress. */
	readonly untouched: readonly Item[];
}

/** Finds the bundles of sidecar-style egress in a world and turns each into ambient manifests. */
export function migrate(
	items: readonly Item[],
	inventory: Inventory,
	waypoint: WaypointReference | undefined,
): Migration {
	const found = bundlesOf(egressParts(items, inventory), items, inventory);
	const waypoints = new Map<string, Output>();
	const bundles = found.map((bundle) => convert(bundle, items, inventory, waypoint, waypoints));
	const outputs = new Map<string, Output>();
	for (const output of [...waypoints.values(), ...bundles.flatMap((each) => each.outputs)]) {
		const key = outputKey(output.object);
		if (!outputs.has(key)) {
			outputs.set(key, output);
		}
	}
	const involved = new Set(found.flatMap((bundle) => bundle.parts.map((part) => part.item)));
	return {
		bundles,
		outputs: [...outputs.values()],
		untouched: items.filter((item) => !involved.has(item)),
	};
}

function convert(
	bundle: Bundle,
	items: readonly Item[],
	inventory: Inventory,
	waypoint: WaypointReference | undefined,
	waypoints: Map<string, Output>,
): ConvertedBundle {
	const ledger = new Ledger();
	const notes: string[] = [];
	const conversion: Conversion = {
		bundle,
		wishes: wishesOf(bundle, inventory, ledger),
		inventory,
		ledger,
		notes,
		waypointOf: (namespace) => waypointFor(namespace, inventory, waypoint, waypoints),
	};
	const asm = convertAsm(conversion, items);
	const entries = [...boundEntries(conversion), ...asm.entries];
	noteOldParts(conversion, entries);
	const rules = hostRules(conversion, entries);
	const outputs = [
		...entries.map((entry) => withItsRule(entry, rules.outputs)),
		...asm.outputs,
		...rules.outputs,
		...carriedRoutes(conversion, entries),
		...gatewayApiRoutes(conversion, entries),
		...movedPolicies(conversion, entries),
	];
	noteNamespacePolicies(items, conversion);
	const own = [...new Set(bundle.parts.map((part) => part.item))];
	const removals = removalsOf(conversion, rules.replaced);
	return {
		bundle,
		entries,
		outputs,
		removals,
		steering: removals.filter((item) => steersWaypoint(item, conversion, entries)),
		ledger: ledger.entries(own),
		notes: [...new Set(notes)],
	};
}

/** An entry whose traffic goes to another port goes together with the rule that begins TLS there. */
function withItsRule({ hosts, ports, output }: BoundEntry, rules: readonly Output[]): Output {
	const isMoved = ports.some(({ targetPort }) => targetPort !== undefined);
	const hasRule = rules.some(({ object }) =>
		hosts.includes(canonicalHost(String(fieldsOf(object.spec).host))),
	);
	return isMoved && hasRule ? { ...output, stage: "2-switch" } : output;
}

/** The waypoint for entries of a namespace: the one asked for, the policy's, one of the input, or a new one. */
function waypointFor(
	namespace: string,
	inventory: Inventory,
	asked: WaypointReference | undefined,
	waypoints: Map<string, Output>,
): WaypointReference {
	const named = inventory.policy(namespace).waypoint;
	if (asked !== undefined) {
		return asked;
	}
	if (named !== undefined && named !== "none") {
		return named;
	}
	for (const gateway of inventory.inNamespace("KubernetesGateway", namespace)) {
		if (isWaypoint(gateway, inventory) === true) {
			return { namespace, name: gateway.metadata?.name ?? "" };
		}
	}
	const reference = { namespace, name: "egress-waypoint" };
	waypoints.set(namespace, {
		stage: "1-add",
		object: {
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "Gateway",
			metadata: { ...reference, labels: { "istio.io/waypoint-for": "service" } },
			spec: {
				gatewayClassName: "istio-waypoint",
				listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
			},
		},
		purpose: `the waypoint of namespace ${namespace}`,
	});
	return reference;
}

const goingRoles: ReadonlySet<string> = new Set([
	"gateway",
	"route",
	"gateway rule",
	"sidecar",
	"policy",
	"asm",
]);

function removalsOf(conversion: Conversion, replaced: readonly Item[]): readonly Item[] {
	const going = conversion.bundle.parts.filter(({ role, item }) => {
		if (!goingRoles.has(role)) {
			return false;
		}
		if (item.kind !== "VirtualService" || !servesOthers(item, conversion)) {
			return true;
		}
		conversion.notes.push(
			`${itemTitle(item)} also serves other traffic: do not delete it, take the routes to and from the egress gateway out of it, in step 2: a waypoint would obey them too.`,
		);
		return false;
	});
	return [...new Set([...going.map(({ item }) => item), ...replaced])];
}

/** Whether a VirtualService has a route into the cluster besides the hops of the way out. */
function servesOthers(item: Item, { bundle, inventory }: Conversion): boolean {
	const part = bundle.parts.find((each) => each.item === item);
	const hops = [...(part?.hops?.steers ?? []), ...(part?.hops?.forwards ?? [])];
	return [...legsOf(typed<"VirtualService">(item), item.namespace, inventory)].some((leg) => {
		const isHop = hops.some((hop) => hop.path.join() === leg.path.join());
		return !isHop && (leg.host.endsWith(".svc.cluster.local") || !leg.host.includes("."));
	});
}

/**
 * Whether a waypoint obeys a route to the egress gateway as sidecars do: it reads the routes of the mesh in the
 * namespaces of the ServiceEntry and its own (Istio pilot/pkg/networking/core/listener_waypoint.go:
 * getVirtualServiceForWaypoint), the oldest first.
 */
function steersWaypoint(item: Item, { bundle }: Conversion, entries: readonly BoundEntry[]): boolean {
	const part = bundle.parts.find((each) => each.item === item);
	const steers =
		part?.hops === undefined
			? part?.ties.some((tie) => tie.startsWith("entry ")) === true && part.role === "route"
			: part.hops.steers.length > 0;
	return (
		steers &&
		entries.some((entry) => item.namespace === entry.namespace || item.namespace === entry.waypoint.namespace)
	);
}
