import { sidecarRegistryOnly } from "../../../src/rules/sidecar-egress/sidecar-registry-only.ts";
import { testRule } from "../../support/test-rule.ts";

const sidecar = (spec: unknown): object => ({
	apiVersion: "networking.istio.io/v1",
	kind: "Sidecar",
	metadata: { name: "default", namespace: "team" },
	spec,
});
const registryOnly = sidecar({ outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } });

testRule(sidecarRegistryOnly, {
	"warns in a namespace that enforces ambient": {
		object: registryOnly,
		finds: ["warning spec.outboundTrafficPolicy.mode"],
		says: /pods in ambient do not read Sidecars, and ambient has no REGISTRY_ONLY/,
		hints: /NetworkPolicy/,
	},
	"is silent where pods have sidecars": {
		object: registryOnly,
		given: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }],
		finds: [],
	},
	"is silent about ALLOW_ANY, no mode and nothing": {
		object: sidecar({ outboundTrafficPolicy: { mode: "ALLOW_ANY" } }),
		finds: [],
	},
	"is silent without a mode": { object: sidecar({ outboundTrafficPolicy: {} }), finds: [] },
	"is silent without a spec": { object: sidecar(null), finds: [] },
});
