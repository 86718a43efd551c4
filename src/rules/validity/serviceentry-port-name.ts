import type { Rule } from "../../core/rule.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { complaintsOfPortNames } from "./entry-ports.ts";

/** Every port has a name of its own that Istio accepts. */
export const serviceentryPortName: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-name",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every port has a name of its own that Istio accepts",
		why: "istiod or the API server refuses the object.",
		fix: "Give each port a name of at most 63 letters, digits and inner hyphens, such as https.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidatePortName",
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
				ports: [{ number: 443, name: "https_api", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return complaintsOfPortNames(entry);
	},
};
