import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { isDnsLabel } from "../../istio/entry/hosts.ts";
import { isPortNumber } from "../../istio/entry/ports.ts";
import { isUnlocated, resolvesByDns } from "./endpoints.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** The ports of an endpoint are named after ports of the ServiceEntry. */
export const serviceentryEndpointPort: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-port",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The ports of an endpoint are named after ports of the ServiceEntry",
		why: "istiod refuses the object: an endpoint's port says where a port of the ServiceEntry is found, so the names must agree.",
		fix: "Use the name of a port under spec.ports, or leave the endpoint's ports out.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateWorkloadEntry",
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
				endpoints: [{ address: "eu.api.example.com", ports: { https: 8443 } }],
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
				endpoints: [{ address: "eu.api.example.com", ports: { tls: 8443 } }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return validateEndpointPorts(entry);
	},
};

/** Ports of endpoints that istiod or the CRD refuses. */
function* validateEndpointPorts(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { resolution, endpoints, ports } = specOf(entry);
	const names = new Set(ports.map(({ name }) => name));
	const isRead = resolution === "STATIC" || resolvesByDns(resolution);
	for (const [index, endpoint] of endpoints.entries()) {
		if (isUnlocated(endpoint, resolution)) {
			continue;
		}
		for (const [name, number] of Object.entries(endpoint.ports ?? {})) {
			const path = ["spec", "endpoints", index, "ports", name];
			if (isRead && !names.has(name)) {
				yield undefinedPort(path, name, number, names);
			}
			yield* validateEndpointPort(path, name, number, isRead);
		}
	}
}

function* validateEndpointPort(
	path: Path,
	name: string,
	number: number,
	isRead: boolean,
): Iterable<ValidationProblem> {
	// The CRD allows names of at most 62 characters, istiod of 63.
	if (!isDnsLabel(name) || name.length > 62) {
		yield {
			path,
			...(isRead && !isDnsLabel(name) ? { istiodMessage: `invalid port name: ${name}` } : {}),
			message: `${quote(name)} is not a name for a port`,
			hint: "Write at most 62 letters, digits and inner hyphens, such as https",
		};
	}
	if (Number.isInteger(number) && !isPortNumber(number)) {
		yield {
			path,
			...(isRead ? { istiodMessage: `port number ${number} must be in the range 1..65535` } : {}),
			message: `${number} is not the number of a port`,
			hint: "Write a number from 1 to 65535",
		};
	}
}

function undefinedPort(
	path: Path,
	name: string,
	number: number,
	names: ReadonlySet<string>,
): ValidationProblem {
	const first = [...names].slice(0, 4).map((each) => quote(each));
	return {
		path,
		istiodMessage: `endpoint port ${number} is not defined by the service entry`,
		message: `The endpoint has a port ${quote(name)}, and the ServiceEntry has none of that name`,
		hint: names.size > 0 ? `Use ${first.join(", ")}` : "Add the port",
	};
}
