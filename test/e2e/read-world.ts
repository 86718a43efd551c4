import { ClusterState } from "../../src/core/cluster-state.ts";
import type { Kind, Resources } from "../../src/core/kinds.ts";
import { kinds } from "../../src/core/kinds.ts";
import { meshFacts } from "../../src/kube/watch/mesh.ts";
import type { ControlPlane } from "./control-plane.ts";

const read: readonly Kind[] = [
	"ServiceEntry",
	"WorkloadEntry",
	"KubernetesGateway",
	"GatewayClass",
	"Namespace",
	"Service",
	"DestinationRule",
	"AuthorizationPolicy",
];

/** The cluster as `--cluster` sees it, the mesh's configuration included. */
export async function readWorld(plane: ControlPlane): Promise<ClusterState> {
	const state = new ClusterState();
	const configMap = await plane.get("ConfigMap", "istio-system", "istio");
	state.learn(await meshFacts(configMap as Parameters<typeof meshFacts>[0], "istio-system"));
	for (const kind of read) {
		const name = kinds[kind].group === "" ? kind : `${kinds[kind].kind}.${kinds[kind].group}`;
		state.replace(kind, (await plane.api.list(name)) as Iterable<Resources[typeof kind]>);
	}
	return state;
}
