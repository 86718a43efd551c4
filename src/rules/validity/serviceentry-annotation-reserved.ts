import type { Rule } from "../../core/rule.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { complaintsOfAnnotations } from "./entry-rest.ts";

/** The object carries no annotation that istiod refuses on sight. */
export const serviceentryAnnotationReserved: Rule<"ServiceEntry"> = {
	id: "serviceentry-annotation-reserved",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The object carries no annotation that istiod refuses on sight",
		why: "istiod's webhook refuses the object for the annotation alone and then reports none of its other mistakes.",
		fix: "Remove the annotation.",
		sources: ["istio/istio pkg/config/validation/validation.go: validateMetadata"],
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
			metadata: { name: "payments", namespace: "shop", annotations: { "istio.io/dry-run": "true" } },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasIstioMetadata,
	check(entry, { namespace, name }) {
		return complaintsOfAnnotations(entry, { namespace, name: name ?? "" });
	},
};
