import { quote } from "../../core/finding.ts";
import type { ServiceEntry, WorkloadEntrySpec } from "../../core/kinds.ts";
import { isIPAddress } from "../../istio/entry/addresses.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { findFqdnFault, findLabelFaults, goQuote, isDnsLabel } from "../../istio/entry/hosts.ts";
import { isPortNumber } from "../../istio/entry/ports.ts";
import type { Complaint } from "./validation-problem.ts";

const unixPrefix = "unix://";

function isDns(resolution: string): boolean {
	return resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
}

/** Endpoints where the resolution, or a selector, leaves no room for them (ValidateServiceEntry; CEL of the CRD). */
export function* complaintsOfEndpointList(entry: ServiceEntry): Iterable<Complaint> {
	const { resolution, endpoints, hasEndpoints, selector } = specOf(entry);
	const path = ["spec", "endpoints"];
	const empty = hasEndpoints && endpoints.length === 0;
	const fix = empty ? { fix: [{ op: "remove" as const, path }] } : {};
	if (hasEndpoints && selector !== undefined) {
		yield {
			path,
			...fix,
			message:
				"Both endpoints and workloadSelector say where the traffic goes, and Istio takes only one of them",
			hint: empty
				? "Remove the empty endpoints"
				: "Keep endpoints for external hosts and remove workloadSelector",
		};
	}
	if (hasEndpoints && resolution === "NONE") {
		const absent = entry.spec?.resolution === undefined || entry.spec.resolution === null;
		yield {
			path,
			...fix,
			said: "no endpoints should be provided for resolution type none",
			message: `Resolution NONE${absent ? ", which holds where none is written," : ""} sends traffic where it was going anyway, so endpoints are refused`,
			hint: empty
				? "Remove the empty endpoints"
				: "Write resolution: STATIC for IP addresses or DNS for names",
		};
	}
	if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
		yield {
			path,
			said: "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN",
			message: `Resolution DNS_ROUND_ROBIN takes one endpoint, and there are ${endpoints.length}`,
			hint: "Keep one endpoint or write resolution: DNS",
		};
	}
}

/** Addresses of endpoints that istiod refuses (validateWorkloadEntry for STATIC; the DNS part of ValidateServiceEntry). */
export function* complaintsOfEndpointAddresses(entry: ServiceEntry): Iterable<Complaint> {
	const { resolution, endpoints, ports } = specOf(entry);
	for (const [index, endpoint] of endpoints.entries()) {
		const address = endpoint.address ?? "";
		const path = ["spec", "endpoints", index, "address"];
		const isStatic = resolution === "STATIC";
		if (!isAddressed(endpoint) || (isStatic && address === "" && (endpoint.network ?? "") === "")) {
			yield {
				path,
				said: "address is required",
				message: "The endpoint has neither an address nor a network",
				hint: "Write the endpoint's IP address",
			};
		} else if (address.startsWith(unixPrefix)) {
			yield* complaintsOfUnixPath(endpoint, index, resolution);
		} else if (isStatic && address === "") {
			yield {
				path,
				said: `address is unset with network ${goQuote(endpoint.network ?? "")}`,
				severity: "warning",
				message: `The endpoint has no address, only the network ${quote(endpoint.network)}`,
				hint: "Write the endpoint's IP address unless the network has a gateway that Istio knows",
			};
		} else if (isStatic && !isIPAddress(address)) {
			yield {
				path,
				said: `endpoint address ${goQuote(address)} is not a valid IP address`,
				message: `Resolution STATIC takes IP addresses, and ${quote(address)} is none`,
				hint: "Write resolution: DNS for a name, or the IP address",
			};
		} else if (isDns(resolution) && !isIPAddress(address) && findFqdnFault(address) !== undefined) {
			yield dnsComplaint(path, address);
		}
		if (isStatic && address.startsWith(unixPrefix) && new Set(ports.map(({ name }) => name)).size !== 1) {
			yield {
				path: ["spec", "ports"],
				said: "exactly 1 service port required for unix endpoints",
				message: `A Unix socket has room for one port, and the ServiceEntry has ${ports.length}`,
				hint: "Keep one port",
			};
		}
	}
}

function dnsComplaint(path: readonly (string | number)[], address: string): Complaint {
	return {
		path,
		said: `endpoint address ${goQuote(address)} is not a valid FQDN or an IP address`,
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

function* complaintsOfUnixPath(
	endpoint: WorkloadEntrySpec,
	index: number,
	resolution: string,
): Iterable<Complaint> {
	const address = endpoint.address ?? "";
	const socket = address.slice(unixPrefix.length);
	const path = ["spec", "endpoints", index, "address"];
	if (isDns(resolution)) {
		yield dnsComplaint(path, address);
	} else if (socket === "" || !(socket.startsWith("/") || socket.startsWith("@")) || socket.endsWith("/")) {
		// The CRD refuses an abstract socket that ends in a slash, istiod does not.
		const isAbstract = socket.startsWith("@");
		yield {
			path,
			...(isAbstract
				? {}
				: {
						said:
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
				? { said: `unix endpoint ${address} must not include ports` }
				: {}),
			message: "A Unix socket has no ports",
			hint: "Remove the ports of this endpoint",
		};
	}
}

/** Ports of endpoints that istiod or the CRD refuses. */
export function* complaintsOfEndpointPorts(entry: ServiceEntry): Iterable<Complaint> {
	const { resolution, endpoints, ports } = specOf(entry);
	const names = new Set(ports.map(({ name }) => name));
	const reads = resolution === "STATIC" || isDns(resolution);
	for (const [index, endpoint] of endpoints.entries()) {
		// istiod looks no further at an endpoint without an address.
		if (resolution === "STATIC" && (endpoint.address ?? "") === "" && (endpoint.network ?? "") === "") {
			continue;
		}
		for (const [name, number] of Object.entries(endpoint.ports ?? {})) {
			const path = ["spec", "endpoints", index, "ports", name];
			if (reads && !names.has(name)) {
				yield {
					path,
					said: `endpoint port ${number} is not defined by the service entry`,
					message: `The endpoint has a port ${quote(name)}, and the ServiceEntry has none of that name`,
					hint:
						names.size > 0
							? `Use ${[...names]
									.slice(0, 4)
									.map((each) => quote(each))
									.join(", ")}`
							: "Add the port",
				};
			}
			// The CRD allows names of at most 62 characters, istiod of 63.
			if (!isDnsLabel(name) || name.length > 62) {
				yield {
					path,
					...(reads && !isDnsLabel(name) ? { said: `invalid port name: ${name}` } : {}),
					message: `${quote(name)} is not a name for a port`,
					hint: "Write at most 62 letters, digits and inner hyphens, such as https",
				};
			}
			if (Number.isInteger(number) && !isPortNumber(number)) {
				yield {
					path,
					...(reads ? { said: `port number ${number} must be in the range 1..65535` } : {}),
					message: `${number} is not the number of a port`,
					hint: "Write a number from 1 to 65535",
				};
			}
		}
	}
}

/** Labels of endpoints that istiod refuses (labels.Instance.Validate). */
export function* complaintsOfEndpointLabels(entry: ServiceEntry): Iterable<Complaint> {
	const { resolution, endpoints } = specOf(entry);
	if (resolution !== "STATIC" && !isDns(resolution)) {
		return;
	}
	for (const [index, endpoint] of endpoints.entries()) {
		if (resolution === "STATIC" && (endpoint.address ?? "") === "" && (endpoint.network ?? "") === "") {
			continue;
		}
		for (const [key, value] of Object.entries(endpoint.labels ?? {})) {
			for (const fault of findLabelFaults(key, value)) {
				yield {
					path: ["spec", "endpoints", index, "labels", key],
					said: fault.said,
					message: `The label ${quote(key)} of an endpoint ${fault.reason}`,
					hint: "Write keys and values as for a Pod: letters, digits, inner hyphens, dots and underscores",
				};
			}
		}
	}
}
