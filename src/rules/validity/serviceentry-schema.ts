import type { Rule } from "../../core/rule.ts";
import { isUnusual } from "../../istio/entry/facts.ts";
import type { Schema } from "./crd-schema.ts";
import { validateSchema } from "./crd-schema.ts";

const text: Schema = { type: "string" };
const integer: Schema = { type: "integer" };
const upTo = (maxLength: number): Schema => ({ type: "string", maxLength });

// The limits of numbers of ports and everything that the CRD says in CEL stand in the rules about those fields.
const endpoint: Schema = {
	type: "object",
	fields: {
		address: upTo(256),
		labels: { type: "map", of: text, maxProperties: 256 },
		locality: upTo(2048),
		network: upTo(2048),
		ports: { type: "map", of: integer, maxProperties: 128 },
		serviceAccount: upTo(253),
		weight: { type: "integer", maximum: 4294967295 },
	},
};

const port: Schema = {
	type: "object",
	fields: { name: upTo(256), number: integer, protocol: upTo(256), targetPort: integer },
	required: ["number", "name"],
};

const spec: Schema = {
	type: "object",
	fields: {
		addresses: { type: "list", of: upTo(64), maxItems: 256 },
		endpoints: { type: "list", of: endpoint, maxItems: 4096 },
		exportTo: { type: "list", of: text },
		hosts: { type: "list", of: text, minItems: 1, maxItems: 256 },
		location: { type: "string", choices: ["MESH_EXTERNAL", "MESH_INTERNAL"] },
		ports: { type: "list", of: port, maxItems: 256 },
		resolution: {
			type: "string",
			choices: ["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"],
		},
		subjectAltNames: { type: "list", of: text },
		workloadSelector: {
			type: "object",
			fields: { labels: { type: "map", of: upTo(63), maxProperties: 256 } },
		},
	},
	required: ["hosts"],
};

const nameForm = /^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*)?$/;

const stringMap: Schema = { type: "map", of: text };

// istio.io/api kubernetes/customresourcedefinitions.gen.yaml; its three versions share one schema.
const serviceEntrySchema: Schema = {
	type: "object",
	fields: {
		spec,
		// The API server reads metadata itself.
		metadata: {
			type: "object",
			fields: {
				// The API server asks this of every custom resource (k8s.io/apimachinery: NameIsDNSSubdomain).
				name: { type: "string", maxLength: 253, form: nameForm },
				generateName: text,
				namespace: text,
				labels: stringMap,
				annotations: stringMap,
				creationTimestamp: text,
				deletionTimestamp: text,
				generation: integer,
				resourceVersion: text,
				uid: text,
			},
		},
	},
	required: ["spec"],
};

/** The object has the fields, types and limits that the CRD's schema asks for. */
export const serviceentrySchema: Rule<"ServiceEntry"> = {
	id: "serviceentry-schema",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	seesAnyShape: true,
	seesAnySize: true,
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
		return validateSchema(entry, serviceEntrySchema);
	},
};
