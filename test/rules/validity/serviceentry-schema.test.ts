import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentrySchema } from "../../../src/rules/validity/serviceentry-schema.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentrySchema, {
	"accepts nulls of optional fields, which the API server prunes": {
		object: { ...plainEntry, spec: { ...plainEntry.spec, resolution: null, endpoints: null } },
		given: [],
		finds: [],
	},
	"reports wrong types wherever they are": {
		object: {
			...plainEntry,
			spec: {
				hosts: "api.example.com",
				ports: [{ number: "443", name: "tls" }, null],
				endpoints: [{ weight: -1 }],
			},
		},
		given: [],
		finds: [
			"error spec.endpoints[0].weight",
			"error spec.hosts",
			"error spec.ports[0].number",
			"error spec.ports[1]",
		],
	},
	"reports what is missing": {
		object: { ...plainEntry, spec: { ports: [{ protocol: "TLS" }] } },
		given: [],
		finds: ["error spec.hosts", "error spec.ports[0].number", "error spec.ports[0].name"],
	},
	"counts code points, not bytes": {
		object: {
			...plainEntry,
			spec: { hosts: ["a.example.com"], addresses: ["ü".repeat(64), "ü".repeat(65)] },
		},
		given: [],
		finds: ["error spec.addresses[1]"],
	},
	"judges a spec that is no map": {
		object: { ...plainEntry, spec: "hosts" },
		given: [],
		finds: ["error spec"],
	},
	"refuses a name that no object can have": {
		object: { ...plainEntry, metadata: { ...plainEntry.metadata, name: "PAYMENTS" } },
		given: [],
		finds: ["error metadata.name"],
	},
});
