import type { Settings } from "./settings.ts";

/** The namespaces that Kubernetes makes. Not all of `kube-*`: a tenant may be able to create one of that name. */
export const systemNamespaces: ReadonlySet<string> = new Set([
	"kube-system",
	"kube-public",
	"kube-node-lease",
]);

/** Whether nothing in a namespace is judged: Kubernetes' own are not, nor those that the configuration names. */
export function isExemptNamespace(namespace: string, settings: Settings): boolean {
	return systemNamespaces.has(namespace) || settings.exemptNamespaces.has(namespace);
}
