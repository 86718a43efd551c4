import { isIP } from "node:net";
import { checkServerIdentity, connect } from "node:tls";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";

/** Where a replica listens. */
export interface Endpoint {
	readonly host: string;
	readonly port: number;
}

interface EndpointSlice {
	readonly endpoints?:
		| readonly {
				readonly addresses: readonly string[];
				readonly conditions?: { readonly ready?: boolean | null } | null;
		  }[]
		| null;
	readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null }[] | null;
}

/** The ready replicas behind a Service, from its EndpointSlices; `portName` picks the port when there are several. */
export async function readyEndpoints(
	api: ApiServer,
	namespace: string,
	service: string,
	portName: string,
	options: ApiRequest = {},
): Promise<readonly Endpoint[]> {
	const list = await api.request(
		"GET",
		`/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`,
		{ ...options, query: { labelSelector: `kubernetes.io/service-name=${service}` } },
	);
	// discovery.k8s.io/v1 EndpointSliceList, as the API server validated it.
	const { items } = list as { readonly items?: readonly EndpointSlice[] | null };
	const found = new Map<string, Endpoint>();
	for (const { endpoints, ports } of items ?? []) {
		const port = (ports?.find(({ name }) => name === portName) ?? ports?.[0])?.port;
		for (const { addresses, conditions } of endpoints ?? []) {
			const [host] = addresses;
			// An absent `ready` means ready (EndpointConditions).
			if (port != null && host !== undefined && conditions?.ready !== false) {
				found.set(`${host} ${port}`, { host, port });
			}
		}
	}
	return [...found.values()];
}

/** Says why a TLS client that trusts `bundle` and asks for `name` would not talk to an endpoint, or `null`. */
export function handshakeFault(
	endpoint: Endpoint,
	name: string,
	bundle: string,
	timeoutMs = 3_000,
): Promise<string | null> {
	return new Promise((resolve) => {
		const socket = connect({
			...endpoint,
			// RFC 6066 allows no addresses in the server name extension; the certificate is held against `name` anyway.
			servername: isIP(name) === 0 ? name : "",
			checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
			ca: bundle,
			timeout: timeoutMs,
		});
		const end = (fault: string | null): void => {
			resolve(fault === null ? null : `${endpoint.host}:${endpoint.port}: ${fault}`);
			socket.destroy();
		};
		// The server's certificate is judged here even where the server then refuses us for having none.
		socket.once("secureConnect", () => end(null));
		socket.once("timeout", () => end(`no handshake within ${timeoutMs} ms`));
		socket.on("error", (error) => end(error.message));
	});
}
