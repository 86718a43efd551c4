import type { ClusterState } from "../core/cluster-state.ts";
import type { Kind } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import { readManifests, worldOf } from "../manifests/read.ts";
import { rules } from "../rules/table.ts";
import { loadSettings } from "../settings/read.ts";
import { readCluster } from "./cluster-world.ts";
import { readEnvironment } from "./environment.ts";
import type { Streams } from "./verb.ts";
import { UsageError } from "./verb.ts";

/** Where a verb that looks at a whole world finds it. */
export interface WorldOptions {
	readonly paths: readonly string[];
	readonly cluster: boolean;
	readonly kubeconfig: string | undefined;
	readonly config: string | undefined;
}

/** What parseArgs must know of them. */
export const worldArguments: {
	readonly cluster: { readonly type: "boolean"; readonly default: false };
	readonly kubeconfig: { readonly type: "string" };
	readonly config: { readonly type: "string" };
} = {
	cluster: { type: "boolean", default: false },
	kubeconfig: { type: "string" },
	config: { type: "string" },
};

/** The lines of a verb's usage that are about them. */
export const worldUsage: string = `  --cluster           look at a live cluster, read-only, instead of files
  --kubeconfig FILE   the cluster; else KUBECONFIG, else ~/.kube/config
  --config FILE       the cluster configuration`;

/** Reads the world that a verb was given; undefined when some of it cannot be read, which is then said. */
export async function readWorld(
	verb: string,
	{ paths, cluster, kubeconfig, config }: WorldOptions,
	kinds: readonly Kind[],
	streams: Streams,
): Promise<ClusterState | undefined> {
	if (cluster && paths.length > 0) {
		throw new UsageError("--cluster looks at what is in the cluster: it takes no files");
	}
	if (!cluster && paths.length === 0) {
		throw new UsageError(`${verb} needs files to read, or --cluster`);
	}
	const settings: Settings =
		config === undefined ? defaultSettings : loadSettings(config, new Set(rules.map((rule) => rule.id)));
	if (cluster) {
		return await readCluster(kubeconfig ?? readEnvironment().kubeconfig, kinds, settings);
	}
	const { manifests, unreadable } = readManifests(paths);
	for (const { file, line, message } of unreadable) {
		streams.error(`waymark: ${file}:${line}: ${message}\n`);
	}
	return unreadable.length > 0 ? undefined : worldOf(manifests, settings);
}

/** The day in UTC, as YYYY-MM-DD. */
export function readToday(): string {
	return new Date().toISOString().slice(0, 10);
}

/** What reach depends on. */
export const reachKinds: readonly Kind[] = [
	"ServiceEntry",
	"KubernetesGateway",
	"GatewayClass",
	"Namespace",
	"Service",
	"DestinationRule",
	"BackendTLSPolicy",
	"AuthorizationPolicy",
];
