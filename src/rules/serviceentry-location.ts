import { getPublicSuffix, parse } from "tldts";
import { quote } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Rule } from "../core/rule.ts";
import { isPrivateAddress } from "../istio/addresses.ts";
import { entryBinding, isSameWaypoint } from "../istio/entry-binding.ts";
import { specOf } from "../istio/entry-spec.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../istio/examples.ts";
import { isClusterHost } from "../istio/external.ts";

/** Whether a host lies below a suffix that is sold on the internet; example.com counts, payments.corp does not. */
function isPublicHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host).replace(/^\*[^.]*\.?/, "");
	return !isClusterHost(host, inventory) && parse(name).isIcann === true && getPublicSuffix(name) !== null;
}

/** An entry for hosts on the internet must not say MESH_INTERNAL. */
export const serviceentryLocation: Rule<"ServiceEntry"> = {
	id: "serviceentry-location",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An entry for hosts on the internet must not say MESH_INTERNAL",
		why: "In ambient the location changes nothing about the way of the traffic; it only says what the author claims. An entry that calls a public host internal gets no waypoint from the policy, and its traffic leaves the cluster ungoverned.",
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
	*check(entry, context) {
		const { location, hosts, endpoints, selector } = specOf(entry);
		// Workloads of the mesh on virtual machines: pods by a selector, or addresses one by one.
		const isInside =
			selector !== undefined ||
			(endpoints.length > 0 && endpoints.every(({ address }) => isPrivateAddress(address ?? "")));
		const index = hosts.findIndex((host) => isPublicHost(host, context.inventory));
		const { waypoint } = context.policy;
		if (location !== "MESH_INTERNAL" || isInside || index < 0) {
			return;
		}
		const { request } = entryBinding(entry, context);
		const isBound =
			waypoint === undefined ||
			waypoint === "none" ||
			(request.asked && isSameWaypoint(request.waypoint, waypoint));
		yield {
			path: ["spec", "location"],
			...(isBound ? { severity: "warning" as const } : {}),
			message: `MESH_INTERNAL is claimed for ${quote(hosts[index])}, a host on the internet${isBound ? "" : ", so the policy's waypoint would not govern its traffic"}`,
			hint: "Write location: MESH_EXTERNAL",
		};
	},
};
