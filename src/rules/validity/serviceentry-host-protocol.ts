import type { Rule } from "../../core/rule.ts";
import { hasSeveralHosts } from "../../istio/entry/facts.ts";
import { complaintsOfSeveralHosts } from "./entry-hosts.ts";

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
		return complaintsOfSeveralHosts(entry);
	},
};
