import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { parseProtocol } from "../../core/port-range.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Every protocol is one that Istio knows. */
export const serviceentryPortProtocol: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-protocol",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every protocol is one that Istio knows",
		why: "istiod refuses the object.",
		fix: "Write HTTP, HTTP2, GRPC, HTTPS, TLS or TCP. A WebSocket is HTTP, HTTP/2 without TLS is HTTP2, anything encrypted is TLS.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateProtocol",
			"istio/istio pkg/config/protocol/instance.go",
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
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "wss", protocol: "WSS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return validatePortProtocols(entry);
	},
};

/** Protocols that Istio does not know (ValidateProtocol); none at all is allowed. */
function* validatePortProtocols(entry: ServiceEntry): Iterable<ValidationProblem> {
	for (const [index, { protocol }] of specOf(entry).ports.entries()) {
		if (protocol !== "" && parseProtocol(protocol) === undefined) {
			yield {
				path: ["spec", "ports", index, "protocol"],
				istiodMessage: `unsupported protocol: ${protocol}`,
				message: `${quote(protocol)} is not a protocol that Istio knows`,
				hint: "Write HTTP, HTTP2, GRPC, HTTPS, TLS or TCP; a WebSocket is HTTP, anything encrypted is TLS",
			};
		}
	}
}
