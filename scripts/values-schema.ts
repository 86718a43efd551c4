const text = { type: "string" } as const;
const bool = { type: "boolean" } as const;
const anyList = { type: "array", items: { type: "object" } } as const;
/** Kubernetes' own objects that have a name: environment variables, volumes, mounts. */
const named = {
	type: "array",
	items: { type: "object", properties: { name: { type: "string", minLength: 1 } }, required: ["name"] },
} as const;
const anyObject = { type: "object" } as const;
const map = { type: "object", additionalProperties: text } as const;
/** The chart sets these itself; a second key of the same name would make the manifest unreadable. */
const labels = {
	...map,
	propertyNames: {
		not: { pattern: "^(app\\.kubernetes\\.io/(name|instance|version|managed-by)|helm\\.sh/chart)$" },
	},
} as const;
/** Part of the name of a Service. */
const dnsLabel = { type: "string", pattern: "^([a-z]([a-z0-9-]*[a-z0-9])?)?$" } as const;
const names = {
	type: "array",
	items: { type: "string", pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" },
} as const;
const port = { type: "integer", minimum: 1, maximum: 65535 } as const;

function strict(properties: Readonly<Record<string, unknown>>, more: object = {}): object {
	return { type: "object", additionalProperties: false, properties, ...more };
}

/** The JSON Schema of the chart's values (draft 2020-12); `config` is the schema of the cluster configuration. */
export function valuesSchema(config: Readonly<Record<string, unknown>>): object {
	const { $schema, $id: _id, title: _title, ...settings } = config;
	return {
		$schema,
		title: "Values of the Waymark chart",
		...strict(
			{
				// Helm puts it into every chart.
				global: anyObject,
				// A parent chart decides by it whether this one is installed, and hands it down.
				enabled: bool,
				nameOverride: dnsLabel,
				fullnameOverride: dnsLabel,
				commonLabels: labels,
				commonAnnotations: map,
				image: strict({
					registry: { type: "string", pattern: "^[^\\s]*$" },
					repository: { type: "string", minLength: 1 },
					tag: text,
					digest: { type: "string", pattern: "^(sha256:[0-9a-f]{64})?$" },
					pullPolicy: { enum: ["Always", "IfNotPresent", "Never"] },
					pullSecrets: { type: "array", items: strict({ name: text }, { required: ["name"] }) },
				}),
				replicas: { type: "integer", minimum: 0, maximum: 50 },
				config: settings,
				docs: strict({ enabled: bool }),
				audit: strict({ enabled: bool, backfill: { enum: ["off", "report", "apply"] } }),
				istio: strict({ readConfig: bool }),
				certificates: strict({
					mode: { enum: ["self", "cert-manager", "provided"] },
					certManager: strict({
						issuerRef: strict({ kind: text, name: text, group: text }),
						duration: { type: "string", pattern: "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$" },
					}),
					provided: strict({
						secretName: text,
						caBundle: { type: "string", pattern: "^[A-Za-z0-9+/]*={0,2}$" },
					}),
				}),
				tls: strict({
					minVersion: { enum: ["1.2", "1.3"] },
					clientCaConfigMap: text,
					clientNames: { type: "array", items: { type: "string", minLength: 1 } },
				}),
				webhooks: strict({
					url: { type: "string", pattern: "^(https://[^/?#\\s]+/?)?$" },
					timeoutSeconds: { type: "integer", minimum: 1, maximum: 30 },
					failurePolicy: { enum: ["Bootstrap", "Ignore", "Fail"] },
					excludedNamespaces: names,
					annotations: map,
				}),
				backstop: strict({
					mode: { enum: ["off", "validate", "full"] },
					deep: { enum: ["always", "audit"] },
					keep: bool,
					policies: text,
				}),
				service: strict({ port, annotations: map }),
				listenHost: { type: "string", pattern: "^(\\[[0-9a-fA-F:.]+\\]|[^:/\\s]*)$" },
				ports: strict({ webhook: port, operations: port }),
				logLevel: { enum: ["trace", "debug", "info", "warn", "error", "fatal"] },
				hostNetwork: bool,
				resources: anyObject,
				priorityClassName: text,
				podDisruptionBudget: strict({ enabled: bool }),
				podLabels: labels,
				podAnnotations: map,
				deploymentAnnotations: map,
				podSecurityContext: anyObject,
				securityContext: anyObject,
				extraArgs: { type: "array", items: { type: "string", pattern: "^--[a-z]" } },
				extraEnv: named,
				extraVolumes: named,
				extraVolumeMounts: named,
				dnsPolicy: { enum: ["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] },
				dnsConfig: anyObject,
				revisionHistoryLimit: { type: "integer", minimum: 0 },
				nodeSelector: map,
				tolerations: anyList,
				affinity: anyObject,
				topologySpreadConstraints: anyList,
				serviceAccount: strict({ create: bool, name: dnsLabel, annotations: map }),
				networkPolicy: strict({
					enabled: bool,
					apiServerFrom: anyList,
					metricsFrom: anyList,
					apiServerPorts: { type: "array", minItems: 1, items: port },
				}),
				monitoring: strict({
					serviceMonitor: strict({
						enabled: bool,
						labels: map,
						interval: { type: "string", pattern: "^[0-9]+(ms|s|m)$" },
					}),
					prometheusRule: strict({ enabled: bool, labels: map, runbookUrl: text }),
					dashboard: strict({ enabled: bool, labels: map, annotations: map }),
				}),
			},
			{
				// Helm removes what is null, and with --reuse-values brings nothing that an older chart did not have.
				required: [
					"image",
					"replicas",
					"config",
					"audit",
					"istio",
					"certificates",
					"tls",
					"webhooks",
					"backstop",
					"service",
					"listenHost",
					"ports",
					"logLevel",
					"podDisruptionBudget",
					"serviceAccount",
					"networkPolicy",
					"monitoring",
				],
			},
		),
	};
}
