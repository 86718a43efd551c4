import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasSeveralHosts } from "../../istio/entry/facts.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { resolvesByDns } from "./endpoints.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Several hosts share a port only where the protocol names the host. */
export const serviceentryHostProtocol: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-protocol",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Several hosts share a port only where the protocol names the host",
		why: "A TCP connection carries no host name, so Istio could not tell which host of the ServiceEntry it is for. istiod refuses the object, or warns where explicit addresses are shared.",
		fix: "Write one ServiceEntry for each host, or declare a protocol that names the host: HTTP, HTTP2, GRPC, HTTPS or TLS.",
		sources: ["istio/istio pkg/config/validation/validation.go: ValidateServiceEntry"],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com", "www.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["db1.example.com", "db2.example.com"],
				ports: [{ number: 5432, name: "postgres", protocol: "TCP" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasSeveralHosts,
	check(entry) {
		return validateSeveralHosts(entry);
	},
};

/** Several hosts where the protocol does not tell them apart (at the end of ValidateServiceEntry, and of its DNS part). */
function* validateSeveralHosts(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { hosts, resolution, ports, addresses } = specOf(entry);
	if (hosts.length < 2) {
		return;
	}
	const index = ports.findIndex(
		({ protocol }) => !isProtocolOf("http", protocol) && !isProtocolOf("tls", protocol),
	);
	if (resolution !== "NONE" && index >= 0) {
		const protocol = ports[index]?.protocol ?? "";
		yield {
			path: ["spec", "ports", index, "protocol"],
			istiodMessage: "multiple hosts provided with non-HTTP, non-TLS ports",
			message: `With ${protocol === "" ? "no protocol" : `protocol ${quote(protocol)}`} nothing in a connection says which of the ${hosts.length} hosts is meant`,
			hint: "Write one ServiceEntry for each host, or a protocol that names the host: HTTP, HTTP2, GRPC, HTTPS, TLS",
		};
	}
	if (
		resolvesByDns(resolution) &&
		addresses.length > 0 &&
		ports.some(({ protocol }) => isProtocolOf("tcp", protocol))
	) {
		yield {
			path: ["spec", "hosts"],
			istiodMessage:
				"service entry can not have more than one host specified simultaneously with address and tcp port",
			severity: "warning",
			message: "Several hosts share the same addresses on a TCP port, so Istio cannot tell them apart",
			hint: "Write one ServiceEntry for each host, or leave out addresses so that each host gets its own",
		};
	}
}
