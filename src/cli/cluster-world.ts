import { Document } from "yaml";
import { ClusterState } from "../core/cluster-state.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import type { Manifest, Position } from "../manifests/read.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { withCluster } from "./cluster-access.ts";

/** Reads the objects of some kinds from a cluster, once and read-only. */
export function readCluster(
	access: ClusterAccess,
	followed: readonly Kind[],
	settings: Settings,
): Promise<ClusterState> {
	return withCluster(access, async (connection) => {
		// Loaded here, so that a verb that only reads files does not pay for it.
		const [{ readMesh }, { readOnce }] = await Promise.all([
			import("../kube/watch/mesh.ts"),
			import("../kube/watch/read-once.ts"),
		]);
		const state = new ClusterState(settings);
		const [mesh] = await Promise.all([readMesh(connection), readOnce(connection, followed, state)]);
		state.learn(mesh.facts);
		return state;
	});
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
				source: { text: "", positionAt: () => start },
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
