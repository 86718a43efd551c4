import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { isIPSubnet } from "../../istio/entry/addresses.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Every address is an IP address or a CIDR. */
export const serviceentryAddressForm: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-form",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every address is an IP address or a CIDR",
		why: "istiod refuses the object. Where its webhook is away, it drops the whole ServiceEntry in silence and the traffic leaves without a waypoint.",
		fix: "Write an address such as 203.0.113.10 or a block such as 203.0.113.0/24. Host names belong in hosts.",
		sources: [
			"istio/istio pkg/config/validation/agent/validation.go: ValidateIPSubnet",
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
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
				resolution: "DNS",
				addresses: ["203.0.113.10"],
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
				addresses: ["203.0.113.010"],
			},
		},
	},
	when: hasAddresses,
	check(entry) {
		return validateAddresses(entry);
	},
};

/** Addresses that istiod cannot read (ValidateIPSubnet). */
function* validateAddresses(entry: ServiceEntry): Iterable<ValidationProblem> {
	for (const [index, address] of specOf(entry).addresses.entries()) {
		if (!isIPSubnet(address)) {
			const isBlock = address.split("/").length === 2;
			yield {
				path: ["spec", "addresses", index],
				istiodMessage: isBlock ? `${address} is not a valid CIDR block` : `${address} is not a valid IP`,
				message: `${quote(address)} is neither an IP address nor a CIDR, and istiod drops the whole ServiceEntry for it`,
				hint: "Write an address such as 203.0.113.10 or a block such as 203.0.113.0/24, without leading zeros",
			};
		}
	}
}
