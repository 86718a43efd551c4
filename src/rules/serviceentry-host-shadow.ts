import { mention, quote } from "../core/finding.ts";
import type { Rule, RuleContext } from "../core/rule.ts";
import type { HostOwner, HostStanding } from "../istio/capture.ts";
import { captureOf, ownersOf } from "../istio/capture.ts";
import {
	isAmbient,
	isOpen,
	wantedWaypoint,
	waypointOfOwner,
	waypointOfReads,
} from "../istio/entry-capture.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../istio/examples.ts";
import { wildcardsAbove } from "../istio/names.ts";
import { formatOwner } from "../istio/trace.ts";

interface Governed {
	readonly owner: HostOwner;
	readonly host: string;
	readonly waypoint: string;
}

/** The entry of another namespace that sends the host, or a wildcard above it, through a waypoint. */
function governedOwner(host: string, standing: HostStanding, context: RuleContext): Governed | undefined {
	const same = standing.elsewhere.map((owner) => ({ owner, host }));
	const above = wildcardsAbove(host).flatMap((wildcard) =>
		ownersOf(wildcard, context.inventory).map((owner) => ({ owner, host: wildcard })),
	);
	for (const each of [...same, ...above]) {
		const waypoint = waypointOfOwner(each.owner, each.host, context);
		if (waypoint !== undefined) {
			return { ...each, waypoint };
		}
	}
	return undefined;
}

/** An entry without a waypoint must not hide a host that another entry sends through one. */
export const serviceentryHostShadow: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-shadow",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: waypointOfReads,
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
	*check(entry, context) {
		const place = { namespace: context.namespace, name: context.name };
		for (const [index, capture] of captureOf(entry, place, context.inventory).entries()) {
			const { host, standing } = capture;
			// An entry that is not bound yet, and will be, hides nothing.
			const waypoint = capture.waypoint ?? wantedWaypoint(entry, context);
			if (!capture.known || capture.addresses === "none") {
				continue;
			}
			const path = ["spec", "hosts", index];
			if (waypoint === undefined) {
				const hidden = governedOwner(host, standing, context);
				if (hidden !== undefined) {
					yield {
						path,
						message: `${formatOwner(hidden.owner)} sends ${quote(hidden.host)} through ${hidden.waypoint}, and this entry lets ${capture.canonical ? "pods" : `pods of ${mention(context.namespace)}`} reach ${hidden.host === host ? "it" : quote(host)} past that waypoint`,
						hint: "Bind this entry to the waypoint too, or remove it",
						...(isAmbient(context) ? {} : { severity: "warning" as const }),
					};
				}
			} else {
				const shadow = standing.elsewhere.find(
					(owner) => owner.entry !== undefined && isOpen(owner, host, context),
				);
				if (shadow !== undefined) {
					yield {
						path,
						severity: "warning",
						message: `${formatOwner(shadow)} has ${quote(host)} too and no waypoint, so pods of ${mention(shadow.namespace)} reach it past ${waypoint}`,
						hint: `Bind ${formatOwner(shadow)} to a waypoint, or remove it`,
					};
				}
			}
		}
	},
};
