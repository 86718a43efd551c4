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

/** Reads a ServiceEntry's spec. Nothing is copied but the ports, and those when they are asked for. */
export function specOf(entry: ServiceEntry): EntrySpec {
	return new ReadSpec(entry.spec ?? {});
}

class ReadSpec implements EntrySpec {
	readonly #spec: NonNullable<ServiceEntry["spec"]>;

	constructor(spec: NonNullable<ServiceEntry["spec"]>) {
		this.#spec = spec;
	}

	get hosts(): readonly string[] {
		return this.#spec.hosts ?? [];
	}

	get addresses(): readonly string[] {
		return this.#spec.addresses ?? [];
	}

	get ports(): readonly EntryPort[] {
		return (this.#spec.ports ?? []).map(portOf);
	}

	get resolution(): string {
		return this.#spec.resolution ?? "NONE";
	}

	get location(): string {
		return this.#spec.location ?? "MESH_EXTERNAL";
	}

	get endpoints(): readonly WorkloadEntrySpec[] {
		return this.#spec.endpoints ?? [];
	}

	get hasEndpoints(): boolean {
		return this.#spec.endpoints !== undefined && this.#spec.endpoints !== null;
	}

	get selector(): Readonly<Record<string, string>> | undefined {
		const { workloadSelector } = this.#spec;
		return workloadSelector === undefined || workloadSelector === null
			? undefined
			: (workloadSelector.labels ?? {});
	}

	get exportTo(): readonly string[] {
		return this.#spec.exportTo ?? [];
	}
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

/** Whether the entry `e` forbids istiod to allocate addresses for it, in CEL. */
export const celNoAllocation =
	"e.labels[?'networking.istio.io/enable-autoallocate-ip'].orValue('').lowerAscii() == 'false'";
