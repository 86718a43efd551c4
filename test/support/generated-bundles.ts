import { stringify } from "yaml";

type Json = Readonly<Record<string, unknown>>;
// The tree of a bundle that features are put into.
type Tree = Record<string, unknown>;

/** The ways out that features are put on. */
export const bases = ["http", "origination", "mutual", "simple", "split", "tls", "tcp"] as const;
/** One of the ways out that features are put on. */
export type Base = (typeof bases)[number];

/** Something that an object of a bundle can say. */
export interface Feature {
	readonly name: string;
	readonly bases: readonly Base[];
	/** Where in a bundle it stands. */
	readonly slot: Slot;
	readonly field: string;
	readonly value: unknown;
}

type Slot =
	| "hop"
	| "hop match"
	| "out"
	| "out match"
	| "out destination"
	| "routes"
	| "route"
	| "server"
	| "server tls"
	| "rule"
	| "host"
	| "port"
	| "subset"
	| "subset itself"
	| "subset port"
	| "entry"
	| "entry port"
	| "entry metadata"
	| "source"
	| "operation"
	| "condition"
	| "action"
	| "object";

const web: readonly Base[] = ["http", "origination", "mutual", "split"];
const wire: readonly Base[] = ["tls", "tcp"];

function fields(slot: Slot, where: readonly Base[], values: Json): readonly Feature[] {
	return Object.entries(values).map(([field, value]) => ({
		name: `${slot}: ${field}`,
		bases: where,
		slot,
		field: field.split("#")[0] ?? field,
		value,
	}));
}

/** Fields that only stand together; the place of a feature is that of the first. */
const together = "+";

const pool = {
	tcp: {
		maxConnections: 5,
		connectTimeout: "4s",
		tcpKeepalive: { time: "7200s", interval: "75s", probes: 3 },
		idleTimeout: "60s",
		maxConnectionDuration: "90s",
	},
	http: {
		http1MaxPendingRequests: 9,
		http2MaxRequests: 8,
		maxRequestsPerConnection: 7,
		maxRetries: 6,
		idleTimeout: "30s",
		h2UpgradePolicy: "UPGRADE",
	},
};

const settings = {
	"connectionPool#tcp": { tcp: pool.tcp },
	"connectionPool#http": { http: pool.http },
	"connectionPool#client": { http: { useClientProtocol: true } },
	"connectionPool#streams": { http: { maxConcurrentStreams: 11 } },
	"connectionPool#ping": { http: { http2KeepAlive: { interval: "9s", timeout: "3s" } } },
	outlierDetection: {
		consecutive5xxErrors: 3,
		interval: "11s",
		baseEjectionTime: "33s",
		maxEjectionPercent: 50,
	},
	"outlierDetection#split": { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4 },
	"outlierDetection#gateway": { consecutiveGatewayErrors: 2, minHealthPercent: 10 },
	"outlierDetection#errors": { consecutiveErrors: 7 },
	"outlierDetection#codes": { consecutive5xxErrors: 3, outlierDetectionHttpErrorCodes: [429, 503] },
	"loadBalancer#simple": { simple: "RANDOM" },
	"loadBalancer#cookie": {
		consistentHash: {
			httpCookie: {
				name: "who",
				path: "/",
				ttl: "5s",
				attributes: [{ name: "SameSite", value: "Lax" }],
			},
		},
	},
	"loadBalancer#minimum": { consistentHash: { useSourceIp: true, minimumRingSize: 32 } },
	"loadBalancer#distribute": {
		simple: "LEAST_REQUEST",
		localityLbSetting: {
			enabled: true,
			distribute: [{ from: "r/*", to: { "r/*": 80, "s/*": 20 } }],
		},
	},
	"loadBalancer#failover": {
		simple: "LEAST_REQUEST",
		localityLbSetting: { enabled: true, failover: [{ from: "r", to: "s" }] },
	},
	"loadBalancer#slow": { simple: "LEAST_REQUEST", warmupDurationSecs: "30s" },
	"loadBalancer#zone": {
		simple: "LEAST_REQUEST",
		zoneAwareLbSetting: {
			enabled: true,
			minClusterSize: 2,
			failover: [{ from: "r", to: "s" }],
		},
	},
	"loadBalancer#zones": {
		simple: "LEAST_REQUEST",
		zoneAwareLbSetting: { enabled: true, failoverPriority: ["topology.kubernetes.io/region"] },
	},
	"loadBalancer#hash": { consistentHash: { httpHeaderName: "x-user" } },
	"loadBalancer#ring": { consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 64 } } },
	"loadBalancer#maglev": { consistentHash: { httpQueryParameterName: "q", maglev: { tableSize: 101 } } },
	"loadBalancer#locality": {
		simple: "LEAST_REQUEST",
		localityLbSetting: { enabled: true, failoverPriority: ["topology.kubernetes.io/region"] },
	},
	"loadBalancer#warmup": {
		simple: "LEAST_REQUEST",
		warmup: { duration: "30s", minimumPercent: 10, aggression: 1 },
	},
};

const tlsModes = {
	"tls#simple": { mode: "SIMPLE", sni: "sni.example.org" },
	"tls#mutual": {
		mode: "MUTUAL",
		credentialName: "client",
		sni: "sni.example.org",
		subjectAltNames: ["san.example.org"],
	},
	"tls#files": {
		mode: "MUTUAL",
		clientCertificate: "/c.pem",
		privateKey: "/k.pem",
		caCertificates: "/ca.pem",
	},
	"tls#crl": { mode: "SIMPLE", caCertificates: "/ca.pem", caCrl: "/crl.pem" },
	"tls#system": { mode: "SIMPLE", caCertificates: "system" },
	"tls#lax": { mode: "SIMPLE", insecureSkipVerify: true },
	"tls#istio": { mode: "ISTIO_MUTUAL" },
	"tls#off": { mode: "DISABLE" },
};

const wholeOnly = {
	proxyProtocol: { version: "V2" },
	retryBudget: { percent: 20, minRetryConcurrency: 3 },
	"retryBudget#interval": { percent: 20, minRetryConcurrency: 3, budgetInterval: "5s" },
	tunnel: { protocol: "CONNECT", targetHost: "@", targetPort: 443 },
};

const routeFields = {
	timeout: "3s",
	"timeout#fraction": "1.5s",
	retries: {
		attempts: 4,
		perTryTimeout: "0.3s",
		retryOn: "5xx,reset",
		retryRemoteLocalities: true,
		backoff: "0.05s",
	},
	"retries#ignore": { attempts: 2, retryIgnorePreviousHosts: true },
	fault: {
		delay: { fixedDelay: "2s", percentage: { value: 50 } },
		abort: { httpStatus: 503, percentage: { value: 1 } },
	},
	corsPolicy: {
		allowOrigins: [{ exact: "https://shop.example" }],
		allowMethods: ["GET"],
		allowHeaders: ["x-a"],
		exposeHeaders: ["x-b"],
		maxAge: "24h",
		allowCredentials: true,
	},
	headers: {
		request: { set: { "x-a": "b" }, add: { "x-c": "d" }, remove: ["cookie"] },
		response: { set: { "x-e": "f" }, remove: ["server"] },
	},
	"rewrite#uri": { uri: "/api/" },
	"rewrite#authority": { authority: "inside.example.org" },
	"rewrite#regex": { uriRegexRewrite: { match: "/a/(.*)", rewrite: "/b/\\1" } },
	mirror: { host: "@", port: { number: 80 } },
	mirrors: [{ destination: { host: "@", port: { number: 80 } }, percentage: { value: 10 } }],
	"mirrors#subset": [{ destination: { host: "@", subset: "sub", port: { number: 80 } } }],
	"mirror#subset": { host: "@", subset: "sub", port: { number: 80 } },
	"+#mirror share": { mirror: { host: "@", port: { number: 80 } }, mirrorPercentage: { value: 10 } },
	"+#mirror percent": { mirror: { host: "@", port: { number: 80 } }, mirrorPercent: 10 },
	"+#mirror_percent": { mirror: { host: "@", port: { number: 80 } }, mirror_percent: 10 },
	"corsPolicy#old": { allowOrigin: ["https://shop.example"] },
	"corsPolicy#patterns": {
		allowOrigins: [{ prefix: "https://shop." }, { regex: "https://.*" }],
		unmatchedPreflights: "IGNORE",
	},
	"fault#grpc": { abort: { grpcStatus: "UNAVAILABLE", percentage: { value: 5 } } },
	"fault#percent": { delay: { fixedDelay: "1s", percent: 5 } },
	"headers#added": { response: { add: { "x-g": "h" } } },
	name: "named",
};

const matchFields = {
	"uri#exact": { exact: "/a" },
	"uri#prefix": { prefix: "/a" },
	"uri#directory": { prefix: "/a/" },
	"uri#regex": { regex: "/a.*" },
	scheme: { exact: "https" },
	"method#exact": { exact: "GET" },
	"method#regex": { regex: "GET|HEAD" },
	"method#prefix": { prefix: "G" },
	"scheme#prefix": { prefix: "http" },
	"scheme#regex": { regex: "https?" },
	authority: { exact: "@" },
	"authority#prefix": { prefix: "@" },
	"authority#regex": { regex: "@.*" },
	headers: { "x-a": { exact: "1" }, "x-b": { prefix: "2" } },
	"headers#present": { "x-a": {} },
	"headers#regex": { "x-a": { regex: "1+" } },
	queryParams: { q: { exact: "z" } },
	withoutHeaders: { "x-off": { exact: "1" } },
	ignoreUriCase: true,
	statPrefix: "stat",
	sourceLabels: { app: "till" },
	sourceNamespace: "till",
	name: "named",
};

const conditions: Json = {
	"request.headers": { key: "request.headers[x-token]", values: ["a"], notValues: ["b"] },
	"source.ip": { key: "source.ip", values: ["10.0.0.0/8"] },
	"remote.ip": { key: "remote.ip", values: ["10.0.0.0/8"] },
	"source.namespace": { key: "source.namespace", values: ["a"] },
	"source.principal": { key: "source.principal", notValues: ["*/sa/a"] },
	"request.auth.principal": { key: "request.auth.principal", values: ["issuer/*"] },
	"request.auth.claims": { key: "request.auth.claims[group]", values: ["a"] },
	"destination.ip": { key: "destination.ip", values: ["10.0.0.1"] },
	"destination.port": { key: "destination.port", values: ["%"] },
	"destination.port other": { key: "destination.port", values: ["9999"] },
	"connection.sni": { key: "connection.sni", values: ["@"] },
	"connection.sni not": { key: "connection.sni", notValues: ["other.example"] },
	"experimental.envoy.filters": {
		key: "experimental.envoy.filters.network.mysql_proxy[db.table]",
		values: ["[update]"],
	},
};

/** Everything that can stand in a bundle: the fields of Gateway, VirtualService, DestinationRule, policies and more. */
export const features: readonly Feature[] = [
	...fields("out", web, routeFields),
	...fields("hop", web, routeFields),
	...fields("out match", web, matchFields),
	...fields("hop match", web, matchFields),
	...fields("out match", wire, {
		destinationSubnets: ["192.0.2.0/24"],
		sourceLabels: { app: "till" },
		sourceNamespace: "till",
	}),
	...fields("out match", ["tcp"], { sourceSubnet: "10.0.0.0/8" }),
	...fields("hop match", ["tcp"], { sourceSubnet: "10.0.0.0/8" }),
	...fields("hop match", wire, { destinationSubnets: ["192.0.2.0/24"], sourceLabels: { app: "till" } }),
	...fields("out destination", web, {
		headers: { request: { set: { "x-to": "1" } }, response: { remove: ["server"] } },
		"headers#added": {
			request: { add: { "x-a": "1" }, remove: ["x-b"] },
			response: { add: { "x-c": "1" }, set: { "x-d": "1" } },
		},
		weight: 100,
	}),
	...fields("out destination", [...web, ...wire], { "share#second": true }),
	...fields("routes", web, {
		redirect: { match: [{ uri: { exact: "/old" } }], redirect: { uri: "/new", redirectCode: 308 } },
		"redirect#scheme": {
			match: [{ uri: { exact: "/old" } }],
			redirect: { scheme: "https", derivePort: "FROM_PROTOCOL_DEFAULT" },
		},
		"redirect#port": {
			match: [{ uri: { exact: "/old" } }],
			redirect: { authority: "new.example.org", port: 8443 },
		},
		directResponse: {
			match: [{ uri: { prefix: "/teapot" } }],
			directResponse: { status: 418, body: { string: "short" } },
		},
		"directResponse#bytes": {
			match: [{ uri: { prefix: "/teapot" } }],
			directResponse: { status: 418, body: { bytes: "c2hvcnQ=" } },
		},
		delegate: {
			match: [{ uri: { prefix: "/rest" } }],
			timeout: "8s",
			delegate: { name: "rest" },
		},
		"route#port": {
			match: [{ uri: { prefix: "/other" } }],
			route: [{ destination: { host: "@", port: { number: 8080 } } }],
		},
		"route#fast": {
			match: [{ uri: { prefix: "/fast/" } }],
			timeout: "1s",
			route: [{ destination: { host: "@", port: { number: 0 } } }],
		},
	}),
	...fields("route", [...web, ...wire], {
		"exportTo#own": ["."],
		"exportTo#all": ["*"],
		"hosts#two": ["@", "second.@"],
	}),
	...fields("server", [...web, ...wire], {
		bind: "127.0.0.1",
		defaultEndpoint: "127.0.0.1:80",
		name: "named",
		"hosts#prefix": ["./@"],
		"hosts#any": ["*"],
	}),
	...fields("server tls", ["mutual"], {
		minProtocolVersion: "TLSV1_2",
		maxProtocolVersion: "TLSV1_3",
		cipherSuites: ["ECDHE-RSA-AES128-GCM-SHA256"],
		subjectAltNames: ["spiffe://cluster.local/ns/till/sa/till"],
	}),
	...fields("server tls", ["http"], { httpsRedirect: true }),
	...fields("server", ["http"], {
		"port#target": { number: 80, name: "main", protocol: "HTTP", targetPort: 10080 },
	}),
	...fields("server tls", ["simple"], {
		credentialName: "other",
		insecureSkipVerify: true,
		verifyCertificateHash: ["0".repeat(64)],
		verifyCertificateSpki: [`${"A".repeat(43)}=`],
		"whole#files": { mode: "SIMPLE", serverCertificate: "/s.pem", privateKey: "/k.pem" },
		"whole#mutual": {
			mode: "MUTUAL",
			serverCertificate: "/s.pem",
			privateKey: "/k.pem",
			caCertificates: "/ca.pem",
			caCrl: "/crl.pem",
		},
		"whole#optional": { mode: "OPTIONAL_MUTUAL", credentialName: "own", caCertCredentialName: "ca" },
		"whole#two": { mode: "SIMPLE", credentialNames: ["rsa", "ecdsa"] },
		"whole#pairs": {
			mode: "SIMPLE",
			tlsCertificates: [
				{ serverCertificate: "/s.pem", privateKey: "/k.pem", caCertificates: "/ca.pem" },
				{ serverCertificate: "/t.pem", privateKey: "/l.pem" },
			],
		},
	}),
	...fields("rule", [...web, ...wire], {
		"exportTo#own": ["."],
		"exportTo#all": ["*"],
		workloadSelector: { matchLabels: { istio: "egressgateway" } },
	}),
	...fields("host", [...web, ...wire], {
		...settings,
		...tlsModes,
		...wholeOnly,
	}),
	...fields("port", [...web, ...wire], { ...settings, ...tlsModes }),
	...fields("subset", [...web, ...wire], { ...settings, ...tlsModes, ...wholeOnly }),
	...fields("subset itself", [...web, ...wire], { labels: { v: "1" } }),
	...fields("subset port", [...web, ...wire], { ...settings, ...tlsModes }),
	...fields("entry", [...web, ...wire], {
		addresses: ["198.51.100.7"],
		endpoints: [
			{ address: "one.example.org" },
			{ address: "two.example.org", weight: 3, locality: "r/z", labels: { v: "1" } },
		],
		"endpoints#ports": [{ address: "one.example.org", ports: { main: 9443 } }],
		"endpoints#places": [
			{ address: "one.example.org", network: "n", serviceAccount: "sa", locality: "r/z" },
			{ address: "two.example.org", locality: "s/z" },
		],
		"+#workloads": { workloadSelector: { labels: { app: "way" } }, resolution: "STATIC" },
		subjectAltNames: ["san.example.org"],
		"exportTo#own": ["."],
		"exportTo#all": ["*"],
		"resolution#none": "NONE",
		"resolution#robin": "DNS_ROUND_ROBIN",
		"location#outside": "MESH_EXTERNAL",
	}),
	...fields("entry port", ["http", "split", "mutual", ...wire], { targetPort: 8443 }),
	...fields("entry metadata", [...web, ...wire], {
		annotations: { owner: "till" },
		"labels#own": { team: "till" },
	}),
	...fields("source", [...web, ...wire], {
		principals: ["cluster.local/ns/till/sa/till", "*/sa/x"],
		notPrincipals: ["*/sa/y"],
		namespaces: ["till"],
		notNamespaces: ["bad"],
		ipBlocks: ["10.0.0.0/8"],
		notIpBlocks: ["10.1.0.0/16"],
		serviceAccounts: ["till/till"],
		notServiceAccounts: ["till/bad"],
		trustDomains: ["cluster.local"],
		notTrustDomains: ["other.example"],
	}),
	...fields("source", web, {
		requestPrincipals: ["*"],
		notRequestPrincipals: ["issuer/bad"],
		remoteIpBlocks: ["10.0.0.0/8"],
		notRemoteIpBlocks: ["10.1.0.0/16"],
	}),
	...fields("operation", ["http", "origination", "split", ...wire], {
		"ports#own": ["%"],
		"ports#other": ["9999"],
		"notPorts#own": ["%"],
		"notPorts#other": ["9999"],
	}),
	...fields("operation", web, {
		"hosts#own": ["@"],
		"hosts#port": ["@:80", "@"],
		"hosts#other": ["other.example"],
		"hosts#any": ["*"],
		"notHosts#own": ["@"],
		"notHosts#other": ["other.example"],
		methods: ["GET"],
		notMethods: ["POST"],
		paths: ["/v1/*"],
		notPaths: ["/v1/admin"],
		"paths#template": ["/v1/{*}/a"],
	}),
	...Object.entries(conditions).map(([name, value]) => ({
		name: `condition: ${name}`,
		bases:
			name === "destination.port"
				? [...web.filter((base) => base !== "mutual"), ...wire]
				: /^(?:request|remote)/.test(name)
					? web
					: [...web, ...wire],
		slot: "condition" as const,
		field: name,
		value,
	})),
	...fields("action", [...web, ...wire], {
		"action#deny": "DENY",
		"action#audit": "AUDIT",
		"action#nobody": "ALLOW NOBODY",
	}),
	...[
		"Telemetry",
		"EnvoyFilter",
		"WasmPlugin",
		"PeerAuthentication",
		"ProxyConfig",
		"RequestAuthentication",
	].map((kind) => ({
		name: `object: ${kind}`,
		bases: web,
		slot: "object" as const,
		field: kind,
		value: kind,
	})),
];

const lately =
	/#(?:ping|errors|codes|cookie|minimum|distribute|failover|slow|zones?|crl|system|interval|subset|old|patterns|grpc|percent|added|bytes|target|places|workloads|mirror.*)$|#redirect#port$|redirect#port$|(?:method|scheme|authority)#prefix$|(?:scheme|authority)#regex$|: (?:delegate|sourceSubnet|(?:not)?[tT]rustDomains)$|^(?:subset itself|entry port|server tls: (?:whole|verify|credentialName|insecureSkip))|^(?:hop|out): name$|^subset: tunnel$/;

/** The features whose effect was compared alone and in pairs: 3 seeds of 200 bundles. The others were compared alone. */
export const compared: readonly Feature[] = features.filter(({ name }) => !lately.test(name));

/** A generated way out, with what of it each feature is. */
export interface GeneratedBundle {
	readonly base: Base;
	readonly features: readonly Feature[];
	/** Where each feature stands: kind, and the beginning of the paths in the ledger. */
	readonly places: ReadonlyMap<Feature, { readonly kind: string; readonly path: string }>;
	readonly objects: readonly Json[];
	readonly text: string;
	readonly host: string;
	/** The port that clients use, and the gateway's port that leads on. */
	readonly port: number;
	readonly gatewayPort: number;
}

/** The Service of the egress gateway. */
export const egressGateway = "istio-egressgateway.istio-system.svc.cluster.local";

/** What ports a way out has: the clients', the gateway's, the one to which the gateway connects. */
function portsOf(base: Base): {
	readonly client: number;
	readonly listener: number;
	readonly target: number;
} {
	switch (base) {
		case "origination":
			return { client: 80, listener: 80, target: 443 };
		case "mutual":
		case "simple":
			return { client: 80, listener: 443, target: 80 };
		case "tls":
			return { client: 443, listener: 443, target: 443 };
		case "tcp":
			return { client: 5432, listener: 5432, target: 5432 };
		default:
			return { client: 80, listener: 80, target: 80 };
	}
}

/** The objects of a way out, and the parts of them that features are put into. */
interface Parts {
	readonly name: string;
	readonly base: Base;
	readonly family: "http" | "tls" | "tcp";
	readonly host: string;
	readonly client: number;
	readonly listener: number;
	readonly target: number;
	readonly ports: Tree[];
	readonly entry: Tree;
	readonly gateway: Tree;
	readonly server: Tree;
	readonly route: Tree;
	readonly clients: Tree;
	readonly hop: Tree;
	readonly out: Tree;
	readonly outIndex: number;
	readonly rule: Tree;
	readonly whole: Tree;
	readonly level: Tree;
	readonly subset: Tree;
	readonly subsetPolicy: Tree;
	readonly subsetLevel: Tree;
	readonly policy: Tree;
	readonly source: Tree;
	readonly operation: Tree;
	readonly when: unknown[];
	readonly extra: Tree[];
}

const istio = "networking.istio.io/v1";

function plainParts(name: string, base: Base): Parts {
	const host = `api.${name}.example`;
	const { client, listener, target } = portsOf(base);
	const family = base === "tls" ? "tls" : base === "tcp" ? "tcp" : "http";
	const sni = base === "tls" ? { sniHosts: [host] } : {};
	const protocol = { tls: "TLS", tcp: "TCP", http: "HTTP" }[family];
	const object = (kind: string, own: string, spec: unknown): Tree => ({
		apiVersion: istio,
		kind,
		metadata: { name: own, namespace: name },
		spec,
	});
	const ports: Tree[] = [
		{ number: client, name: "main", protocol },
		...(base === "origination" ? [{ number: 443, name: "https", protocol: "HTTPS" }] : []),
	];
	const tls = {
		tls: { mode: "PASSTHROUGH" },
		mutual: { mode: "ISTIO_MUTUAL" },
		simple: { mode: "SIMPLE", credentialName: "own" },
	}[base as string];
	const server: Tree = {
		port: {
			number: listener,
			name: "main",
			protocol: listener === 443 && family === "http" ? "HTTPS" : protocol,
		},
		hosts: [host],
		...(tls === undefined ? {} : { tls: { ...tls } as Tree }),
	};
	const hop: Tree = {
		match: [{ gateways: ["mesh"], port: client, ...sni }],
		route: [{ destination: { host: egressGateway, port: { number: listener } } }],
	};
	const out: Tree = {
		match: [{ gateways: [name], port: listener, ...sni }],
		route: [{ destination: { host, port: { number: target } } }],
	};
	const isSplit = base === "split";
	const routeSpec = isSplit
		? { hosts: [host], gateways: [name], [family]: [out] }
		: { hosts: [host], gateways: ["mesh", name], [family]: [hop, out] };
	const selector = { istio: "egressgateway", world: name };
	return {
		name,
		base,
		family,
		host,
		client,
		listener,
		target,
		ports,
		entry: object("ServiceEntry", name, { hosts: [host], ports, resolution: "DNS" }),
		gateway: object("Gateway", name, { selector, servers: [server] }),
		server,
		route: object("VirtualService", name, routeSpec),
		clients: object("VirtualService", `${name}-clients`, {
			hosts: [host],
			gateways: ["mesh"],
			[family]: [hop],
		}),
		hop,
		out,
		outIndex: isSplit ? 0 : 1,
		rule: object("DestinationRule", name, { host }),
		whole: {},
		level: {
			port: { number: target },
			...(base === "origination" ? { tls: { mode: "SIMPLE", sni: host } } : {}),
		},
		subset: { name: "sub" },
		subsetPolicy: {},
		subsetLevel: { port: { number: target } },
		policy: {
			apiVersion: "security.istio.io/v1",
			kind: "AuthorizationPolicy",
			metadata: { name, namespace: "istio-system" },
			spec: { selector: { matchLabels: selector } },
		},
		source: {},
		operation: {},
		when: [],
		extra: [],
	};
}

interface Place {
	readonly kind: string;
	readonly path: string;
}

interface Spot extends Place {
	readonly tree: Tree;
}

const first = (value: unknown): Tree => (value as Tree[])[0] ?? {};

/** Where a field of a slot stands; undefined for slots that are more than a field. */
function spotOf(slot: Slot, parts: Parts): Spot | undefined {
	const { family, outIndex } = parts;
	const [hop, out] = [`spec.${family}[0]`, `spec.${family}[${outIndex}]`];
	const spot = (tree: unknown, kind: string, path: string): Spot => ({ tree: tree as Tree, kind, path });
	const spots: Readonly<Partial<Record<Slot, Spot>>> = {
		hop: spot(parts.hop, "VirtualService", hop),
		"hop match": spot(first(parts.hop.match), "VirtualService", `${hop}.match[0]`),
		out: spot(parts.out, "VirtualService", out),
		"out match": spot(first(parts.out.match), "VirtualService", `${out}.match[0]`),
		"out destination": spot(first(parts.out.route), "VirtualService", `${out}.route[0]`),
		route: spot(parts.route.spec, "VirtualService", "spec"),
		server: spot(parts.server, "Gateway", "spec.servers[0]"),
		rule: spot(parts.rule.spec, "DestinationRule", "spec"),
		host: spot(parts.whole, "DestinationRule", "spec.trafficPolicy"),
		port: spot(parts.level, "DestinationRule", "spec.trafficPolicy.portLevelSettings[0]"),
		"subset itself": spot(parts.subset, "DestinationRule", "spec.subsets[0]"),
		"entry port": spot(parts.ports[0], "ServiceEntry", "spec.ports[0]"),
		subset: spot(parts.subsetPolicy, "DestinationRule", "spec.subsets[0].trafficPolicy"),
		"subset port": spot(
			parts.subsetLevel,
			"DestinationRule",
			"spec.subsets[0].trafficPolicy.portLevelSettings[0]",
		),
		entry: spot(parts.entry.spec, "ServiceEntry", "spec"),
		"entry metadata": spot(parts.entry.metadata, "ServiceEntry", "metadata"),
		source: spot(parts.source, "AuthorizationPolicy", "spec.rules[0].from[0].source"),
		operation: spot(parts.operation, "AuthorizationPolicy", "spec.rules[0].to[0].operation"),
	};
	return spots[slot];
}

function put(feature: Feature, parts: Parts): Place {
	const { slot, field } = feature;
	const value: unknown = JSON.parse(
		JSON.stringify(feature.value).replaceAll("@", parts.host).replaceAll("%", String(parts.listener)),
	);
	switch (slot) {
		case "routes":
			return putRoute(value as Tree, feature, parts);
		case "condition":
			parts.when.push(value);
			return { kind: "AuthorizationPolicy", path: `spec.rules[0].when[${parts.when.length - 1}]` };
		case "action":
			(parts.policy.spec as Tree).action = String(value).split(" ")[0];
			return { kind: "AuthorizationPolicy", path: "spec.action" };
		case "object":
			parts.extra.push(satellite(field, parts.name));
			return { kind: field, path: "spec" };
		case "server tls":
			if (field === "whole") {
				parts.server.tls = value;
				return { kind: "Gateway", path: "spec.servers[0].tls" };
			}
			parts.server.tls ??= {};
			(parts.server.tls as Tree)[field] = value;
			return { kind: "Gateway", path: `spec.servers[0].tls.${field}` };
		default: {
			const { tree, kind, path } = spotOf(slot, parts) ?? { tree: {}, kind: "", path: "" };
			if (field === "share") {
				return putShare(parts);
			}
			if (field === together) {
				Object.assign(tree, value);
				return { kind, path: `${path}.${Object.keys(value as Tree)[0]}` };
			}
			tree[field] = value;
			return { kind, path: `${path}.${field}` };
		}
	}
}

/** A second host that gets a part of the traffic. */
function putShare({ name, family, out, outIndex, target, ports, extra }: Parts): Place {
	const routes = out.route as Tree[];
	first(routes).weight = 80;
	routes.push({ destination: { host: `two.${name}.example`, port: { number: target } }, weight: 20 });
	extra.push({
		apiVersion: istio,
		kind: "ServiceEntry",
		metadata: { name: `${name}-two`, namespace: name },
		spec: { hosts: [`two.${name}.example`], ports: ports.map((port) => ({ ...port })), resolution: "DNS" },
	});
	return { kind: "VirtualService", path: `spec.${family}[${outIndex}].route[1]` };
}

/** One more route of the gateway, before the one for everything else. */
function putRoute(own: Tree, { name }: Feature, parts: Parts): Place {
	Object.assign(first(own.match), { gateways: [parts.name], port: parts.listener });
	for (const each of (own.route ?? []) as { destination: { port: { number: number } } }[]) {
		each.destination.port.number ||= parts.target;
	}
	if (own.delegate !== undefined) {
		own.delegate = { name: `${parts.name}-rest`, namespace: parts.name };
		parts.extra.push(delegateOf(parts));
	}
	if (name.endsWith("route#port")) {
		parts.ports.push({ number: 8080, name: "other", protocol: "HTTP" });
	}
	const list = (parts.route.spec as Record<string, Tree[]>)[parts.family] ?? [];
	list.splice(list.indexOf(parts.out), 0, own);
	return { kind: "VirtualService", path: `spec.${parts.family}[${list.indexOf(own)}]` };
}

/** The VirtualService to which a route hands over. */
function delegateOf({ name, host, target }: Parts): Tree {
	const route = [{ destination: { host, port: { number: target } } }];
	return {
		apiVersion: istio,
		kind: "VirtualService",
		metadata: { name: `${name}-rest`, namespace: name },
		spec: {
			http: [
				{ match: [{ uri: { prefix: "/rest/slow" } }], timeout: "9s", route },
				{ headers: { request: { set: { "x-a": "b" } } }, route },
			],
		},
	};
}

/** Puts the parts of a DestinationRule together; whether the way out has one. */
function finishRule(parts: Parts, has: (...slots: readonly Slot[]) => boolean): boolean {
	const { base, name, rule, whole, level, subset, subsetPolicy, subsetLevel, out } = parts;
	const spec = rule.spec as Tree;
	if (spec.workloadSelector !== undefined) {
		// A rule with a selector holds for proxies of its own namespace alone.
		rule.metadata = { name, namespace: "istio-system" };
	}
	if (has("subset", "subset itself", "subset port")) {
		(first(out.route).destination as Tree).subset = "sub";
		if (has("subset port")) {
			subsetPolicy.portLevelSettings = [subsetLevel];
		}
		spec.subsets = [{ ...subset, trafficPolicy: subsetPolicy }];
	}
	if (base === "origination" || has("port")) {
		whole.portLevelSettings = [level];
	}
	if (Object.keys(whole).length > 0) {
		spec.trafficPolicy = whole;
	}
	const isNamed = JSON.stringify(parts.route).includes('"subset":"sub"');
	if (isNamed && spec.subsets === undefined) {
		spec.subsets = [{ ...subset, trafficPolicy: { connectionPool: { tcp: { maxConnections: 3 } } } }];
	}
	return (
		isNamed || base === "origination" || has("rule", "host", "port", "subset", "subset itself", "subset port")
	);
}

function finishPolicy({ policy, source, operation, when }: Parts, chosen: readonly Feature[]): void {
	const isOpen = chosen.some((each) => each.slot === "action" && String(each.value).includes("NOBODY"));
	if (!isOpen) {
		(policy.spec as Tree).rules = [
			{
				...(Object.keys(source).length > 0 ? { from: [{ source }] } : {}),
				...(Object.keys(operation).length > 0 ? { to: [{ operation }] } : {}),
				...(when.length > 0 ? { when } : {}),
			},
		];
	}
}

/** A way out in a namespace of its own, whose name is part of every name in it, with features. */
export function makeBundle(name: string, base: Base, chosen: readonly Feature[]): GeneratedBundle {
	const parts = plainParts(name, base);
	const places = new Map(chosen.map((feature) => [feature, put(feature, parts)]));
	const has = (...slots: readonly Slot[]): boolean => chosen.some((each) => slots.includes(each.slot));
	const hasRule = finishRule(parts, has);
	const hasPolicy = has("source", "operation", "condition", "action");
	finishPolicy(parts, chosen);
	const objects = [
		parts.entry,
		parts.gateway,
		parts.route,
		...(base === "split" ? [parts.clients] : []),
		...(hasRule ? [parts.rule] : []),
		...(hasPolicy ? [parts.policy] : []),
		...parts.extra,
	] as readonly Json[];
	return {
		base,
		features: chosen,
		places,
		objects,
		text: objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join("---\n"),
		host: parts.host,
		port: parts.client,
		gatewayPort: parts.listener,
	};
}

/** An object that shapes the gateway's own proxy. */
function satellite(kind: string, name: string): Tree {
	const metadata = { name: `${name}-${kind.toLowerCase()}`, namespace: "istio-system" };
	const matchLabels = { istio: "egressgateway", world: name };
	const specs: Readonly<Record<string, readonly [string, Json]>> = {
		Telemetry: [
			"telemetry.istio.io/v1",
			{ selector: { matchLabels }, accessLogging: [{ providers: [{ name: "envoy" }] }] },
		],
		EnvoyFilter: [
			"networking.istio.io/v1alpha3",
			{
				workloadSelector: { labels: matchLabels },
				configPatches: [
					{
						applyTo: "CLUSTER",
						match: { context: "GATEWAY" },
						patch: { operation: "MERGE", value: { connect_timeout: "9s" } },
					},
				],
			},
		],
		WasmPlugin: [
			"extensions.istio.io/v1alpha1",
			{ selector: { matchLabels }, url: "oci://registry.example/filter" },
		],
		PeerAuthentication: ["security.istio.io/v1", { selector: { matchLabels }, mtls: { mode: "STRICT" } }],
		ProxyConfig: ["networking.istio.io/v1beta1", { selector: { matchLabels }, concurrency: 2 }],
		RequestAuthentication: [
			"security.istio.io/v1",
			{
				selector: { matchLabels },
				jwtRules: [{ issuer: "issuer", jwks: '{"keys":[]}', forwardOriginalToken: true }],
			},
		],
	};
	const [apiVersion, spec] = specs[kind] ?? ["v1", {}];
	return { apiVersion, kind, metadata, spec };
}

/** Numbers between 0 and 1 that a seed decides (mulberry32). */
export function randomOf(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** What one bundle of a run is made of. */
export interface Plan {
	readonly base: Base;
	readonly features: readonly Feature[];
}

/** The bundles of a seed: features alone and in twos and threes, each in a way out that can have them. */
export function plansOf(seed: number, count: number, list: readonly Feature[] = compared): readonly Plan[] {
	const random = randomOf(seed);
	const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
	const offset = Math.floor(random() * list.length);
	return Array.from({ length: count }, (_, index): Plan => {
		// The first in turn, so that few seeds have everything.
		const first = list[(offset + index) % list.length] as Feature;
		const base = pick(first.bases);
		const others = list.filter((each) => each.bases.includes(base));
		const chosen = [first];
		for (let more = Math.floor(random() * 3); more > 0; more--) {
			const next = pick(others);
			const isNew = chosen.every((each) => each.slot !== next.slot || each.field !== next.field);
			// What a hop says holds for every route behind it, which one place of a bundle cannot show.
			const slots = new Set([...chosen, next].map(({ slot }) => slot));
			const isClear = !(slots.has("routes") && slots.has("hop"));
			if (isNew && isClear) {
				chosen.push(next);
			}
		}
		return { base, features: chosen };
	});
}
