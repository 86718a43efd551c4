import type { Inventory } from "../core/inventory.ts";
import type { AuditedObject, HostState } from "./judged.ts";
import { hostStates } from "./judged.ts";

/** Entries whose hosts are reached past the waypoint that they ask for. */
export interface LostWaypoint {
	readonly namespace: string;
	readonly name: string;
	/** Whether there is a Gateway of this name; it does not serve them then. */
	readonly isThere: boolean;
	readonly entries: number;
	readonly namespaces: number;
	/** The first three of the entries, by namespace and name. */
	readonly first: readonly Pick<AuditedObject, "namespace" | "name">[];
}

const mostNamed = 3;

/** Keeps count of what is judged, so that nobody who asks for the counts looks through all of it. */
export class Tally {
	#objects = 0;
	readonly #findings = new Map<string, number>();
	readonly #hosts = new Map<HostState, number>(hostStates.map((state) => [state, 0]));
	readonly #lost = new Map<string, Set<AuditedObject>>();

	/** Objects that are judged. */
	get objects(): number {
		return this.#objects;
	}

	/** Findings by rule and severity, as `RULE SEVERITY`. */
	get findings(): ReadonlyMap<string, number> {
		return this.#findings;
	}

	get hosts(): ReadonlyMap<HostState, number> {
		return this.#hosts;
	}

	/** How many waypoints are asked for by entries that are reached past them. */
	get lost(): number {
		return this.#lost.size;
	}

	/** Takes one judgement in the place of another; whether other entries than before are lost to a waypoint. */
	replace(before: AuditedObject | undefined, after: AuditedObject | undefined): boolean {
		this.#add(before, -1);
		this.#add(after, 1);
		if (before?.lost !== undefined) {
			const entries = this.#lost.get(before.lost);
			entries?.delete(before);
			if (entries?.size === 0) {
				this.#lost.delete(before.lost);
			}
		}
		if (after?.lost !== undefined) {
			const entries = this.#lost.get(after.lost);
			if (entries === undefined) {
				this.#lost.set(after.lost, new Set([after]));
			} else {
				entries.add(after);
			}
		}
		return before?.lost !== after?.lost;
	}

	/** Every lost waypoint, those of most entries first. */
	lostWaypoints(inventory: Inventory): readonly LostWaypoint[] {
		return [...this.#lost]
			.map(([waypoint, entries]) => describeLoss(waypoint, entries, inventory))
			.toSorted(
				(one, other) =>
					other.entries - one.entries ||
					compare(one.namespace, other.namespace) ||
					compare(one.name, other.name),
			);
	}

	#add(object: AuditedObject | undefined, sign: 1 | -1): void {
		if (object === undefined) {
			return;
		}
		this.#objects += sign;
		for (const { rule, severity } of object.findings) {
			const key = `${rule} ${severity}`;
			const count = (this.#findings.get(key) ?? 0) + sign;
			if (count === 0) {
				this.#findings.delete(key);
			} else {
				this.#findings.set(key, count);
			}
		}
		for (const state of object.hosts) {
			this.#hosts.set(state, (this.#hosts.get(state) ?? 0) + sign);
		}
	}
}

function describeLoss(
	waypoint: string,
	entries: ReadonlySet<AuditedObject>,
	inventory: Inventory,
): LostWaypoint {
	const slash = waypoint.indexOf("/");
	const [namespace, name] = [waypoint.slice(0, slash), waypoint.slice(slash + 1)];
	const namespaces = new Set<string>();
	let first: AuditedObject[] = [];
	for (const entry of entries) {
		namespaces.add(entry.namespace);
		const last = first.at(-1);
		if (last === undefined || first.length < mostNamed || comparePlaces(entry, last) < 0) {
			first = [...first, entry].toSorted(comparePlaces).slice(0, mostNamed);
		}
	}
	return {
		namespace,
		name,
		isThere: inventory.get("KubernetesGateway", namespace, name) !== undefined,
		entries: entries.size,
		namespaces: namespaces.size,
		first: first.map((entry) => ({ namespace: entry.namespace, name: entry.name })),
	};
}

function comparePlaces(one: AuditedObject, other: AuditedObject): number {
	return compare(one.namespace, other.namespace) || compare(one.name, other.name);
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
