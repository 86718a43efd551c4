import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { isAllocated, specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

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
		return validateRequiredAddresses(entry);
	},
};

/** Ports that only an address can tell apart, and no address (ValidateServiceEntry warns; the protocol is compared as written). */
function* validateRequiredAddresses(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { addresses, ports } = specOf(entry);
	if (addresses.length > 0 || isAllocated(entry)) {
		return;
	}
	for (const [index, { protocol }] of ports.entries()) {
		if (protocol === "" || protocol === "TCP") {
			yield {
				path: ["spec", "ports", index, "protocol"],
				istiodMessage:
					"addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled",
				severity: "warning",
				message: `A ${protocol === "" ? "port without a protocol" : "TCP port"} is found by its address only, and this ServiceEntry has none and gets none`,
				hint: "Use resolution DNS, so that Istio allocates an address, or list addresses",
			};
		}
	}
}
