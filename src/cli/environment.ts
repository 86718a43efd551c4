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
	/** Whether to colour, by FORCE_COLOR and NO_COLOR (no-color.org); undefined: where a terminal shows colours. */
	readonly colour: boolean | undefined;
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
		colour: readColour(variables),
		variables,
	};
}

/** As Node.js reads them: FORCE_COLOR counts first, with any value but 0 and false. */
function readColour({ FORCE_COLOR: force, NO_COLOR: none }: NodeJS.ProcessEnv): boolean | undefined {
	if (force !== undefined) {
		return force !== "0" && force !== "false";
	}
	return none === undefined || none === "" ? undefined : false;
}
