import { isLabelSelector } from "../../core/kinds.ts";
import type { MeshFacts, ServiceEntryVisibility, Visibility } from "../../core/mesh.ts";
import { resourcePath } from "../client/api.ts";
import type { Connection } from "../client/connection.ts";
import type { Log } from "../client/log.ts";

/** The first minor version with ambient. */
const oldestMinor = 18;

/** What can be read about the mesh, or why it cannot. */
export interface MeshReading {
	readonly facts: Partial<MeshFacts>;
	/** Why nothing was read; undefined when something was. */
	readonly problem: string | undefined;
}

interface ConfigMap {
	readonly metadata?: { readonly labels?: Readonly<Record<string, string>> | null } | null;
	readonly data?: Readonly<Record<string, string>> | null;
}

/**
 * Reads Istio's ConfigMap: `meshConfig` from its data, revision and version from the labels that istiod's chart puts on
 * it (istio-discovery/templates/configmap.yaml and zzz_profile.yaml). One `get` of one object is all it needs.
 * @param revision the revision whose ConfigMap it is; "" and `default` have no suffix
 */
export async function readMesh(
	connection: Connection,
	namespace = "istio-system",
	revision = "",
	signal?: AbortSignal,
): Promise<MeshReading> {
	const name = revision === "" || revision === "default" ? "istio" : `istio-${revision}`;
	try {
		const configMap = (await connection.request(
			"GET",
			resourcePath("", "v1", "configmaps", namespace, name),
			{
				deadlineMs: 5000,
				...(signal === undefined ? {} : { signal }),
			},
		)) as ConfigMap;
		return { facts: await meshFacts(configMap, namespace), problem: undefined };
	} catch (error) {
		return { facts: {}, problem: error instanceof Error ? error.message : String(error) };
	}
}

/** The facts in Istio's ConfigMap; what it does not say is left out, what it says wrongly too. */
export async function meshFacts(configMap: ConfigMap, namespace: string): Promise<Partial<MeshFacts>> {
	const labels = configMap.metadata?.labels ?? {};
	const minor = /^v?1\.(\d{1,3})(\D|$)/.exec(labels["app.kubernetes.io/version"] ?? "")?.[1];
	const revision = labels["istio.io/rev"];
	const mesh = await parseMesh(configMap.data?.mesh ?? "");
	const visibility = readVisibility(mesh.serviceEntryVisibility);
	return {
		// Charts of unreleased builds say 1.0.0, which is no version that ever had ambient.
		...(minor === undefined || Number(minor) < oldestMinor ? {} : { istioMinor: Number(minor) }),
		...(revision ? { revisions: new Set(["default", revision]) } : {}),
		// istiod: mesh.DefaultMeshConfig has rootNamespace = istiod's own namespace.
		rootNamespace:
			typeof mesh.rootNamespace === "string" && mesh.rootNamespace !== "" ? mesh.rootNamespace : namespace,
		serviceEntryVisibility: visibility,
		trustDomains: trustDomainsOf(mesh),
		discoverySelectors: (Array.isArray(mesh.discoverySelectors) ? mesh.discoverySelectors : []).filter(
			isLabelSelector,
		),
	};
}

/** mesh.DefaultMeshConfig has cluster.local. */
function trustDomainsOf({
	trustDomain,
	trustDomainAliases,
}: Readonly<Record<string, unknown>>): readonly string[] {
	const aliases: readonly unknown[] = Array.isArray(trustDomainAliases) ? trustDomainAliases : [];
	return [
		typeof trustDomain === "string" && trustDomain !== "" ? trustDomain : "cluster.local",
		...aliases.filter((alias) => typeof alias === "string"),
	];
}

async function parseMesh(text: string): Promise<Readonly<Record<string, unknown>>> {
	const { parse } = await import("yaml");
	try {
		const mesh: unknown = parse(text);
		return record(mesh);
	} catch {
		return {};
	}
}

function record(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? (value as Record<string, unknown>)
		: {};
}

/** istiod reads an unset or unknown visibility as PUBLIC (pilot/pkg/model/serviceentry_visibility.go). */
function visibilityOf(value: unknown): Visibility {
	return value === "NAMESPACE" || value === "NONE" ? value : "PUBLIC";
}

function readVisibility(value: unknown): ServiceEntryVisibility | undefined {
	if (value === undefined || value === null) {
		return undefined;
	}
	const { defaultVisibility, policies } = record(value);
	return {
		defaultVisibility: visibilityOf(defaultVisibility),
		policies: (Array.isArray(policies) ? policies : []).map((policy) => {
			const { visibility, matchingRules } = record(policy);
			return {
				visibility: visibilityOf(visibility),
				rules: (Array.isArray(matchingRules) ? matchingRules : []).map((rule) => {
					const { namespaceSelector } = record(rule);
					return {
						namespaceSelector: isLabelSelector(namespaceSelector) ? namespaceSelector : undefined,
					};
				}),
			};
		}),
	};
}

/** Facts about the mesh that are read again and again. */
export interface MeshFeed {
	/** Settles when they were read once, or could not be. */
	readonly first: Promise<void>;
	/** Why they could not be read the last time. */
	problem(): string | undefined;
	stop(): Promise<void>;
}

const rereadMs = 30_000;

/** Reads the mesh's facts now and every half minute, and hands them on; without permission it only says so, once. */
export function followMesh(options: {
	readonly connection: Connection;
	readonly namespace?: string;
	readonly revision?: string;
	readonly log: Pick<Log, "info">;
	readonly learn: (facts: Partial<MeshFacts>) => void;
	readonly everyMs?: number;
}): MeshFeed {
	const controller = new AbortController();
	const { connection, namespace, revision, log, learn } = options;
	let problem: string | undefined;
	async function once(): Promise<void> {
		const reading = await readMesh(connection, namespace, revision, controller.signal);
		if (controller.signal.aborted) {
			return;
		}
		if ((reading.problem === undefined) !== (problem === undefined)) {
			log.info(
				{ problem: reading.problem },
				reading.problem ? "mesh facts not readable" : "mesh facts readable",
			);
		}
		problem = reading.problem;
		if (problem === undefined) {
			learn(reading.facts);
		}
	}
	let running = once();
	const first = running;
	const timer = setInterval(() => {
		running = running.then(once);
	}, options.everyMs ?? rereadMs);
	timer.unref();
	return {
		first,
		problem: () => problem,
		async stop() {
			clearInterval(timer);
			controller.abort();
			await running;
		},
	};
}
