import type { Path, Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import { canonicalHost, domainOf } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { HostCapture, HostOwner, HostStanding } from "../../istio/capture/capture.ts";
import { captureOf, winnersOf } from "../../istio/capture/capture.ts";
import {
	bypassesWaypoint,
	formatOwner,
	isAmbient,
	mayBeReachedOtherwise,
	wantedWaypoint,
	waypointOfOwner,
	waypointOfReads,
} from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isWildcard, wildcardsAbove } from "../../istio/entry/hosts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";

interface Governed {
	readonly owner: HostOwner;
	readonly host: string;
	readonly waypoint: string;
}

interface Open {
	readonly owner: HostOwner;
	readonly host: string;
}

/** More hosts below a wildcard than this are not looked at, so that one write cannot hold the webhook up. */
const mostHostsBelow = 256;

/** The entry of another namespace that sends the host, or a wildcard above it, through a waypoint. */
function governedOwner(host: string, standing: HostStanding, context: RuleContext): Governed | undefined {
	const same = firstGoverned(standing.elsewhere, host, context.inventory);
	if (same !== undefined) {
		return same;
	}
	for (const wildcard of wildcardsAbove(host)) {
		// Hundreds of hosts may lie below one wildcard, and thousands of entries have that.
		const above = context.inventory.know(governedWinner, wildcard);
		if (above !== undefined) {
			return above;
		}
	}
	return undefined;
}

function governedWinner(wildcard: string, inventory: Inventory): Governed | undefined {
	return firstGoverned(winnersOf(wildcard, inventory), wildcard, inventory);
}

function firstGoverned(
	owners: readonly HostOwner[],
	host: string,
	inventory: Inventory,
): Governed | undefined {
	for (const owner of owners) {
		const waypoint = waypointOfOwner(owner, inventory);
		if (waypoint !== undefined) {
			return { owner, host, waypoint };
		}
	}
	return undefined;
}

/** The entry that has the host, or one below a wildcard, and sends it through no waypoint. */
function openOwner(
	{ host, standing }: HostCapture,
	entry: ServiceEntry,
	context: RuleContext,
): Open | undefined {
	const same = standing.elsewhere.find(
		(owner) => owner.entry !== undefined && bypassesWaypoint(owner, host, context),
	);
	if (same !== undefined || !isWildcard(host)) {
		return same === undefined ? undefined : { owner: same, host };
	}
	const looked = new Set<string>();
	for (const below of hostsBelow(host, entry, context.inventory)) {
		if (looked.has(below)) {
			continue;
		}
		const owner = winnersOf(below, context.inventory).find(
			(each) => !isSelf(each, context) && bypassesWaypoint(each, below, context),
		);
		if (owner !== undefined) {
			return { owner, host: below };
		}
		if (looked.add(below).size === mostHostsBelow) {
			return undefined;
		}
	}
	return undefined;
}

function isSelf(owner: HostOwner, { namespace, name }: RuleContext): boolean {
	return owner.namespace === namespace && owner.name === name;
}

/** The hosts of all entries that a wildcard of an entry stands for; the wildcard itself is none of them. */
function hostsBelow(wildcard: string, entry: ServiceEntry, inventory: Inventory): Iterable<string> {
	const all = canonicalHost(wildcard);
	return all.startsWith("*.")
		? (inventory.know(hostsBelowAll, entry).get(all) ?? [])
		: hostsEndingWith(all, inventory);
}

type HostsBelow = ReadonlyMap<string, Set<string>>;

/** The hosts of all entries below each wildcard of an entry for the names of a domain, found in one walk. */
function hostsBelowAll(entry: ServiceEntry, inventory: Inventory): HostsBelow {
	const found = new Map(
		specOf(entry)
			.hosts.map(canonicalHost)
			.filter((host) => host.startsWith("*."))
			.map((host) => [host, new Set<string>()]),
	);
	for (const domain of new Set([...found.keys()].map(domainOf))) {
		const setsAbove = rememberSetsAbove(found, domain);
		for (const other of inventory.lookup("serviceEntryByDomain", domain)) {
			for (const host of specOf(other).hosts) {
				for (const below of setsAbove(canonicalHost(host))) {
					if (below.size < mostHostsBelow) {
						below.add(host);
					}
				}
			}
		}
	}
	return found;
}

/** Finds where a name belongs: below the wildcards above it, which names of the same parent share. */
function rememberSetsAbove(found: HostsBelow, domain: string): (name: string) => readonly Set<string>[] {
	const byParent = new Map<string, readonly Set<string>[]>();
	const setsAbove = (name: string): readonly Set<string>[] =>
		wildcardsAbove(name).flatMap((above) => (domainOf(above) === domain ? (found.get(above) ?? []) : []));
	return (name) => {
		// Nothing is above what is too long.
		if (name.length > 255) {
			return [];
		}
		// A wildcard is not above itself, and has above it what its domain has.
		const below = name.startsWith("*.") ? name.slice(2) : name;
		const parent = below.slice(below.indexOf("."));
		let sets = byParent.get(parent);
		if (sets === undefined) {
			sets = setsAbove(below);
			byParent.set(parent, sets);
		}
		return sets;
	};
}

/** The same for a wildcard such as `*-eu.example.com`. */
function* hostsEndingWith(all: string, inventory: Inventory): Iterable<string> {
	for (const entry of inventory.lookup("serviceEntryByDomain", domainOf(all))) {
		for (const host of specOf(entry).hosts) {
			const name = canonicalHost(host);
			if (name !== all && name.endsWith(all.slice(1))) {
				yield host;
			}
		}
	}
}

/** An entry without a waypoint must not hide a host that another entry sends through one. */
export const serviceentryHostShadow: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-shadow",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: waypointOfReads,
	confirms: ["Namespace", "Service", "KubernetesGateway", "GatewayClass"],
	fixable: false,
	docs: {
		summary: "An entry without a waypoint must not hide a host that another entry sends through one",
		why: "Which entry answers depends on the client: its own namespace's first, else the oldest of the mesh, and a single host before a wildcard; exportTo counts for nothing. An entry without a waypoint therefore opens a way past the waypoint that another namespace's entry for the same host uses. The object that is written is the one that is judged, whichever of the two it is.",
		fix: "Bind the entry to the waypoint too, or remove it: the other entry already serves every namespace.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: selectWorkloadServices",
			"ztunnel src/state.rs: find_best_match",
			"ztunnel src/dns/server.rs: find_server",
		],
		since: "0.1.0",
		good: withLabels({ ...boundEntry, metadata: { ...boundEntry.metadata, name: "twin" } }, {}),
		bad: withLabels(
			{ ...plainEntry, metadata: { ...plainEntry.metadata, namespace: "other", name: "twin" } },
			{},
		),
		given: [
			teamNamespace,
			{ ...teamNamespace, metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } } },
			egressNamespace,
			egressWaypoint,
			boundEntry,
		],
	},
	when: mayBeReachedOtherwise,
	*check(entry, context) {
		const objectName = { namespace: context.namespace, name: context.name };
		for (const [index, capture] of captureOf(entry, objectName, context.inventory).entries()) {
			if (!capture.known || capture.addresses === "none") {
				continue;
			}
			const path = ["spec", "hosts", index];
			// An entry that is not bound yet, and will be, hides nothing.
			const waypoint = capture.waypoint ?? wantedWaypoint(entry, context);
			if (waypoint === undefined) {
				yield* hidingAnother(capture, path, context);
			} else {
				yield* hiddenByAnother(entry, capture, path, waypoint, context);
			}
		}
	},
};

function* hidingAnother(capture: HostCapture, path: Path, context: RuleContext): Iterable<Problem> {
	const { host, standing, canonical } = capture;
	const hidden = governedOwner(host, standing, context);
	if (hidden !== undefined) {
		yield {
			path,
			message: `${formatOwner(hidden.owner)} sends ${quote(hidden.host)} through ${hidden.waypoint}, and this entry lets ${canonical ? "pods" : `pods of ${mention(context.namespace)}`} reach ${hidden.host === host ? "it" : quote(host)} past that waypoint`,
			hint: "Bind this entry to the waypoint too, or remove it",
			...(isAmbient(context) ? {} : { severity: "warning" as const }),
		};
	}
}

function* hiddenByAnother(
	entry: ServiceEntry,
	capture: HostCapture,
	path: Path,
	waypoint: string,
	context: RuleContext,
): Iterable<Problem> {
	const shadow = openOwner(capture, entry, context);
	if (shadow !== undefined) {
		const { owner } = shadow;
		const { host } = capture;
		yield {
			path,
			severity: "warning",
			message: `${formatOwner(owner)} has ${quote(shadow.host)}${shadow.host === host ? " too" : ""} and no waypoint, so pods of ${mention(owner.namespace)} reach it past ${waypoint}`,
			hint: `Bind ${formatOwner(owner)} to a waypoint, or remove it`,
		};
	}
}
