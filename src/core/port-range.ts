/** The protocol names that Istio accepts on a ServiceEntry port, in capitals (Istio pkg/config/protocol/instance.go). */
export const protocols: readonly string[] = [
	"TCP",
	"UDP",
	"GRPC",
	"GRPC-WEB",
	"HTTP",
	"HTTP_PROXY",
	"HTTP2",
	"HTTPS",
	"TLS",
	"MONGO",
	"REDIS",
	"MYSQL",
];

// Lower case, as Istio compares: the upper case of some other letters is a Latin one.
const known: ReadonlyMap<string, string> = new Map(protocols.map((name) => [name.toLowerCase(), name]));

/** The protocol in capitals, as Istio reads it in any case; undefined when Istio does not know it. */
export function parseProtocol(text: string): string | undefined {
	return known.get(text.toLowerCase());
}

/** Ports from `from` to `to` (both included, 1 to 65535), with one protocol or any. */
export interface PortRange {
	readonly text: string;
	readonly from: number;
	readonly to: number;
	readonly protocol: string | undefined;
}

const form = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z0-9_-]+))?$/;

/** Parses `443`, `8000-8099`, `443/TLS` or `8000-8099/HTTP`; undefined when it is none of them. */
export function parsePortRange(text: string): PortRange | undefined {
	const match = form.exec(text);
	if (match === null) {
		return undefined;
	}
	const from = Number(match[1]);
	const to = match[2] === undefined ? from : Number(match[2]);
	const protocol = match[3] === undefined ? undefined : parseProtocol(match[3]);
	if (from < 1 || to > 65535 || from > to || (match[3] !== undefined && protocol === undefined)) {
		return undefined;
	}
	return { text, from, to, protocol };
}

/** Whether a range covers a port that carries a protocol (in capitals; undefined when the port names none). */
export function coversPort(range: PortRange, port: number, protocol: string | undefined): boolean {
	return (
		range.from <= port && port <= range.to && (range.protocol === undefined || range.protocol === protocol)
	);
}
