import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isInternal } from "../../istio/entry/facts.ts";
import { placeOutside } from "../../istio/entry/internet.ts";
import { bindingConfirms, bindingReads, entryBinding, isSameWaypoint } from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../examples.ts";

/** An entry for hosts on the internet must not say MESH_INTERNAL. */
export const serviceentryLocation: Rule<"ServiceEntry"> = {
	id: "serviceentry-location",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry for hosts on the internet must not say MESH_INTERNAL",
		why: "In ambient the location changes nothing about the way of the traffic; it only says what the author claims. Waymark holds the policy against it all the same, but whoever reads an entry that calls a public host, endpoint or address internal is misled, and only its author knows what it was meant to be.",
		fix: "Write location: MESH_EXTERNAL.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
			"https://publicsuffix.org",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(plainEntry, { location: "MESH_INTERNAL" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: isInternal,
	*check(entry, context) {
		const { location, selector } = specOf(entry);
		const outside = location === "MESH_INTERNAL" ? placeOutside(entry, context.inventory) : undefined;
		if (outside === undefined) {
			return;
		}
		const { waypoint } = context.policy;
		const { request } = entryBinding(entry, context);
		const isBound =
			waypoint === undefined ||
			waypoint === "none" ||
			(request.asked && isSameWaypoint(request.waypoint, waypoint));
		const selects = selector !== undefined;
		if (isBound && (selects || !outside.isCertain)) {
			return;
		}
		yield {
			path: ["spec", "location"],
			// What a selector finds may be a machine of the mesh, or a WorkloadEntry with any address.
			...(isBound || selects ? { severity: "warning" as const } : {}),
			message: `MESH_INTERNAL is claimed for ${outside.what}${isBound ? "" : ", so the policy's waypoint would not govern its traffic"}`,
			hint: "Write location: MESH_EXTERNAL",
		};
	},
};
