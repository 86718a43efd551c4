import type { Connection } from "../kube/client/connection.ts";
import type { Credentials } from "../kube/client/credentials.ts";
import type { ChosenContext } from "../kube/client/kubeconfig.ts";
import { readEnvironment } from "./environment.ts";
import { UsageError } from "./verb.ts";

/** Which cluster a verb looks at, and as whom. */
export interface ClusterAccess {
	/** The kubeconfig file; undefined: those of KUBECONFIG, else ~/.kube/config, else the pod's service account. */
	readonly kubeconfig: string | undefined;
	/** The context of the kubeconfig; the current one when undefined. */
	readonly context: string | undefined;
	/** Whom to be, by impersonation. */
	readonly as: string | undefined;
	readonly asGroups: readonly string[];
}

/** What parseArgs must know of the cluster's flags, which are kubectl's but for `--context-name`. */
export const clusterArguments: {
	readonly cluster: { readonly type: "boolean"; readonly default: false };
	readonly kubeconfig: { readonly type: "string" };
	readonly "context-name": { readonly type: "string" };
	readonly as: { readonly type: "string" };
	readonly "as-group": { readonly type: "string"; readonly multiple: true; readonly default: [] };
} = {
	cluster: { type: "boolean", default: false },
	kubeconfig: { type: "string" },
	"context-name": { type: "string" },
	as: { type: "string" },
	"as-group": { type: "string", multiple: true, default: [] },
};

/** The lines of a verb's usage that are about them. */
export const clusterUsage: string = `  --cluster           look at a live cluster, read-only, instead of files
  --kubeconfig FILE   the cluster; else the files of KUBECONFIG, else ~/.kube/config, else the pod's service account
  --context-name NAME the context of the kubeconfig; else its current one
  --as USER           impersonate a user, and with --as-group GROUP, which may be repeated, groups`;

/** The values of the cluster's flags, as parseArgs gives them. */
export interface ClusterFlags {
	readonly cluster: boolean;
	readonly kubeconfig?: string | undefined;
	readonly "context-name"?: string | undefined;
	readonly as?: string | undefined;
	readonly "as-group": readonly string[];
}

/** Reads the cluster's flags; throws `UsageError` where one stands alone that needs another. */
export function readAccess(flags: ClusterFlags): ClusterAccess {
	const { cluster, kubeconfig, "context-name": context, as, "as-group": asGroups } = flags;
	if (!cluster && (context !== undefined || as !== undefined || asGroups.length > 0)) {
		throw new UsageError("--context-name, --as and --as-group go with --cluster");
	}
	if (asGroups.length > 0 && as === undefined) {
		throw new UsageError("--as-group goes with --as USER");
	}
	return { kubeconfig, context, as, asGroups };
}

/** The namespace that the chosen context is about; undefined when it names none. */
export async function contextNamespace(access: ClusterAccess): Promise<string | undefined> {
	return (await readChosen(access))?.namespace;
}

/** Connects, reads, and hangs up; what goes wrong is thrown as one line in the API server's words. */
export async function withCluster<T>(
	access: ClusterAccess,
	read: (connection: Connection) => Promise<T>,
): Promise<T> {
	const { connect } = await import("../kube/client/connection.ts");
	const connection = connect(await credentialsOf(access));
	try {
		// What nobody answers, and who is not let in, is noticed here: before twenty lists run into the same.
		await connection.request("GET", "/apis", { deadlineMs: 15_000 });
		return await read(connection);
	} catch (error) {
		const { describeFailure } = await import("../kube/client/failure-words.ts");
		const reason = describeFailure(error);
		throw reason === undefined
			? error
			: new Error(`Cannot read the cluster ${connection.server}: ${reason}`, { cause: error });
	} finally {
		await connection.stop();
	}
}

async function readChosen({ kubeconfig, context }: ClusterAccess): Promise<ChosenContext | undefined> {
	const { readContext } = await import("../kube/client/kubeconfig.ts");
	return readContext({
		files: kubeconfig === undefined ? readEnvironment().kubeconfigs : [kubeconfig],
		mustExist: kubeconfig !== undefined,
		context,
	});
}

async function credentialsOf(access: ClusterAccess): Promise<Credentials> {
	const { contextCredentials, inClusterCredentials, withImpersonation } = await import(
		"../kube/client/credentials.ts"
	);
	const { kubeconfigs, kubernetesHost, kubernetesPort, variables } = readEnvironment();
	const impersonation = access.as === undefined ? undefined : { user: access.as, groups: access.asGroups };
	const chosen = await readChosen(access);
	if (chosen !== undefined) {
		return contextCredentials(chosen, { environment: variables, impersonation });
	}
	if (kubernetesHost === undefined || kubernetesPort === undefined) {
		const places = kubeconfigs.filter(Boolean).join(" or ") || "what KUBECONFIG names";
		throw new Error(
			`Cannot find a cluster: there is no kubeconfig at ${places} (--kubeconfig FILE or KUBECONFIG names one)`,
		);
	}
	const own = inClusterCredentials({ host: kubernetesHost, port: kubernetesPort });
	return withImpersonation(own, impersonation);
}
