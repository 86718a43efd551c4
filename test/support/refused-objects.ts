/** Objects that the API server refuses before any webhook is asked, and what lint must say; a test asks a real one. */
export interface RefusedObject {
	readonly what: string;
	readonly text: string;
	/** In what lint says. */
	readonly says: RegExp;
}

const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: refused
  namespace: default
spec:
  hosts: [refused.example.com]
  ports:
  - {number: 443, name: tls, protocol: TLS}
  resolution: DNS
`;

/** The object that all of these are made of; the API server takes it. */
export const takenObject: string = entry;

/** A Service that the API server takes, and one line more. */
function service(line: string): string {
	return `apiVersion: v1\nkind: Service\nmetadata: {name: refused, namespace: default}\nspec:\n  ports: [{port: 80}]\n  ${line}\n`;
}

/** A Gateway of the Gateway API with one address. */
function waypoint(address: string): string {
	return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: refused, namespace: default}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
  addresses: [{type: IPAddress, value: "${address}"}]
`;
}

export const refusedObjects: readonly RefusedObject[] = [
	{
		what: "a field in the spelling of protocol buffers",
		text: entry.replace("  resolution", "  export_to: ['.']\n  resolution"),
		says: /^spec\.export_to: there is no such field; did you mean "exportTo"; the API server refuses this ServiceEntry$/,
	},
	{
		what: "a misspelt field within a list",
		text: entry.replace("protocol: TLS}", "protocol: TLS, target_port: 8443}"),
		says: /^spec\.ports\[0\]\.target_port: there is no such field; did you mean "targetPort"/,
	},
	{
		what: "a field that is not like any",
		text: entry.replace("  resolution", "  quux: 1\n  resolution"),
		says: /^spec\.quux: there is no such field; the API server/,
	},
	{
		what: "a field beside metadata",
		text: `${entry}extra: 1\n`,
		says: /^extra: there is no such field/,
	},
	{
		what: "an unknown field of metadata",
		text: entry.replace("  namespace: default", "  namespace: default\n  label: {a: b}"),
		says: /^metadata\.label: there is no such field; did you mean "labels"/,
	},
	{
		what: "a version that is not served",
		text: entry.replace("istio.io/v1", "istio.io/v2"),
		says: /^apiVersion: "networking\.istio\.io\/v2" is not served; write networking\.istio\.io\/v1/,
	},
	{
		what: "a kind in another group",
		text: entry.replace("networking.istio.io/v1", "networking.k8s.io/v1"),
		says: /^apiVersion: "networking\.k8s\.io\/v1" has no kind ServiceEntry; write networking\.istio\.io\/v1/,
	},
	{
		what: "a name with capitals",
		text: entry.replace("name: refused", "name: Refused"),
		says: /^metadata\.name: "Refused" is no name/,
	},
	{
		what: "a name with an underscore",
		text: entry.replace("name: refused", "name: re_fused"),
		says: /^metadata\.name: "re_fused" is no name/,
	},
	{
		what: "no name",
		text: entry.replace("  name: refused\n", ""),
		says: /^metadata\.name: a name is missing/,
	},
	{
		what: "a label with a blank in its value",
		text: entry.replace("  namespace: default", "  namespace: default\n  labels: {team: the shop}"),
		says: /^metadata\.labels\.team: "the shop" is no value of a label/,
	},
	{
		what: "a label that is too long",
		text: entry.replace("  namespace: default", `  namespace: default\n  labels: {team: ${"x".repeat(64)}}`),
		says: /is no value of a label/,
	},
	{
		what: "a key of a label with two slashes",
		text: entry.replace("  namespace: default", "  namespace: default\n  labels: {a/b/c: d}"),
		says: /^metadata\.labels\["a\/b\/c"\]: this is no key of a label/,
	},
	{
		what: "a key of an annotation that ends with a hyphen",
		text: entry.replace("  namespace: default", "  namespace: default\n  annotations: {a-: d}"),
		says: /^metadata\.annotations\["?a-"?\]?: this is no key of an annotation|^metadata\.annotations\.a-: this is no key/,
	},
	{
		what: "an unknown field of a route",
		text: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: refused, namespace: default}
spec:
  hosts: [refused.example.com]
  tls:
  - match: [{port: 443, sni_hosts: [refused.example.com]}]
    route: [{destination: {host: refused.example.com}}]
`,
		says: /^spec\.tls\[0\]\.match\[0\]\.sni_hosts: there is no such field; did you mean "sniHosts"/,
	},
	{
		what: "an unknown field of a kind that no rule judges",
		text: `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: refused, namespace: default}
spec: {concurency: 1}
`,
		says: /^spec\.concurency: there is no such field; did you mean "concurrency"; the API server refuses this ProxyConfig/,
	},
	{
		what: "a Namespace whose name has a dot",
		text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: re.fused}\n",
		says: /^metadata\.name: "re\.fused" is no name: at most 63 small letters/,
	},
	{
		what: "a kind in small letters",
		text: entry.replace("kind: ServiceEntry", "kind: serviceentry"),
		says: /^kind: "serviceentry" is no kind; write ServiceEntry; the API server refuses this serviceentry$/,
	},
	{
		what: "a kind with a character that nobody sees",
		text: entry.replace("kind: ServiceEntry", "kind: ServiceEntry\u{200b}"),
		says: /^kind: "ServiceEntry\u{fffd}" is no kind; write ServiceEntry/u,
	},
	{
		what: "an object whose kind is missing",
		text: entry.replace("kind: ServiceEntry", "Kind: ServiceEntry"),
		says: /^kind: is missing; write which of "networking\.istio\.io\/v1" it is/,
	},
	{
		what: "an object whose version is missing",
		text: entry.replace("apiVersion:", "apiversion:"),
		says: /^apiVersion: is missing; write networking\.istio\.io\/v1; the API server refuses this ServiceEntry$/,
	},
	{
		what: "a misspelt kind",
		text: entry.replace("kind: ServiceEntry", "kind: ServiceEntyr"),
		says: /^kind: "ServiceEntyr" is no kind; write ServiceEntry/,
	},
	{
		what: "an item of a List without an apiVersion",
		text: "apiVersion: v1\nkind: List\nitems:\n- kind: Namespace\n  metadata: {name: refused}\n",
		says: /^apiVersion: is missing; write v1/,
	},
	{
		what: "an apiVersion with two slashes",
		text: entry.replace("istio.io/v1", "istio.io/v1/"),
		says: /^apiVersion: "networking\.istio\.io\/v1\/" is none/,
	},
	{
		what: "a finalizer of a Namespace that has no domain",
		text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: refused, finalizers: [mine]}\n",
		says: /^metadata\.finalizers\[0\]: "mine" is no name of a finalizer, such as example\.com\/name/,
	},
	{
		what: "a finalizer in the spec of a Namespace that has no domain",
		text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: refused}\nspec: {finalizers: [mine]}\n",
		says: /^spec\.finalizers\[0\]: "mine" is no name of a finalizer/,
	},
	...[
		"2026-02-30T00:00:00Z",
		"2026-01-01t00:00:00z",
		"2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00+25:00",
	].map((time) => ({
		what: `a time that Go does not read, ${time}`,
		text: entry.replace("  namespace:", `  creationTimestamp: "${time}"\n  namespace:`),
		says: /^metadata\.creationTimestamp: .* is no date and time, such as 2026-01-31T08:00:00Z/,
	})),
	{
		what: "a prefix of a name with capitals before its hyphen",
		text: entry.replace("name: refused", "generateName: Ab-"),
		says: /^metadata\.generateName: "Ab-" begins no name/,
	},
	{
		what: "a prefix from which no name can be made",
		text: entry.replace("name: refused", "generateName: A-"),
		says: /^metadata\.generateName: "A-" begins no name/,
	},
	{
		what: "addresses of a Service that are null",
		text: service("externalIPs: [null]"),
		says: /^spec\.externalIPs\[0\]: "" is no address of an outside/,
	},
	...["::ffff:1.2.3.4", "febf::1", "0:0:0:0:0:0:0:1", "ff12::1", "224.0.0.7"].map((address) => ({
		what: `an external address of the inside, ${address}`,
		text: service(`externalIPs: ["${address}"]`),
		says: /^spec\.externalIPs\[0\]: .* is no address of an outside/,
	})),
	...["internalTrafficPolicy", "trafficDistribution", "ipFamilyPolicy"].map((field) => ({
		what: `a Service whose ${field} has no characters`,
		text: service(`${field}: ""`),
		says: /^spec\.\w+: "" is none of /,
	})),
	{
		what: "a class of load balancers for a Service that has none",
		text: service("loadBalancerClass: example.com/a"),
		says: /^spec\.loadBalancerClass: only a Service of type LoadBalancer has one/,
	},
	{
		what: "a class of load balancers that is no name",
		text: service("type: LoadBalancer\n  loadBalancerClass: a b"),
		says: /^spec\.loadBalancerClass: "a b" is no name of a class/,
	},
	{
		what: "an address with a zone in a Gateway",
		text: waypoint("fe80::1%eth0"),
		says: /^spec\.addresses\[0\]/,
	},
];

/** Odd objects that the API server takes all the same. */
export const takenObjects: readonly string[] = [
	takenObject,
	...["2026-01-01T00:00:00,5Z", "2026-01-01T1:00:00Z", "2024-02-29T00:00:00+24:00"].map((time) =>
		entry.replace("  namespace:", `  creationTimestamp: "${time}"\n  namespace:`),
	),
	...["A-", "aB-", "--"].map((prefix) =>
		entry.replace("name: refused", `name: refused\n  generateName: "${prefix}"`),
	),
	entry.replace("name: refused", `generateName: ${"a".repeat(250)}-`),
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: refused, finalizers: [kubernetes, example.com/a]}\n",
	...["2001:DB8:0:0::1", "239.0.0.1", "ff05::1"].map((address) => service(`externalIPs: ["${address}"]`)),
	service('sessionAffinity: ""'),
	waypoint("01.2.3.4"),
	waypoint("2001:db8::1"),
];
