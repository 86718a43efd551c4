import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import type { Step } from "./step.ts";

/** The host of a carried route, and where its traffic can go. */
export interface Place {
	readonly hosts: readonly string[];
	readonly entry: BoundEntry;
	readonly entries: readonly BoundEntry[];
	readonly step: Step;
}

const httpPort = /^(?:HTTP|HTTP2|GRPC|GRPC-WEB)$/i;

/** The ports of a ServiceEntry on which a waypoint sees requests. */
export function httpPorts(entry: BoundEntry): readonly EntryPort[] {
	return entry.ports.filter((port) => httpPort.test(port.protocol ?? ""));
}

/**
 * The port of a host's ServiceEntry behind which the port lies to which the gateway connected: at a waypoint a
 * destination is a port of the ServiceEntry. Undefined: the port that the client used.
 */
export function servicePort(
	host: string,
	target: number | undefined,
	port: number | undefined,
	{ entry, entries }: Pick<Place, "entry" | "entries">,
): number | "none" | undefined {
	const own = entry.hosts.includes(host) ? entry : entries.find((each) => each.hosts.includes(host));
	if (own === undefined) {
		return target ?? port;
	}
	const http = httpPorts(own);
	const isBehind = (each: EntryPort): boolean =>
		target === undefined || (own.behind.get(each.number) ?? each.number) === target;
	const behind = http.filter(isBehind);
	const [only] = behind;
	if (only !== undefined) {
		const same = behind.find((each) => each.number === port);
		return same?.number ?? (behind.length === 1 ? only.number : undefined);
	}
	const other = own.ports.filter(isBehind);
	if (target !== undefined && other.length > 0) {
		return other.find((each) => each.number === port)?.number ?? other[0]?.number;
	}
	return http.length > 0 ? "none" : own.ports[0]?.number;
}
