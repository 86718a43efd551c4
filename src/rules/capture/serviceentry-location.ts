import { getPublicSuffix, parse } from "tldts";
import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { isIPAddress, isPrivateAddress, isPublicAddress } from "../../istio/entry/addresses.ts";
import { isClusterHost } from "../../istio/entry/cluster-hosts.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isInternal } from "../../istio/entry/facts.ts";
import { entryBinding, isSameWaypoint } from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../examples.ts";

/** Whether a host lies below a suffix that is sold on the internet; example.com counts, payments.corp does not. */
function isPublicHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host).replace(/^\*[^.]*\.?/, "");
	return !isClusterHost(host, inventory) && parse(name).isIcann === true && getPublicSuffix(name) !== null;
}

/** Whether an endpoint is on the internet: by a name that is sold there, or an address that is routed there. */
function isPublicEndpoint(address: string, inventory: Inventory): boolean {
	return isIPAddress(address)
		? isPublicAddress(address)
		: !address.startsWith("unix://") && isPublicHost(address, inventory);
}

interface Outside {
	/** What of the entry lies on the internet, in words. */
	readonly what: string;
	/** A machine of the mesh may have a public address: that only matters where a waypoint is passed by. */
	readonly isCertain: boolean;
}

/** What of an entry lies on the internet; an entry whose endpoints are all private does not go there. */
function placeOutside(entry: ServiceEntry, inventory: Inventory): Outside | undefined {
	const { hosts, endpoints, addresses, resolution } = specOf(entry);
	const isInside = endpoints.length > 0 && endpoints.every(({ address }) => isPrivateAddress(address ?? ""));
	const host = isInside ? undefined : hosts.find((each) => isPublicHost(each, inventory));
	if (host !== undefined) {
		return { what: `${quote(host)}, a host on the internet`, isCertain: true };
	}
	const endpoint = endpoints.find(({ address }) => isPublicEndpoint(address ?? "", inventory))?.address;
	if (endpoint !== undefined && endpoint !== null) {
		return { what: `the endpoint ${quote(endpoint)}, which is on the internet`, isCertain: false };
	}
	// With resolution NONE a connection goes to the address that the client asked for.
	const listed = resolution === "NONE" ? addresses.find((address) => isPublicAddress(address)) : undefined;
	return listed === undefined
		? undefined
		: { what: `the address ${quote(listed)}, which is on the internet`, isCertain: false };
}

/** An entry for hosts on the internet must not say MESH_INTERNAL. */
export const serviceentryLocation: Rule<"ServiceEntry"> = {
	id: "serviceentry-location",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Namespace"],
	confirms: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An entry for hosts on the internet must not say MESH_INTERNAL",
		why: "In ambient the location changes nothing about the way of the traffic; it only says what the author claims. An entry that calls a public host, endpoint or address internal gets no waypoint from the policy, and its traffic leaves the cluster ungoverned.",
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
