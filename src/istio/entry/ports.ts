import { parseProtocol } from "../../core/port-range.ts";

const http: ReadonlySet<string> = new Set(["HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"]);
const tcp: ReadonlySet<string> = new Set(["TCP", "HTTPS", "TLS", "MONGO", "REDIS", "MYSQL"]);
const tls: ReadonlySet<string> = new Set(["HTTPS", "TLS"]);

/** The classes of protocols by which istiod decides (Istio pkg/config/protocol/instance.go); UDP is in none. */
export type ProtocolClass = "http" | "tcp" | "tls";

const classes: { readonly [C in ProtocolClass]: ReadonlySet<string> } = { http, tcp, tls };

/** Whether a protocol, in any case, belongs to a class; an unknown or absent one belongs to none. */
export function isProtocolOf(protocolClass: ProtocolClass, protocol: string): boolean {
	return classes[protocolClass].has(parseProtocol(protocol) ?? "");
}

/** Whether a number can be a port's: 1 to 65535. */
export function isPortNumber(port: number): boolean {
	return Number.isInteger(port) && port >= 1 && port <= 65535;
}
