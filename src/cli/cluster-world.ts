import { ClusterState } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";

/** How long a cluster may take to list everything, in milliseconds. */
const deadlineMs = 60_000;

/** Reads the objects of some kinds from the cluster that a kubeconfig names, once and read-only. */
export async function readCluster(
	kubeconfig: string,
	kinds: readonly Kind[],
	settings: Settings,
): Promise<ClusterState> {
	// Loaded here, so that a verb that only reads files does not pay for it.
	const [{ connect }, { kubeconfigCredentials }, { startFeed }, { readMesh }] = await Promise.all([
		import("../kube/connection.ts"),
		import("../kube/credentials.ts"),
		import("../kube/feed.ts"),
		import("../kube/mesh.ts"),
	]);
	const state = new ClusterState(settings);
	const connection = connect(await kubeconfigCredentials(kubeconfig));
	const silent = { info: () => {}, warn: () => {} };
	try {
		state.learn((await readMesh(connection)).facts);
		const feed = startFeed({ connection, kinds, sink: state, log: silent });
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

function lateError(server: string): Error {
	return new Error(
		`Cannot read the cluster ${server}: it did not list everything within ${deadlineMs / 1000} s`,
	);
}
