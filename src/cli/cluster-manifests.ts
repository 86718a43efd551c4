import { stringify } from "yaml";
import { allKinds, kinds } from "../core/kinds.ts";
import type { MeshFacts } from "../core/mesh.ts";
import type { Connection } from "../kube/client/connection.ts";
import type { RawObject, RawResource } from "../kube/client/list-raw.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import type { Reading } from "../manifests/read.ts";
import { joinReadings, parseManifests } from "../manifests/read.ts";
import { serverFields } from "../migrate/entries.ts";
import { fieldsOf, textOf, without } from "../migrate/fields.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { withCluster } from "./cluster-access.ts";

/** A cluster's objects with every field that a person wrote, and what is known about its mesh. */
export interface ClusterReading {
	readonly reading: Reading;
	readonly facts: Partial<MeshFacts>;
	/** Why the mesh configuration could not be read; undefined when it could. */
	readonly problem: string | undefined;
}

/** Kinds that Waymark does not judge and that may belong to an egress gateway. */
const unjudgedKinds: readonly RawResource[] = [
	unjudgedKind("security.istio.io", "PeerAuthentication", "peerauthentications"),
	unjudgedKind("networking.istio.io", "ProxyConfig", "proxyconfigs"),
	unjudgedKind("gateway.networking.k8s.io", "ListenerSet", "listenersets"),
	unjudgedKind("gateway.networking.x-k8s.io", "XListenerSet", "xlistenersets"),
	unjudgedKind("gateway.networking.x-k8s.io", "XBackend", "xbackends"),
];

function unjudgedKind(group: string, kind: string, plural: string): RawResource {
	return { group, kind, plural, versions: ["v1", "v1beta1", "v1alpha3", "v1alpha1"] };
}

/** A cluster's objects as they are, with what servers wrote, and the kinds that were asked for. */
export interface ClusterObjects {
	readonly objects: readonly RawObject[];
	readonly facts: Partial<MeshFacts>;
	/** Why the mesh configuration could not be read; undefined when it could. */
	readonly problem: string | undefined;
	readonly kinds: ReadonlySet<string>;
	/** The wanted objects that this user may not read. */
	readonly forbidden: ReadonlySet<RawObject>;
}

/** Kinds that are not listed, of which single objects are looked at by name; of a Secret the metadata alone. */
const singleKinds: Readonly<Record<string, { readonly group: string; readonly plural: string }>> = {
	Role: { group: "rbac.authorization.k8s.io", plural: "roles" },
	RoleBinding: { group: "rbac.authorization.k8s.io", plural: "rolebindings" },
	Secret: { group: "", plural: "secrets" },
};

/** Lists what takes part in egress in a cluster: once, and with `list` alone. */
export async function readClusterManifests(access: ClusterAccess): Promise<ClusterReading> {
	const { objects, facts, problem } = await listCluster(access);
	const readings = objects.map((object) =>
		parseManifests(stringify(asWritten(object), kubectlYaml), placeOf(object)),
	);
	return { reading: joinReadings(readings), facts, problem };
}

/** Lists the objects of every kind that may take part in egress, and gets those of the wanted ones whose kind is not listed. */
export function listCluster(
	access: ClusterAccess,
	wanted: readonly RawObject[] = [],
): Promise<ClusterObjects> {
	return withCluster(access, async (connection) => {
		// Loaded here, so that a verb that only reads files does not pay for it.
		const [{ readMesh }, { listRaw }] = await Promise.all([
			import("../kube/watch/mesh.ts"),
			import("../kube/client/list-raw.ts"),
		]);
		const { facts, problem } = await readMesh(connection);
		const objects: RawObject[] = [...(await meshConfigMap(connection))];
		const resources = [...allKinds.map((kind) => kinds[kind]), ...unjudgedKinds];
		for (const resource of resources) {
			objects.push(...(await listRaw(connection, resource)));
		}
		const forbidden = new Set<RawObject>();
		for (const object of wanted) {
			const found = await readSingle(connection, object);
			if (found === "forbidden") {
				forbidden.add(object);
			} else if (found !== undefined) {
				objects.push(found);
			}
		}
		const read = [...resources.map(({ kind }) => kind), ...Object.keys(singleKinds)];
		return { objects, facts, problem, kinds: new Set(read), forbidden };
	});
}

/** One object by its name; undefined where there is none, or its kind is listed. */
async function readSingle(
	connection: Connection,
	object: RawObject,
): Promise<RawObject | "forbidden" | undefined> {
	const single = singleKinds[String(object.kind)];
	const { namespace, name } = fieldsOf(object.metadata);
	if (single === undefined || textOf(namespace) === undefined || textOf(name) === undefined) {
		return undefined;
	}
	const { ApiError, resourcePath } = await import("../kube/client/api.ts");
	const path = resourcePath(single.group, "v1", single.plural, String(namespace), String(name));
	try {
		const found = (await connection.request("GET", path, { accept: acceptFor(object) })) as RawObject;
		return { ...found, apiVersion: object.apiVersion, kind: object.kind };
	} catch (error) {
		if (error instanceof ApiError && (error.status === 404 || error.status === 403)) {
			return error.status === 403 ? "forbidden" : undefined;
		}
		throw error;
	}
}

/** What a Secret holds is nobody's business here: whether there is one is enough. */
function acceptFor({ kind }: RawObject): string {
	return kind === "Secret"
		? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
		: "application/json";
}

/** Istio's ConfigMap, where its mesh configuration takes part in egress; none where it is not there or may not be read. */
async function meshConfigMap(connection: Connection): Promise<readonly RawObject[]> {
	const { resourcePath } = await import("../kube/client/api.ts");
	try {
		const path = resourcePath("", "v1", "configmaps", "istio-system", "istio");
		const found = (await connection.request("GET", path)) as RawObject;
		return textOf(fieldsOf(found.data).mesh)?.includes("REGISTRY_ONLY") === true ? [found] : [];
	} catch {
		// readMesh says why.
		return [];
	}
}

const appliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

/** An object as its author would write it, so that it can be applied again: without what servers added. */
function asWritten(object: RawObject): RawObject {
	const metadata = without(fieldsOf(object.metadata), ...serverFields);
	const annotations = without(fieldsOf(metadata.annotations), appliedAnnotation);
	return {
		...without(object, "status"),
		metadata: {
			...without(metadata, "annotations"),
			...(Object.keys(annotations).length > 0 ? { annotations } : {}),
		},
	};
}

/** Where an object stands, as files have a path. */
function placeOf(object: RawObject): string {
	const { namespace, name } = fieldsOf(object.metadata);
	return ["cluster", textOf(namespace), textOf(object.kind), textOf(name)].filter(Boolean).join("/");
}
