import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

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
		return validateAddressBlocks(entry);
	},
};

/** Blocks of addresses where single ones are wanted (ValidateServiceEntry, and CEL of the CRD). */
function* validateAddressBlocks(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { addresses, resolution } = specOf(entry);
	const index = addresses.findIndex((address) => address.includes("/"));
	if (index >= 0 && resolution !== "NONE" && resolution !== "STATIC") {
		yield {
			path: ["spec", "addresses", index],
			istiodMessage: "CIDR addresses are allowed only for NONE/STATIC resolution types",
			message: `${quote(addresses[index])} is a block of addresses, which resolution ${quote(resolution)} cannot stand for`,
			hint: "Leave out addresses, so that Istio allocates one for each host, or use resolution NONE or STATIC",
		};
	}
}
