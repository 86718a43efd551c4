import type { Rule } from "../../core/rule.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { complaintsOfMissingAddresses } from "./entry-addresses.ts";

/** A TCP port has an address to be found by. */
export const serviceentryAddressRequired: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-required",
	kind: "ServiceEntry",
	family: "validity",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "A TCP port has an address to be found by",
		why: "istiod warns: a TCP connection names no host, so without an address of its own, or one that Istio allocates, the port never matches anything.",
		fix: "Use resolution DNS, so that Istio allocates an address, or list addresses.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
			"istio/istio pilot/pkg/networking/serviceentry/ip_autoallocation.go",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 5432, name: "postgres", protocol: "TCP" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 5432, name: "postgres", protocol: "TCP" }],
				location: "MESH_EXTERNAL",
				resolution: "NONE",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return complaintsOfMissingAddresses(entry);
	},
};
