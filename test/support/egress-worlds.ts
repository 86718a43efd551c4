/** A way out by an egress gateway, and where on each side its effect can be seen. */
export interface EgressWorld {
	readonly text: string;
	readonly host: string;
	/** The port that clients use. */
	readonly port: number;
	/** The port of the gateway to which they were led. */
	readonly gatewayPort: number;
}

/** A port for HTTP, as a ServiceEntry has it. */
export const http = "{number: 80, name: http, protocol: HTTP}";
/** A port for TLS, as a ServiceEntry has it. */
export const tls = "{number: 443, name: tls, protocol: TLS}";
/** The Service of the egress gateway. */
export const gatewayHost = "istio-egressgateway.istio-system.svc.cluster.local";

/** A ServiceEntry for api.NAME.example. */
export function entry(name: string, ...ports: readonly string[]): string {
	return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [api.${name}.example]
  ports: [${ports.join(", ")}]
  resolution: DNS
---
`;
}

/** A Gateway of the egress gateway for the host. */
export function gateway(protocol: string, mode: string | undefined, ...ports: readonly number[]): string {
	const servers = ports.map(
		(port) => `  - port: {number: ${port}, name: p-${port}, protocol: ${protocol}}
    hosts: [api.one.example]${mode === undefined ? "" : `\n    tls: {mode: ${mode}}`}
`,
	);
	return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: one, namespace: shop}
spec:
  selector: {istio: egressgateway}
  servers:
${servers.join("")}---
`;
}

/** A VirtualService of both hops for the host. */
export function route(routes: string): string {
	return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one, namespace: shop}
spec:
  hosts: [api.one.example]
  gateways: [mesh, one]
${routes}---
`;
}

/** The hop from the sidecars to the gateway. */
export function steer(port: number, gatewayPort: number = port): string {
	return `  - match: [{gateways: [mesh], port: ${port}}]
    route: [{destination: {host: ${gatewayHost}, port: {number: ${gatewayPort}}}}]
`;
}

/** A DestinationRule for the host. */
export function rule(spec: string): string {
	return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: one, namespace: shop}
spec:
  host: api.one.example
${spec}---
`;
}

/** An AuthorizationPolicy on the pods of the gateway. */
export function policy(name: string, spec: string): string {
	return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: egressgateway}}
${spec}---
`;
}

const toPort443 = route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`);

/** The host of every world. */
export const host = "api.one.example";

/** Ways out that say as much as they can: an end-to-end test holds what istiod makes of each before to after. */
export const egressWorlds: Readonly<Record<string, EgressWorld>> = {
	"shares and mirrors": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http),
			entry("two", http),
			entry("three", http),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    mirror: {host: api.three.example, port: {number: 80}}
    mirrorPercentage: {value: 25}
    route:
    - destination: {host: api.one.example, port: {number: 80}}
      weight: 90
    - destination: {host: api.two.example, port: {number: 80}}
      weight: 10
      headers: {request: {add: {x-canary: "1"}}, response: {remove: [server]}}
`),
		].join(""),
	},
	"everything that a route can say": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - name: faulty
    match: [{gateways: [one], port: 80, uri: {prefix: /slow}, headers: {x-test: {exact: "1"}}, method: {regex: "GET|HEAD"}, queryParams: {q: {exact: z}}, withoutHeaders: {x-off: {exact: "1"}}, ignoreUriCase: true}]
    fault: {delay: {fixedDelay: 2s, percentage: {value: 50}}, abort: {httpStatus: 503, percentage: {value: 1}}}
    timeout: 1.5s
    retries: {attempts: 4, perTryTimeout: 0.3s, retryOn: "5xx,reset", retryRemoteLocalities: true, backoff: 50ms}
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
  - match: [{gateways: [one], uri: {exact: /old}}]
    redirect: {uri: /new, authority: api.one.example, redirectCode: 308}
  - match: [{gateways: [one], uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short and stout}}
  - match: [{gateways: [one], uri: {prefix: /v1/}}, {gateways: [one], uri: {regex: "/v2/.*"}}]
    rewrite: {uri: /api/, authority: internal.one.example}
    corsPolicy: {allowOrigins: [{exact: "https://shop.example"}], allowMethods: [GET], maxAge: 24h, allowCredentials: true}
    headers: {request: {set: {x-a: b}, add: {x-c: d}, remove: [cookie]}, response: {set: {x-e: f}}}
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
  - match: [{gateways: [one]}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`),
		].join(""),
	},
	"everything that a DestinationRule can say": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`),
			rule(`  trafficPolicy:
    tls: {mode: MUTUAL, credentialName: one-client, sni: sni.one.example, subjectAltNames: [san.one.example]}
    connectionPool: {tcp: {maxConnections: 5, connectTimeout: 4s, tcpKeepalive: {time: 7200s, interval: 75s, probes: 3}, idleTimeout: 60s}, http: {http1MaxPendingRequests: 9, http2MaxRequests: 8, maxRequestsPerConnection: 7, maxRetries: 6, idleTimeout: 30s, h2UpgradePolicy: DO_NOT_UPGRADE}}
    outlierDetection: {consecutive5xxErrors: 3, interval: 11s, baseEjectionTime: 33s, maxEjectionPercent: 50}
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
`),
		].join(""),
	},
	subsets: {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http).replace(
				"  resolution: DNS\n",
				`  resolution: STATIC
  endpoints: [{address: 192.0.2.1, labels: {v: "1"}}, {address: 192.0.2.2, labels: {v: "2"}, weight: 3, locality: r/z}]
`,
			),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route:
    - {destination: {host: api.one.example, port: {number: 80}, subset: one}, weight: 70}
    - {destination: {host: api.one.example, port: {number: 80}, subset: two}, weight: 30}
`),
			rule(`  trafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}
  subsets:
  - {name: one, labels: {v: "1"}}
  - {name: two, labels: {v: "2"}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 2}}}}
`),
		].join(""),
	},
	"TLS that begins in the one subset of the host": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, subset: secure, port: {number: 443}}}]
`),
			rule(`  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    connectionPool: {tcp: {maxConnections: 5}}
    portLevelSettings: [{port: {number: 443}, outlierDetection: {consecutive5xxErrors: 3}}]
  subsets:
  - name: secure
    trafficPolicy:
      connectionPool: {tcp: {maxConnections: 2}}
      portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: sni.one.example}}]
`),
		].join(""),
	},
	"TLS that begins by the DestinationRule of a wildcard": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			toPort443,
			rule(`  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: sni.one.example}}]
`).replace("host: api.one.example", 'host: "*.one.example"'),
		].join(""),
	},
	"DestinationRules of two namespaces, of which the entry's goes before the root's": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			toPort443,
			rule("  trafficPolicy: {tls: {mode: SIMPLE, sni: shop.one.example}}\n"),
			rule("  trafficPolicy: {tls: {mode: SIMPLE, sni: root.one.example}}\n").replace(
				"name: one, namespace: shop",
				"name: root, namespace: istio-system",
			),
		].join(""),
	},
	"two DestinationRules of one namespace, of which the second has the subset": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			toPort443.replace("host: api.one.example, port", "host: api.one.example, subset: secure, port"),
			rule("  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n"),
			rule(`  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}
  subsets:
  - name: secure
    trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: sni.one.example}}]}
`).replace("name: one,", "name: two,"),
		].join(""),
	},
	"routes of a delegate, which begin TLS": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http, "{number: 443, name: https, protocol: HTTPS}"),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80, uri: {prefix: /v1}}]
    timeout: 3s
    delegate: {name: rest, namespace: shop}
  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`),
			`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rest, namespace: shop}
spec:
  http:
  - match: [{uri: {prefix: /v1/slow}}]
    timeout: 9s
    headers: {request: {set: {x-a: b}}}
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
  - route: [{destination: {host: api.one.example, port: {number: 443}}}]
---
`,
			rule("  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}\n"),
		].join(""),
	},
	"endpoints by their locality": {
		host,
		port: 80,
		gatewayPort: 80,
		text: [
			entry("one", http).replace(
				"  resolution: DNS\n",
				`  resolution: DNS
  endpoints: [{address: eu.one.example, locality: eu/west, weight: 80}, {address: us.one.example, locality: us/east, weight: 20}]
`,
			),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`),
			rule(`  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 5, interval: 5s, baseEjectionTime: 30s}
    loadBalancer: {simple: LEAST_REQUEST, localityLbSetting: {enabled: true, distribute: [{from: "eu/*", to: {"eu/*": 80, "us/*": 20}}]}}
`),
		].join(""),
	},
	"two ports": {
		host,
		port: 8080,
		gatewayPort: 8080,
		text: [
			entry("one", http, "{number: 8080, name: http-alt, protocol: HTTP}"),
			gateway("HTTP", undefined, 80, 8080),
			route(`  http:
${steer(80)}${steer(8080)}  - match: [{gateways: [one], port: 80}]
    timeout: 3s
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
  - match: [{gateways: [one], port: 8080}]
    timeout: 9s
    route: [{destination: {host: api.one.example, port: {number: 8080}}}]
`),
		].join(""),
	},
	"shares of TLS, with policies on connections": {
		host,
		port: 443,
		gatewayPort: 443,
		text: [
			entry("one", tls),
			entry("two", tls),
			gateway("TLS", "PASSTHROUGH", 443),
			route(`  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [one], port: 443, sniHosts: [api.one.example]}]
    route:
    - {destination: {host: api.one.example, port: {number: 443}}, weight: 80}
    - {destination: {host: api.two.example, port: {number: 443}}, weight: 20}
`),
			policy(
				"who",
				`  action: ALLOW
  rules:
  - from: [{source: {principals: ["cluster.local/ns/pay/sa/billing", "*/sa/x"], notNamespaces: [bad]}}]
    to: [{operation: {ports: ["443"]}}]
    when: [{key: connection.sni, values: [api.one.example]}, {key: destination.port, values: ["443"]}]
`,
			),
			policy(
				"not",
				`  action: DENY
  rules:
  - from: [{source: {namespaces: [evil], ipBlocks: ["10.0.0.0/8"], notIpBlocks: ["10.1.0.0/16"]}}]
`,
			),
		].join(""),
	},
	"policies on requests": {
		host,
		port: 80,
		gatewayPort: 443,
		text: [
			entry("one", http),
			gateway("HTTPS", "ISTIO_MUTUAL", 443),
			route(`  http:
${steer(80, 443)}  - match: [{gateways: [one], port: 443}]
    timeout: 3s
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`),
			policy(
				"allow",
				`  rules:
  - from: [{source: {principals: ["cluster.local/ns/pay/sa/billing"], requestPrincipals: ["*"], remoteIpBlocks: ["10.0.0.0/8"]}}]
    to: [{operation: {hosts: [api.one.example], methods: [GET], paths: ["/v1/*"], notPaths: ["/v1/admin"]}}]
    when: [{key: "request.headers[x-token]", values: [a]}, {key: source.namespace, notValues: [b]}]
`,
			),
			policy(
				"deny",
				`  action: DENY
  rules:
  - from: [{source: {notNamespaces: [shop]}}]
  - to: [{operation: {notHosts: [api.one.example]}}]
`,
			),
			policy("audit", "  action: AUDIT\n  rules: [{}]\n"),
		].join(""),
	},
};
