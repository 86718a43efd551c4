import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { findLabelFaults } from "../../istio/entry/hosts.ts";
import { isUnlocated, resolvesByDns } from "./endpoints.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** The labels of an endpoint are labels as Kubernetes knows them. */
export const serviceentryEndpointLabel: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-label",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The labels of an endpoint are labels as Kubernetes knows them",
		why: "istiod refuses the object.",
		fix: "Write keys and values of letters, digits, inner hyphens, dots and underscores.",
		sources: ["istio/istio pkg/config/labels/instance.go: Validate"],
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
				endpoints: [{ address: "eu.api.example.com", labels: { region: "eu" } }],
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
				endpoints: [{ address: "eu.api.example.com", labels: { region: "eu west" } }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return validateEndpointLabels(entry);
	},
};

/** Labels of endpoints that istiod refuses (labels.Instance.Validate). */
function* validateEndpointLabels(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { resolution, endpoints } = specOf(entry);
	if (resolution !== "STATIC" && !resolvesByDns(resolution)) {
		return;
	}
	for (const [index, endpoint] of endpoints.entries()) {
		if (isUnlocated(endpoint, resolution)) {
			continue;
		}
		for (const [key, value] of Object.entries(endpoint.labels ?? {})) {
			for (const fault of findLabelFaults(key, value)) {
				yield {
					path: ["spec", "endpoints", index, "labels", key],
					istiodMessage: fault.istiodMessage,
					message: `The label ${quote(key)} of an endpoint ${fault.reason}`,
					hint: "Write keys and values as for a Pod: letters, digits, inner hyphens, dots and underscores",
				};
			}
		}
	}
}
