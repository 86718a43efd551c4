/** The kinds of routes in a VirtualService. */
export type Family = "http" | "tls" | "tcp";

/** One of the two hops: from the clients to the gateway, or from the gateway to the host. */
export interface HopRoute {
	readonly hosts: readonly string[];
	readonly family: Family;
	/** The port that clients use. */
	readonly port: number | undefined;
	/** The port to which the gateway connects. */
	readonly target: number | undefined;
	/** The port of the gateway. */
	readonly listener: number | undefined;
	readonly namespace: string;
}
