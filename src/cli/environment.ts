import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** What Waymark takes from its environment; the only place that reads it. */
export interface Environment {
	/** Where the API server is, inside a pod. */
	readonly kubernetesHost: string | undefined;
	readonly kubernetesPort: string | undefined;
	readonly podName: string | undefined;
	readonly podNamespace: string | undefined;
	readonly logLevel: string;
	/** The kubeconfig files for verbs that look at a cluster, in the order in which they count; some may not be there. */
	readonly kubeconfigs: readonly string[];
	readonly continuousIntegration: boolean;
	/** All of it, for a program that a kubeconfig names: an exec plugin finds its own settings there. */
	readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Reads the environment once, at start. */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
	return {
		kubernetesHost: variables.KUBERNETES_SERVICE_HOST,
		kubernetesPort: variables.KUBERNETES_SERVICE_PORT,
		podName: variables.POD_NAME,
		podNamespace: variables.POD_NAMESPACE,
		logLevel: variables.WAYMARK_LOG_LEVEL ?? "info",
		kubeconfigs: variables.KUBECONFIG
			? variables.KUBECONFIG.split(delimiter)
			: [join(homedir(), ".kube", "config")],
		continuousIntegration: variables.CI !== undefined && variables.CI !== "",
		variables,
	};
}
