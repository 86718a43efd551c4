import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** The resolution leaves room for the endpoints. */
export const serviceentryEndpointList: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-list",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: true,
	docs: {
		summary: "The resolution leaves room for the endpoints",
		why: "The API server or istiod refuses the object. Most often resolution is missing: then it is NONE, which takes no endpoints.",
		fix: "Write resolution: STATIC for IP addresses or DNS for names.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
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
				resolution: "STATIC",
				endpoints: [{ address: "203.0.113.10" }],
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
				endpoints: [],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return validateEndpointList(entry);
	},
};

/** Endpoints where the resolution, or a selector, leaves no room for them (ValidateServiceEntry; CEL of the CRD). */
function* validateEndpointList(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { resolution, endpoints, hasEndpoints, selector } = specOf(entry);
	const path = ["spec", "endpoints"];
	const empty = hasEndpoints && endpoints.length === 0;
	const fix = empty ? { fix: [{ op: "remove" as const, path }] } : {};
	if (hasEndpoints && selector !== undefined) {
		yield {
			path,
			...fix,
			message:
				"Both endpoints and workloadSelector say where the traffic goes, and Istio takes only one of them",
			hint: empty
				? "Remove the empty endpoints"
				: "Keep endpoints for external hosts and remove workloadSelector",
		};
	}
	if (hasEndpoints && resolution === "NONE") {
		const absent = entry.spec?.resolution === undefined || entry.spec.resolution === null;
		yield {
			path,
			...fix,
			istiodMessage: "no endpoints should be provided for resolution type none",
			message: `Resolution NONE${absent ? ", which holds where none is written," : ""} sends traffic where it was going anyway, so endpoints are refused`,
			hint: empty
				? "Remove the empty endpoints"
				: "Write resolution: STATIC for IP addresses or DNS for names",
		};
	}
	if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
		yield {
			path,
			istiodMessage: "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN",
			message: `Resolution DNS_ROUND_ROBIN takes one endpoint, and there are ${endpoints.length}`,
			hint: "Keep one endpoint or write resolution: DNS",
		};
	}
}
