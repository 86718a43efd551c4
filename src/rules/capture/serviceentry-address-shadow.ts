import type { AddressRange } from "../../core/address-range.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { Overlap } from "../../istio/capture/address-overlap.ts";
import { overlapsOf, takesFrom } from "../../istio/capture/address-overlap.ts";
import type { ObjectName } from "../../istio/capture/capture.ts";
import {
	captureOf,
	hostOwnership,
	readAsIstiod,
	waypointOfStored,
	whyIgnored,
} from "../../istio/capture/capture.ts";
import { isAmbient, wantedWaypoint, waypointOfReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../examples.ts";

type Way = string | undefined | "ignored";

/** The waypoint that ztunnel is given for an entry's addresses, if any; `ignored` where istiod does not serve it. */
function wayOf(entry: ServiceEntry, objectName: ObjectName, { inventory }: RuleContext): Way {
	const known = captureOf(entry, objectName, inventory).filter((each) => each.known);
	return known.length === 0 ? "ignored" : known.find((each) => each.waypoint !== undefined)?.waypoint;
}

/** The same of an entry that is stored; nobody asks for more of it than whether one of its hosts is its own. */
function wayOfStored(entry: ServiceEntry, inventory: Inventory): Way {
	const objectName = { namespace: entry.metadata?.namespace ?? "", name: entry.metadata?.name ?? "" };
	const isServed =
		whyIgnored(entry, objectName.namespace, inventory) === undefined &&
		specOf(entry).hosts.some(
			(host) => hostOwnership(host, entry, objectName, inventory).lostTo === undefined,
		);
	return isServed ? waypointOfStored(entry, objectName.namespace, inventory) : "ignored";
}

interface Shadow extends Overlap {
	readonly waypoint: string | undefined;
}

/** The first entry that overlaps where one of the two has a waypoint, and the one without it comes first. */
function shadowAt(
	range: AddressRange,
	objectName: ObjectName,
	waypoint: string | undefined,
	context: RuleContext,
): Shadow | undefined {
	const { inventory } = context;
	const self = { range, namespace: objectName.namespace };
	for (const overlap of overlapsOf(range, objectName, inventory)) {
		const { entry } = overlap;
		const other = { range: overlap.range, namespace: overlap.objectName.namespace };
		const isOther =
			(waypointOfStored(entry, other.namespace, inventory) === undefined) !== (waypoint === undefined);
		const isTaken = waypoint === undefined ? takesFrom(self, other) : takesFrom(other, self);
		const way = isOther && isTaken ? inventory.know(wayOfStored, entry) : "ignored";
		const isOpposite = way !== "ignored" && (way === undefined) !== (waypoint === undefined);
		// What pods outside ambient do passes ztunnel by in any case.
		const matters = way !== undefined || inventory.policy(other.namespace).ambient === "enforced";
		if (isOpposite && matters) {
			return { ...overlap, waypoint: way };
		}
	}
	return undefined;
}

/** An entry without a waypoint must not take addresses that another entry sends through one. */
export const serviceentryAddressShadow: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-shadow",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: waypointOfReads,
	confirms: ["Namespace", "Service", "KubernetesGateway", "GatewayClass"],
	fixable: false,
	docs: {
		summary: "An entry without a waypoint must not take addresses that another entry sends through one",
		why: "ztunnel knows a connection by its address. Where the addresses of two entries overlap, a single address goes before a block, then the client's own namespace, then the narrower block. An entry without a waypoint that comes first opens a way past the waypoint of the other one. The object that is written is the one that is judged, whichever of the two it is.",
		fix: "Bind the entry to the waypoint too, or list only addresses that no other entry sends through a waypoint.",
		sources: ["ztunnel src/state.rs: find_upstream", "ztunnel src/state/service.rs"],
		since: "0.1.0",
		good: withSpec(boundEntry, { hosts: ["b.example.com"], addresses: ["203.0.113.99"] }),
		bad: withLabels(
			{
				...withSpec(plainEntry, { hosts: ["b.example.com"], addresses: ["203.0.113.99"] }),
				metadata: { name: "hole", namespace: "other" },
			},
			{},
		),
		given: [
			teamNamespace,
			{ ...teamNamespace, metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } } },
			egressNamespace,
			egressWaypoint,
			withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
		],
	},
	when: hasAddresses,
	*check(entry, context) {
		const { addresses } = specOf(entry);
		const objectName = { namespace: context.namespace, name: context.name };
		const way = addresses.length === 0 ? "ignored" : wayOf(entry, objectName, context);
		if (way === "ignored") {
			return;
		}
		const waypoint = way ?? wantedWaypoint(entry, context);
		for (const [index, address] of addresses.entries()) {
			const range = readAsIstiod(address);
			const shadow = range === undefined ? undefined : shadowAt(range, objectName, waypoint, context);
			if (shadow === undefined) {
				continue;
			}
			const path = ["spec", "addresses", index];
			const other = `ServiceEntry ${mention(`${shadow.objectName.namespace}/${shadow.objectName.name}`)}`;
			if (waypoint === undefined) {
				yield {
					path,
					message: `${other} sends ${quote(shadow.range.text)} through ${shadow.waypoint}, and this entry lets pods reach ${quote(address)} past that waypoint`,
					hint: "Bind this entry to the waypoint too, or list other addresses",
					...(isAmbient(context) ? {} : { severity: "warning" as const }),
				};
			} else {
				yield {
					path,
					severity: "warning",
					message: `${other} lists ${quote(shadow.range.text)} and has no waypoint, so pods reach addresses of ${quote(address)} past ${waypoint}`,
					hint: `Bind ${other} to a waypoint, or remove the address there`,
				};
			}
		}
	},
};
