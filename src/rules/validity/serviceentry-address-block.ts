import type { Rule } from "../../core/rule.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { complaintsOfBlocks } from "./entry-addresses.ts";

/** Blocks of addresses stand only where the resolution is NONE or STATIC. */
export const serviceentryAddressBlock: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-block",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Blocks of addresses stand only where the resolution is NONE or STATIC",
		why: "The API server refuses the object: one look-up in DNS cannot stand for a block of addresses.",
		fix: "Leave out addresses, so that Istio allocates one for each host, or use resolution NONE.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
			"istio.io/api kubernetes/customresourcedefinitions.gen.yaml",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "NONE",
				addresses: ["203.0.113.0/24"],
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
				addresses: ["203.0.113.0/24"],
			},
		},
	},
	when: hasAddresses,
	check(entry) {
		return complaintsOfBlocks(entry);
	},
};
