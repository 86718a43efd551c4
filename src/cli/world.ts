import type { ClusterState } from "../core/cluster-state.ts";
import type { Kind } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import { readManifests, worldOf } from "../manifests/read.ts";
import { readWhole } from "../manifests/whole-file.ts";
import { rules } from "../rules/table.ts";
import type { ClusterFlags } from "./cluster-access.ts";
import { clusterArguments, clusterUsage, readAccess } from "./cluster-access.ts";
import { readCluster } from "./cluster-world.ts";
import type { Streams } from "./verb.ts";
import { UsageError } from "./verb.ts";

/** The values of the world's flags, as parseArgs gives them. */
export interface WorldFlags extends ClusterFlags {
	readonly config?: string | undefined;
}

/** What parseArgs must know of them. */
export const worldArguments: typeof clusterArguments & { readonly config: { readonly type: "string" } } = {
	...clusterArguments,
	config: { type: "string" },
};

/** For verbs that can show what concerns one namespace, as kubectl does. */
export const namespaceArgument: { readonly namespace: { readonly type: "string"; readonly short: "n" } } = {
	namespace: { type: "string", short: "n" },
};

/** The lines of a verb's usage that are about them. */
export const worldUsage: string = `${clusterUsage}
  --config FILE       the cluster configuration`;

/** Reads the world that a verb was given; undefined when some of it cannot be read, which is then said. */
export async function readWorld(
	verb: string,
	paths: readonly string[],
	flags: WorldFlags,
	kinds: readonly Kind[],
	streams: Streams,
): Promise<ClusterState | undefined> {
	const access = readAccess(flags);
	if (flags.cluster && paths.length > 0) {
		throw new UsageError("--cluster looks at what is in the cluster: it takes no files");
	}
	if (!flags.cluster && paths.length === 0) {
		throw new UsageError(`${verb} needs files to read, or --cluster`);
	}
	const settings = await readSettings(flags.config);
	if (flags.cluster) {
		return await showingProgress(streams, "reading the cluster", () => readCluster(access, kinds, settings));
	}
	const { manifests, unreadable, notes } = readManifests(paths, streams.input);
	for (const { file, line, message } of notes) {
		streams.error(`waymark: note: ${file}:${line}: ${message}\n`);
	}
	for (const { file, line, message } of unreadable) {
		streams.error(`waymark: ${file}:${line}: ${message}\n`);
	}
	return unreadable.length > 0 ? undefined : worldOf(manifests, settings);
}

/** Runs something, and says on a terminal what it is when it takes more than a second. */
export async function showingProgress<T>(
	{ progress }: Streams,
	what: string,
	run: () => Promise<T>,
): Promise<T> {
	let isShown = false;
	const timer = setTimeout(() => {
		isShown = true;
		progress?.(`${what} …`);
	}, 1000);
	try {
		return await run();
	} finally {
		clearTimeout(timer);
		if (isShown) {
			progress?.("");
		}
	}
}

/** The cluster configuration that a verb was given, or the defaults. */
export async function readSettings(file: string | undefined): Promise<Settings> {
	if (file === undefined) {
		return defaultSettings;
	}
	// Loaded here: a schema validator costs a third of the time in which one file is judged.
	const { loadSettings } = await import("../settings/read.ts");
	return loadSettings(file, new Set(rules.map((rule) => rule.id)), readWhole);
}

/** The day in UTC, as YYYY-MM-DD. */
export function readToday(): string {
	return new Date().toISOString().slice(0, 10);
}
