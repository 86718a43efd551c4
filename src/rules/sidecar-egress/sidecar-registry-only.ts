import type { Rule } from "../../core/rule.ts";
import { teamNamespace } from "../examples.ts";

const plain = {
	apiVersion: "networking.istio.io/v1",
	kind: "Sidecar",
	metadata: { name: "default", namespace: "team" },
};

/** A Sidecar of an ambient namespace does not pretend to close the way to unknown hosts. */
export const sidecarRegistryOnly: Rule<"Sidecar"> = {
	id: "sidecar-registry-only",
	kind: "Sidecar",
	family: "sidecar-egress",
	severity: "warning",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "REGISTRY_ONLY in a Sidecar should not be relied on where ambient is enforced",
		why: "Pods in ambient do not read Sidecars, and ambient has no REGISTRY_ONLY: ztunnel passes a connection to a host without a ServiceEntry on as it is. So what the Sidecar seems to forbid is reached directly, past every waypoint. Only a NetworkPolicy or a firewall stops it.",
		fix: "Keep the pods of the namespace from the internet by a NetworkPolicy (waymark export network-policies writes one), and remove the Sidecar.",
		sources: [
			"ztunnel src/proxy/outbound.rs: build_request",
			"istio/istio pkg/config/analysis/msg/messages.yaml: IST0167 IneffectivePolicy",
			"https://github.com/istio/istio/issues/58644",
		],
		since: "0.1.0",
		good: { ...plain, spec: { egress: [{ hosts: ["./*", "istio-system/*"] }] } },
		bad: { ...plain, spec: { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } } },
		given: [teamNamespace],
	},
	*check(sidecar, { policy }) {
		const mode = sidecar.spec?.outboundTrafficPolicy?.mode;
		if (mode === "REGISTRY_ONLY" && policy.ambient === "enforced") {
			yield {
				path: ["spec", "outboundTrafficPolicy", "mode"],
				message:
					"Does nothing here: pods in ambient do not read Sidecars, and ambient has no REGISTRY_ONLY, so hosts without a ServiceEntry are reached directly",
				hint: "Stop them by a NetworkPolicy: waymark export network-policies writes one",
			};
		}
	},
};
