import { quote } from "../../core/finding.ts";
import type { ServiceEntry, WorkloadEntrySpec } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { isIPAddress } from "../../istio/entry/addresses.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { findFqdnFault, goQuote } from "../../istio/entry/hosts.ts";
import { isUnlocated, resolvesByDns } from "./endpoints.ts";
import type { ValidationProblem } from "./validation-problem.ts";

const unixPrefix = "unix://";

/** Every endpoint has an address that the resolution can use. */
export const serviceentryEndpointAddress: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-address",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every endpoint has an address that the resolution can use",
		why: "istiod or the API server refuses the object: STATIC takes IP addresses, DNS takes names and IP addresses.",
		fix: "Write resolution: DNS for a name, without scheme, port or path.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateWorkloadEntry",
			"istio/istio pkg/config/validation/validation.go: ValidateUnixAddress",
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
				resolution: "DNS",
				endpoints: [{ address: "eu.api.example.com" }],
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
				resolution: "STATIC",
				endpoints: [{ address: "eu.api.example.com" }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return validateEndpointAddresses(entry);
	},
};

/** Addresses of endpoints that istiod refuses (validateWorkloadEntry for STATIC; the DNS part of ValidateServiceEntry). */
function* validateEndpointAddresses(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { resolution, endpoints, ports } = specOf(entry);
	for (const [index, endpoint] of endpoints.entries()) {
		const address = endpoint.address ?? "";
		const path = ["spec", "endpoints", index, "address"];
		const isStatic = resolution === "STATIC";
		if (!isAddressed(endpoint) || isUnlocated(endpoint, resolution)) {
			yield {
				path,
				istiodMessage: "address is required",
				message: "The endpoint has neither an address nor a network",
				hint: "Write the endpoint's IP address",
			};
		} else if (address.startsWith(unixPrefix)) {
			yield* validateUnixAddress(endpoint, index, resolution);
		} else if (isStatic && address === "") {
			yield {
				path,
				istiodMessage: `address is unset with network ${goQuote(endpoint.network ?? "")}`,
				severity: "warning",
				message: `The endpoint has no address, only the network ${quote(endpoint.network)}`,
				hint: "Write the endpoint's IP address unless the network has a gateway that Istio knows",
			};
		} else if (isStatic && !isIPAddress(address)) {
			yield {
				path,
				istiodMessage: `endpoint address ${goQuote(address)} is not a valid IP address`,
				message: `Resolution STATIC takes IP addresses, and ${quote(address)} is none`,
				hint: "Write resolution: DNS for a name, or the IP address",
			};
		} else if (resolvesByDns(resolution) && !isIPAddress(address) && findFqdnFault(address) !== undefined) {
			yield unresolvable(path, address);
		}
		if (isStatic && address.startsWith(unixPrefix) && new Set(ports.map(({ name }) => name)).size !== 1) {
			yield {
				path: ["spec", "ports"],
				istiodMessage: "exactly 1 service port required for unix endpoints",
				message: `A Unix socket has room for one port, and the ServiceEntry has ${ports.length}`,
				hint: "Keep one port",
			};
		}
	}
}

function unresolvable(path: readonly (string | number)[], address: string): ValidationProblem {
	return {
		path,
		istiodMessage: `endpoint address ${goQuote(address)} is not a valid FQDN or an IP address`,
		message:
			address === ""
				? "The endpoint has no address to look up"
				: `${quote(address)} is neither a DNS name nor an IP address`,
		hint: "Write a name such as api.example.com, without scheme, port or path",
	};
}

// CEL: has(self.address) || has(self.network); an empty text is there.
function isAddressed({ address, network }: WorkloadEntrySpec): boolean {
	return (address !== undefined && address !== null) || (network !== undefined && network !== null);
}

function* validateUnixAddress(
	endpoint: WorkloadEntrySpec,
	index: number,
	resolution: string,
): Iterable<ValidationProblem> {
	const address = endpoint.address ?? "";
	const socket = address.slice(unixPrefix.length);
	const path = ["spec", "endpoints", index, "address"];
	if (resolvesByDns(resolution)) {
		yield unresolvable(path, address);
	} else if (socket === "" || !(socket.startsWith("/") || socket.startsWith("@")) || socket.endsWith("/")) {
		// The CRD refuses an abstract socket that ends in a slash, istiod does not.
		const isAbstract = socket.startsWith("@");
		yield {
			path,
			...(isAbstract
				? {}
				: {
						istiodMessage:
							socket === ""
								? "unix address must not be empty"
								: `${socket} is not an absolute path to a file`,
					}),
			message: `${quote(address)} does not name a socket`,
			hint: "Write unix:// and an absolute path to a file, or unix://@ and the name of an abstract socket",
		};
	}
	if (endpoint.ports !== undefined && endpoint.ports !== null) {
		yield {
			path: ["spec", "endpoints", index, "ports"],
			...(resolution === "STATIC" && Object.keys(endpoint.ports).length > 0
				? { istiodMessage: `unix endpoint ${address} must not include ports` }
				: {}),
			message: "A Unix socket has no ports",
			hint: "Remove the ports of this endpoint",
		};
	}
}
