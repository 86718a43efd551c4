import type { Rule } from "../../core/rule.ts";
import { isUnusual } from "../../istio/entry/facts.ts";
import { complaintsOfSchema } from "./crd-schema.ts";

/** The object has the fields, types and limits that the CRD's schema asks for. */
export const serviceentrySchema: Rule<"ServiceEntry"> = {
	id: "serviceentry-schema",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	seesAnyShape: true,
	docs: {
		summary: "The object has the fields, types and limits that the CRD's schema asks for",
		why: "The API server refuses the object, so nothing is applied. In a pipeline that goes on after an error the host stays unknown to the mesh, and its traffic leaves without any waypoint.",
		fix: "Write the field as the ServiceEntry reference describes it: right name, right type, one of the allowed words.",
		sources: ["istio.io/api kubernetes/customresourcedefinitions.gen.yaml"],
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
				location: "EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: isUnusual,
	check(entry) {
		return complaintsOfSchema(entry);
	},
};
