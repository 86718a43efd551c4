import { getPublicSuffix, parse } from "tldts";
import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { isIPAddress, isPrivateAddress, isPublicAddress } from "./addresses.ts";
import { isClusterHost } from "./cluster-hosts.ts";
import { specOf } from "./entry.ts";

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

/** A part of an entry that lies on the internet. */
export interface Outside {
	/** What of the entry lies on the internet, in words. */
	readonly what: string;
	/** A machine of the mesh may have a public address: that only matters where a waypoint is passed by. */
	readonly isCertain: boolean;
}

/** What of an entry lies on the internet; an entry whose endpoints are all private does not go there. */
export function placeOutside(entry: ServiceEntry, inventory: Inventory): Outside | undefined {
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
