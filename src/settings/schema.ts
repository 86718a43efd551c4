const strings = { type: "array", items: { type: "string", minLength: 1 } } as const;

/** JSON Schema (draft 2020-12) of the cluster configuration; published as docs/schemas/config.schema.json. */
export const settingsSchema: Readonly<Record<string, unknown>> = {
	$schema: "https://json-schema.org/draft/2020-12/schema",
	$id: "https://waymark.dev/schemas/config.schema.json",
	title: "Waymark cluster configuration",
	type: "object",
	additionalProperties: false,
	properties: {
		defaults: {
			description: "For namespaces that say nothing",
			type: "object",
			additionalProperties: false,
			properties: {
				mode: { enum: ["enforce", "warn", "audit", "off"], description: "What follows from a finding" },
				ambient: {
					enum: ["enforced", "permitted"],
					description: "Absent: enforced exactly where Istio calls the namespace ambient",
				},
				waypoint: {
					type: "string",
					description: "NAMESPACE/NAME of the waypoint for external entries, or none",
				},
			},
		},
		limits: {
			description: "What no namespace may exceed",
			type: "object",
			additionalProperties: false,
			properties: {
				allowedHosts: { ...strings, description: "host, *.suffix; ${namespace} stands for the namespace" },
				deniedHosts: { ...strings, description: "Wins over allowedHosts" },
				allowedPorts: {
					type: "array",
					items: { type: ["string", "integer"] },
					description: "443, 8000-8099, 443/TLS",
				},
				allowedProtocols: { ...strings, description: "Istio's protocol names, any case" },
				deniedAddresses: {
					...strings,
					description:
						"IP addresses or CIDRs that no entry may name; absent: link-local, loopback, Istio's own",
				},
				wildcardMinimumLabels: {
					type: "integer",
					minimum: 0,
					maximum: 10,
					description: "Labels after the *. of a wildcard host; absent: 2",
				},
			},
		},
		egressGateways: {
			description: "How sidecar-style egress gateways are recognised, on top of Istio's own",
			type: "object",
			additionalProperties: false,
			properties: {
				labels: {
					type: "array",
					items: { type: "object", minProperties: 1, additionalProperties: { type: "string" } },
					description: "Label sets of gateway workloads",
				},
				services: { ...strings, description: "NAME or NAMESPACE/NAME of gateway Services" },
			},
		},
		waypoints: {
			type: "object",
			additionalProperties: false,
			properties: {
				controllers: { ...strings, description: "Controller names of waypoint classes beside Istio's own" },
				whenMissing: {
					enum: ["deny", "warn"],
					description: "What to do when a named waypoint does not exist; absent: deny",
				},
			},
		},
		istioVersion: { type: "string", pattern: "^1\\.[0-9]{1,3}$", description: "Istio's minor version: 1.30" },
		clusterDomain: {
			type: "string",
			pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
			description: "Absent: cluster.local",
		},
		exemptNamespaces: {
			...strings,
			description:
				"Namespaces that are not judged at all, besides kube-system, kube-public and kube-node-lease",
		},
		policyEditors: {
			description:
				"Who may write egress.waymark.dev annotations; absent: everybody who may edit the namespace",
			type: "object",
			additionalProperties: false,
			properties: { users: strings, groups: strings },
		},
		severities: {
			description: "Rule id to severity",
			type: "object",
			additionalProperties: { enum: ["error", "warning", "info", "off"] },
		},
	},
};
