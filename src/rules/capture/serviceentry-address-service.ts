import { parseAddressRange, rangeContains } from "../../core/address-range.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../examples.ts";

/** The listed addresses of an entry must not be those of Services. */
export const serviceentryAddressService: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-service",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Service"],
	confirms: ["Service"],
	fixable: false,
	docs: {
		summary: "The listed addresses of an entry must not be those of Services",
		why: "ztunnel decides by the destination's address, and an entry of the client's own namespace comes first: with a Service's address, or a CIDR around it, the entry takes the calls that were meant for the Service.",
		fix: "Remove the address, or write a narrower CIDR.",
		sources: ["ztunnel src/state.rs"],
		since: "0.1.0",
		good: withSpec(boundEntry, { addresses: ["203.0.113.10"] }),
		bad: withSpec(boundEntry, { addresses: ["10.96.0.0/16"], resolution: "NONE" }),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			exampleService("kubernetes", "default", "10.96.0.1"),
		],
	},
	when: hasAddresses,
	*check(entry, context) {
		const { inventory } = context;
		const kubernetes = inventory.get("Service", "default", "kubernetes")?.spec?.clusterIP ?? "";
		const api = parseAddressRange(kubernetes);
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const range = parseAddressRange(address);
			const [service] = range === undefined ? [] : inventory.lookup("serviceByAddress", address);
			if (service !== undefined) {
				const { namespace, name } = service.metadata ?? {};
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(address)} is the address of the Service ${mention(`${namespace ?? ""}/${name ?? ""}`)}, whose calls this entry would take`,
					hint: "Remove the address",
				};
			} else if (range !== undefined && api !== undefined && rangeContains(range, api)) {
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(address)} contains the cluster's Services (the API server has ${kubernetes}), whose calls this entry would take`,
					hint: "Write a narrower CIDR",
				};
			}
		}
	},
};
