import type { GatewayRoute, Namespace, VirtualService } from "../../core/kinds.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

/** A team's namespace that may reach some hosts, through the shared waypoint. */
export const limitedNamespace: Namespace = withAnnotations(teamNamespace, {
	"egress.waymark.dev/waypoint": "istio-egress/egress",
	"egress.waymark.dev/allowed-hosts": "*.payments.example.com",
});

/** A VirtualService for an allowed host that leads to another one. */
export function virtualServiceTo(host: string): VirtualService {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			hosts: ["api.payments.example.com"],
			http: [{ route: [{ destination: { host, port: { number: 443 } } }] }],
		},
	};
}

/** A route for an allowed ServiceEntry that leads to another host. */
export function gatewayRouteTo(kind: string, host: string): GatewayRoute {
	return {
		apiVersion:
			kind === "HTTPRoute" || kind === "GRPCRoute"
				? "gateway.networking.k8s.io/v1"
				: "gateway.networking.k8s.io/v1alpha2",
		kind,
		metadata: { name: "payments", namespace: "team" },
		spec: {
			parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments" }],
			...(kind === "TLSRoute" ? { hostnames: ["api.payments.example.com"] } : {}),
			rules: [{ backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: host, port: 443 }] }],
		},
	};
}
