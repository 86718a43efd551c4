import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasSelector } from "../../istio/entry/facts.ts";
import { goQuote } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

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
		return validateWorkloadSelector(entry);
	},
};

/** What istiod says about the selector of an entry (ValidateAlphaWorkloadSelector); an error hides all others. */
function* validateWorkloadSelector(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { selector, resolution } = specOf(entry);
	if (selector === undefined) {
		return;
	}
	for (const [key, value] of Object.entries(selector)) {
		const path = ["spec", "workloadSelector", "labels", key];
		const pair = goQuote(`${key}=${value}`);
		if (key === "") {
			yield {
				path,
				istiodMessage: `empty key is not supported in selector: ${pair}`,
				message: "The selector has a label without a key",
				hint: "Name the label or remove it",
			};
		}
		if (key.includes("*") || value.includes("*")) {
			yield {
				path,
				istiodMessage: `wildcard is not supported in selector: ${pair}`,
				message: `The selector has a wildcard in ${quote(`${key}=${value}`)}, and labels are compared as they are`,
				hint: "Write the label's full key and value",
			};
		}
	}
	if (Object.keys(selector).length === 0) {
		yield {
			path: ["spec", "workloadSelector"],
			severity: "warning",
			istiodMessage:
				"service entry: workload selector specified without labels, will be applied to all services in namespace",
			message: "The selector has no labels, so it selects every workload of the namespace",
			hint: "Name the labels, or remove workloadSelector",
		};
	}
	if (resolution === "NONE") {
		yield {
			path: ["spec", "workloadSelector"],
			severity: "warning",
			istiodMessage: "workloadSelector should not be set when resolution mode is NONE",
			message: "Resolution NONE sends traffic where it was going anyway, so the selector has no effect",
			hint: "Write resolution: STATIC, or remove workloadSelector",
		};
	}
}
