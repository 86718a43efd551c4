import type { Rule } from "../../core/rule.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { complaintsOfPortNumbers } from "./entry-ports.ts";

/** Every port and targetPort is a number from 1 to 65535, and no two ports share one. */
export const serviceentryPortNumber: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-number",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every port and targetPort is a number from 1 to 65535, and no two ports share one",
		why: "The API server refuses the object.",
		fix: "Write the number that clients connect to; leave targetPort out where it is the same.",
		sources: [
			"istio/istio pkg/config/validation/agent/validation.go: ValidatePort",
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
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS", targetPort: 0 }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return complaintsOfPortNumbers(entry);
	},
};
