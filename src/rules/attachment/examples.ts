import type { AnyObject, ObjectReference, ServiceEntry } from "../../core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An entry whose requests the waypoint reads, and for which it originates TLS. */
export const httpEntry: ServiceEntry = withSpec(boundEntry, {
	ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
});

/** A team's namespace, the shared waypoint, and the entry that is bound to it. */
export const sharedWaypoint: readonly AnyObject[] = [
	teamNamespace,
	egressNamespace,
	egressWaypoint,
	httpEntry,
];

/** A waypoint of the team's own, and the entry `local` that is bound to it. */
export const ownWaypoint: readonly AnyObject[] = [
	{
		...egressWaypoint,
		metadata: { name: "own", namespace: "team" },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
		},
	} as AnyObject,
	{
		...httpEntry,
		metadata: { name: "local", namespace: "team", labels: { "istio.io/use-waypoint": "own" } },
	},
];

/** The reference to a ServiceEntry. */
export function toEntry(name: string): ObjectReference {
	return { group: "networking.istio.io", kind: "ServiceEntry", name };
}

/** The reference to a waypoint's Gateway. */
export const toEgress: ObjectReference = {
	group: "gateway.networking.k8s.io",
	kind: "Gateway",
	name: "egress",
};

/** What the security team allows at the waypoint: to read, and nothing else. */
export const readOnly: AnyObject = {
	apiVersion: "security.istio.io/v1",
	kind: "AuthorizationPolicy",
	metadata: { name: "read-only", namespace: "istio-egress" },
	spec: {
		targetRefs: [toEgress],
		action: "ALLOW",
		rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
	},
} as AnyObject;

/** A cluster where the security team writes the policies, and a developer who asks. */
export const editors: { readonly policyEditors: { readonly groups: readonly string[] } } = {
	policyEditors: { groups: ["security-team"] },
};
/** Somebody who is no policy editor. */
export const developer: { readonly username: string; readonly groups: readonly string[] } = {
	username: "mallory",
	groups: ["developers"],
};
