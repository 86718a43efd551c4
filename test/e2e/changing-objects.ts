import type { KubeObject } from "./api.ts";

/** Numbers in [0, limit), the same for the same seed (mulberry32). */
export function dice(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit;
	};
}

const istio = "networking.istio.io/v1";
const gatewayApi = "gateway.networking.k8s.io/v1";

function route(kind: string, name: string, value: number): KubeObject {
	const parentRefs = [{ group: "", kind: "Service", name: `service-${value}`, port: 443 }];
	const rules = [{ backendRefs: [{ name: "backend", port: 1 + value }] }];
	const hostnames = kind === "TLSRoute" ? { hostnames: [`h${value}.example.com`] } : {};
	return { apiVersion: gatewayApi, kind, metadata: { name }, spec: { parentRefs, rules, ...hostnames } };
}

function ofIstio(kind: string, name: string, spec: object): KubeObject {
	return { apiVersion: istio, kind, metadata: { name }, spec };
}

/** An object of each kind that Waymark watches, without a namespace, which looks different for each value. */
export const changingObjects: readonly ((name: string, value: number) => KubeObject)[] = [
	(name, value) =>
		ofIstio("ServiceEntry", name, {
			hosts: [`h${value}.example.com`],
			ports: [{ number: 1 + value, name: "tls", protocol: "TLS" }],
			resolution: "DNS",
		}),
	(name, value) =>
		ofIstio("Gateway", name, {
			selector: { istio: `gateway-${value}` },
			servers: [{ hosts: ["*"], port: { number: 1 + value, name: "p", protocol: "HTTP" } }],
		}),
	(name, value) =>
		ofIstio("VirtualService", name, {
			hosts: [`h${value}.example.com`],
			http: [{ route: [{ destination: { host: `h${value}.example.com` } }] }],
		}),
	(name, value) => ofIstio("DestinationRule", name, { host: `h${value}.example.com` }),
	(name, value) => ofIstio("Sidecar", name, { egress: [{ hosts: [`./h${value}.example.com`] }] }),
	(name, value) => ({
		apiVersion: gatewayApi,
		kind: "Gateway",
		metadata: { name, annotations: { "istio.io/x": `${value}`, other: "dropped" } },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [{ name: "mesh", port: 1 + value, protocol: "HBONE" }],
		},
	}),
	(name, value) => route("HTTPRoute", name, value),
	(name, value) => route("GRPCRoute", name, value),
	(name, value) => route("TLSRoute", name, value),
	(name, value) => route("TCPRoute", name, value),
	(name, value) => ({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, labels: { value: `${value}` } },
		spec: { selector: { app: `a${value}` }, ports: [{ port: 80 }] },
	}),
	(_, value) => ({
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name: `space-${value % 20}`,
			annotations: { "egress.waymark.dev/allowed-ports": `${1 + value}` },
		},
	}),
];
