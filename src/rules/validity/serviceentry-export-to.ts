import type { Rule } from "../../core/rule.ts";
import { hasExportTo } from "../../istio/entry/facts.ts";
import { complaintsOfExportTo } from "./entry-rest.ts";

/** The list exportTo names namespaces, each once, and does not contradict itself. */
export const serviceentryExportTo: Rule<"ServiceEntry"> = {
	id: "serviceentry-export-to",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: true,
	docs: {
		summary: "The list exportTo names namespaces, each once, and does not contradict itself",
		why: "istiod refuses the object.",
		fix: "Leave exportTo out: ambient ignores it, so it scopes nothing.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateExportTo",
			"istio/istio pkg/config/visibility/visibility.go",
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
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
				exportTo: [".", "."],
			},
		},
	},
	when: hasExportTo,
	check(entry, { namespace, name }) {
		return complaintsOfExportTo(entry, { namespace, name: name ?? "" });
	},
};
