import { canonicalHost } from "./host-pattern.ts";

/** A Service by namespace and name. */
export interface ServiceName {
	readonly namespace: string;
	readonly name: string;
	/** The host was `NAME.NAMESPACE`, which Istio takes for a complete host name and people for a Service. */
	readonly partial: boolean;
}

/**
 * The Service that a host means, as people write them: `NAME` in the object's own namespace, `NAME.NAMESPACE`,
 * `NAME.NAMESPACE.svc` and anything behind it; undefined when it cannot be one. Istio itself completes only the
 * first form (pilot/pkg/model/config.go: ResolveShortnameToFQDN).
 */
export function serviceOfHost(host: string, namespace: string): ServiceName | undefined {
	const labels = canonicalHost(host).split(".");
	const [name, second, third] = labels;
	if (name === undefined || name === "" || name.startsWith("*")) {
		return undefined;
	}
	if (second === undefined) {
		return { namespace, name, partial: false };
	}
	if (third === "svc") {
		return { namespace: second, name, partial: false };
	}
	return labels.length === 2 ? { namespace: second, name, partial: true } : undefined;
}

/** The name under which a gateway stands for the sidecars themselves. */
export const meshGateway = "mesh";

/**
 * The Gateway that a VirtualService means, as NAMESPACE/NAME, or `mesh` (Istio pilot/pkg/model/config.go:
 * resolveGatewayName): `NAME`, `./NAME`, `NAMESPACE/NAME` and the old `NAME.NAMESPACE`.
 */
export function gatewayOfReference(reference: string, namespace: string): string {
	if (reference === meshGateway) {
		return meshGateway;
	}
	const slash = reference.indexOf("/");
	if (slash >= 0) {
		const prefix = reference.slice(0, slash);
		return prefix === "." || prefix === "" ? `${namespace}${reference.slice(slash)}` : reference;
	}
	const [name, second] = reference.split(".");
	return second === undefined ? `${namespace}/${reference}` : `${second}/${name}`;
}
