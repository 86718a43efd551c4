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
];
