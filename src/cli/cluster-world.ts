import { Document } from "yaml";
import { ClusterState } from "../core/cluster-state.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import type { Manifest, Position } from "../manifests/read.ts";
import { readEnvironment } from "./environment.ts";

/** How long a cluster may take to list everything, in milliseconds. */
const deadlineMs = 60_000;

/** Reads the objects of some kinds from the cluster that a kubeconfig names, once and read-only. */
export async function readCluster(
	kubeconfig: string,
	followed: readonly Kind[],
	settings: Settings,
): Promise<ClusterState> {
	// Loaded here, so that a verb that only reads files does not pay for it.
	const [{ connect }, { kubeconfigCredentials }, { startFeed }, { readMesh }] = await Promise.all([
		import("../kube/client/connection.ts"),
		import("../kube/client/credentials.ts"),
		import("../kube/watch/feed.ts"),
		import("../kube/watch/mesh.ts"),
	]);
	const state = new ClusterState(settings);
	const connection = connect(await kubeconfigCredentials(kubeconfig, undefined, readEnvironment().variables));
	const silent = { info: () => {}, warn: () => {} };
	try {
		state.learn((await readMesh(connection)).facts);
		const feed = startFeed({ connection, kinds: followed, sink: state, log: silent });
		try {
			const late = AbortSignal.timeout(deadlineMs);
			await Promise.race([
				feed.synced,
				new Promise((_, reject) =>
					late.addEventListener("abort", () => reject(lateError(connection.server))),
				),
			]);
		} finally {
			await feed.stop();
		}
	} finally {
		await connection.stop();
	}
	return state;
}

/** The objects of a cluster as if each were a file of one line, so that they are judged and reported like files. */
export function clusterManifests(state: ClusterState, followed: readonly Kind[]): readonly Manifest[] {
	const start: Position = { line: 1, column: 1 };
	return followed.flatMap((kind) => {
		const { group, versions, kind: name } = kinds[kind];
		const apiVersion = group === "" ? versions[0] : `${group}/${versions[0]}`;
		return [...state.all(kind)].map(
			(object): Manifest => ({
				file: `cluster/${object.metadata?.namespace ?? ""}/${name}/${object.metadata?.name ?? ""}`.replace(
					"//",
					"/",
				),
				source: { text: "", place: () => start },
				kind,
				// What a watch keeps has no type of its own.
				object: { ...object, apiVersion: object.apiVersion ?? apiVersion, kind: object.kind ?? name },
				document: new Document(),
				prefix: [],
				position: () => start,
			}),
		);
	});
}

function lateError(server: string): Error {
	return new Error(
		`Cannot read the cluster ${server}: it did not list everything within ${deadlineMs / 1000} s`,
	);
}
