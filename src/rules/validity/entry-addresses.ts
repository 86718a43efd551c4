import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { isIPSubnet } from "../../istio/entry/addresses.ts";
import { isAllocated, specOf } from "../../istio/entry/entry.ts";
import type { Complaint } from "./validation-problem.ts";

/** Addresses that istiod cannot read (ValidateIPSubnet). */
export function* complaintsOfAddresses(entry: ServiceEntry): Iterable<Complaint> {
	for (const [index, address] of specOf(entry).addresses.entries()) {
		if (!isIPSubnet(address)) {
			const isBlock = address.split("/").length === 2;
			yield {
				path: ["spec", "addresses", index],
				said: isBlock ? `${address} is not a valid CIDR block` : `${address} is not a valid IP`,
				message: `${quote(address)} is neither an IP address nor a CIDR, and istiod drops the whole ServiceEntry for it`,
				hint: "Write an address such as 203.0.113.10 or a block such as 203.0.113.0/24, without leading zeros",
			};
		}
	}
}

/** Blocks of addresses where single ones are wanted (ValidateServiceEntry, and CEL of the CRD). */
export function* complaintsOfBlocks(entry: ServiceEntry): Iterable<Complaint> {
	const { addresses, resolution } = specOf(entry);
	const index = addresses.findIndex((address) => address.includes("/"));
	if (index >= 0 && resolution !== "NONE" && resolution !== "STATIC") {
		yield {
			path: ["spec", "addresses", index],
			said: "CIDR addresses are allowed only for NONE/STATIC resolution types",
			message: `${quote(addresses[index])} is a block of addresses, which resolution ${quote(resolution)} cannot stand for`,
			hint: "Leave out addresses, so that Istio allocates one for each host, or use resolution NONE or STATIC",
		};
	}
}

/** Ports that only an address can tell apart, and no address (ValidateServiceEntry warns; the protocol is compared as written). */
export function* complaintsOfMissingAddresses(entry: ServiceEntry): Iterable<Complaint> {
	const { addresses, ports } = specOf(entry);
	if (addresses.length > 0 || isAllocated(entry)) {
		return;
	}
	for (const [index, { protocol }] of ports.entries()) {
		if (protocol === "" || protocol === "TCP") {
			yield {
				path: ["spec", "ports", index, "protocol"],
				said: "addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled",
				severity: "warning",
				message: `A ${protocol === "" ? "port without a protocol" : "TCP port"} is found by its address only, and this ServiceEntry has none and gets none`,
				hint: "Use resolution DNS, so that Istio allocates an address, or list addresses",
			};
		}
	}
}
