import type { WaypointReference } from "../core/settings.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { PortDemand } from "./port-demands.ts";

/** A ServiceEntry that the migration leaves behind. */
export interface BoundEntry {
	readonly namespace: string;
	readonly name: string;
	readonly hosts: readonly string[];
	readonly ports: readonly EntryPort[];
	readonly output: Output;
	readonly waypoint: WaypointReference;
	/** The port of the host to which the gateway connected, by the clients' port, where the two differ. */
	readonly behind: ReadonlyMap<number, number>;
	/** The ServiceEntry of the input that it continues, whole or in part. */
	readonly origin?: InputObject;
}

/** A port of a ServiceEntry. */
export interface EntryPort {
	readonly number: number;
	readonly protocol: string;
	readonly name: string;
	readonly targetPort?: number;
}

/** The ports of hosts to which the gateway connected, by the clients' ports, where the two differ. */
export function portsBehind(
	hosts: readonly string[],
	demands: readonly PortDemand[],
): ReadonlyMap<number, number> {
	return new Map(
		demands.flatMap(({ host, port, target }) =>
			hosts.includes(host) && target !== undefined && target !== port ? [[port, target] as const] : [],
		),
	);
}
