import type { ServiceEntry, ServiceEntryPort, WorkloadEntrySpec } from "../../core/kinds.ts";

/** A ServiceEntry's spec with what an absent field means written out. */
export interface EntrySpec {
	readonly hosts: readonly string[];
	readonly addresses: readonly string[];
	readonly ports: readonly EntryPort[];
	/** NONE when absent: the trap of many manifests. */
	readonly resolution: string;
	readonly location: string;
	readonly endpoints: readonly WorkloadEntrySpec[];
	/** An empty list of endpoints counts for the schema. */
	readonly hasEndpoints: boolean;
	/** The selector's labels; undefined without a selector. */
	readonly selector: Readonly<Record<string, string>> | undefined;
	readonly exportTo: readonly string[];
}

/** A port with what an absent field means written out. */
export interface EntryPort {
	readonly name: string;
	readonly number: number;
	readonly protocol: string;
	/** 0 when absent: the same as `number`. */
	readonly targetPort: number;
}

// Rules ask about the same entry one after the other. A WeakMap would keep every entry until the garbage collector
// comes, and cost it more than another reading does.
let last: { readonly entry: ServiceEntry; readonly spec: EntrySpec } | undefined;

/** Reads a ServiceEntry's spec; every rule asks, so the last answer is remembered. */
export function specOf(entry: ServiceEntry): EntrySpec {
	if (last?.entry !== entry) {
		last = { entry, spec: readSpec(entry.spec ?? {}) };
	}
	return last.spec;
}

function readSpec(spec: NonNullable<ServiceEntry["spec"]>): EntrySpec {
	return {
		hosts: spec.hosts ?? [],
		addresses: spec.addresses ?? [],
		ports: (spec.ports ?? []).map(portOf),
		resolution: spec.resolution ?? "NONE",
		location: spec.location ?? "MESH_EXTERNAL",
		endpoints: spec.endpoints ?? [],
		hasEndpoints: spec.endpoints !== undefined && spec.endpoints !== null,
		selector:
			spec.workloadSelector === undefined || spec.workloadSelector === null
				? undefined
				: (spec.workloadSelector.labels ?? {}),
		exportTo: spec.exportTo ?? [],
	};
}

function portOf(port: ServiceEntryPort): EntryPort {
	return {
		name: port.name ?? "",
		number: port.number ?? 0,
		protocol: port.protocol ?? "",
		targetPort: port.targetPort ?? 0,
	};
}

/**
 * Whether istiod allocates addresses for the hosts of an entry
 * (Istio pilot/pkg/networking/serviceentry/ip_autoallocation.go: shouldV2AutoAllocateIPFromPieces).
 */
export function isAllocated(entry: ServiceEntry): boolean {
	const spec = specOf(entry);
	return (
		spec.resolution !== "NONE" &&
		spec.addresses.length === 0 &&
		entry.metadata?.labels?.["networking.istio.io/enable-autoallocate-ip"]?.toLowerCase() !== "false"
	);
}
