import type { Rule } from "../../core/rule.ts";
import { hasSelector } from "../../istio/entry/facts.ts";
import { complaintsOfSelector } from "./entry-rest.ts";

/** The workload selector is one that istiod accepts and that selects something on purpose. */
export const serviceentryWorkloadSelector: Rule<"ServiceEntry"> = {
	id: "serviceentry-workload-selector",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The workload selector is one that istiod accepts and that selects something on purpose",
		why: "istiod refuses wildcards and empty keys and then reports nothing else about the object. A selector without labels is accepted and makes every workload of the namespace an endpoint of the host.",
		fix: "External hosts need no selector: list endpoints or let DNS find them. For workloads inside, name the labels in full.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateAlphaWorkloadSelector",
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
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				workloadSelector: { labels: { app: "payments" } },
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				workloadSelector: { labels: { app: "pay*" } },
			},
		},
	},
	when: hasSelector,
	check(entry) {
		return complaintsOfSelector(entry);
	},
};
