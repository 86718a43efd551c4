import type { Arbitrary } from "fast-check";
import {
	array,
	constant,
	constantFrom,
	integer,
	oneof,
	option,
	record,
	tuple,
	uniqueArray,
} from "fast-check";

/** A ServiceEntry whose fields may be anything, with the metadata that every object needs. */
export interface GeneratedEntry {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: {
		readonly name: string;
		readonly namespace: string;
		readonly labels?: Readonly<Record<string, string>>;
		readonly annotations?: Readonly<Record<string, string>>;
	};
	readonly spec: Readonly<Record<string, unknown>>;
	readonly [field: string]: unknown;
}

const label63 = "a".repeat(63);
const host: Arbitrary<string> = constantFrom(
	"api.example.com",
	"www.example.org",
	"a.b.c.example.net",
	"UPPER.example.com",
	"localhost",
);
const wildcardHost: Arbitrary<string> = constantFrom(
	"*.example.com",
	"*.a.example.org",
	"*.com",
	"*-x.example.com",
);
const oddHost: Arbitrary<unknown> = constantFrom<unknown>(
	"*",
	"*.",
	"*foo.com",
	"*-foo.com",
	"fo*o.com",
	"a.*.com",
	"foo_bar.com",
	"10.0.0.1",
	"12345",
	"a.12345",
	"a.+1",
	"a.-5",
	"a.-",
	"a.99999999999999999999",
	"a.9223372036854775807",
	"a.9223372036854775808",
	"a.-9223372036854775808",
	"a.0x10",
	"a.1_000",
	"",
	".",
	"..",
	"a..b",
	".a",
	"trailing.example.com.",
	"trailing.example.com..",
	"*.trailing.com.",
	"ünïcode.com",
	"-a.com",
	"a-.com",
	"a.-b.com",
	`${label63}.com`,
	`${label63}a.com`,
	`*${label63}.com`,
	`${"a.".repeat(127)}a`,
	`${"a.".repeat(127)}aa`,
	`${"ü".repeat(128)}`,
	"2001:db8::1",
	"xn--nxasmq6b.com",
	"a b.com",
	"*.*.com",
	"**.com",
	"*a",
	"*-",
	"*-a",
	"http://example.com",
	"example.com/path",
	"example.com:443",
	5,
	null,
	{},
	true,
);
const address: Arbitrary<string> = constantFrom(
	"203.0.113.10",
	"203.0.113.11",
	"2001:db8::1",
	"198.51.100.0/24",
	"2001:db8::/32",
	"10.0.0.1/32",
);
const singleAddress: Arbitrary<string> = constantFrom("203.0.113.10", "2001:db8::1");
const oddAddress: Arbitrary<unknown> = constantFrom<unknown>(
	"1.2.3.4/33",
	"1.2.3",
	"1.2.3.4.5",
	"01.2.3.4",
	"256.1.1.1",
	"abc",
	"",
	"/",
	"1.2.3.4/",
	"/24",
	"1.2.3.4/24/3",
	"1.2.3.4/024",
	"1.2.3.4/+8",
	"fe80::1%eth0",
	"fe80::1%",
	"fe80::1%eth0/64",
	"fe80::1%a/b/c",
	"1.2.3.4%eth0",
	"%eth0",
	"::ffff:1.2.3.4",
	"::ffff:1.2.3.4/96",
	"::ffff:1.2.3.4/120",
	"::1.2.3.4",
	"1::2::3",
	":::",
	"::",
	"1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7::",
	"::2:3:4:5:6:7:8",
	"1:2:3:4::5:6:7:8",
	"1:2:3:4:5:6:1.2.3.4",
	"::12345",
	"::g",
	"0.0.0.0/0",
	"::/0",
	"::/129",
	" 1.2.3.4",
	"1.2.3.4 ",
	"host.example.com",
	`${"1".repeat(65)}`,
	"١.2.3.4",
	7,
	null,
	["1.2.3.4"],
);
const protocol: Arbitrary<string> = constantFrom(
	"HTTP",
	"HTTPS",
	"TLS",
	"TCP",
	"GRPC",
	"HTTP2",
	"http",
	"Tcp",
	"grpc-web",
	"GRPC-Web",
	"HTTP_PROXY",
	"MONGO",
	"redis",
	"MySQL",
	"UDP",
	"",
);
const oddProtocol: Arbitrary<unknown> = constantFrom<unknown>(
	"HBONE",
	"DoubleHBONE",
	"websocket",
	"h2c",
	"SCTP",
	"tcp ",
	"tlſ",
	"GRPC_WEB",
	"UnsupportedProtocol",
	"x".repeat(257),
	4,
	null,
	{},
);
const oddPortName: Arbitrary<unknown> = constantFrom<unknown>(
	"",
	"http_x",
	"-a",
	"a-",
	"HTTP",
	label63,
	`${label63}a`,
	"x".repeat(257),
	"a.b",
	"ü",
	80,
	null,
);
const oddPort: Arbitrary<unknown> = constantFrom<unknown>(
	0,
	-1,
	65535,
	65536,
	4294967295,
	4294967296,
	1e30,
	443.5,
	"443",
	null,
	true,
);

const port: Arbitrary<Record<string, unknown>> = record(
	{
		number: constantFrom(80, 443, 8080, 5432, 1, 65535),
		name: constantFrom("http", "https", "tcp", "a", "db-1"),
		protocol,
		targetPort: constantFrom(443, 8443, 80),
	},
	{ requiredKeys: ["number", "name"] },
);

const ports: Arbitrary<unknown> = uniqueArray(port, { maxLength: 3, selector: (each) => each.number }).map(
	(list) => list.map((each, index) => ({ ...each, name: `${String(each.name)}${index}` })),
);

const resolution: Arbitrary<string> = constantFrom(
	"NONE",
	"STATIC",
	"DNS",
	"DNS",
	"DNS_ROUND_ROBIN",
	"DYNAMIC_DNS",
	"DYNAMIC_DNS",
);

const endpoint = (address: Arbitrary<string>): Arbitrary<Record<string, unknown>> =>
	record(
		{
			address,
			network: constantFrom("n1", ""),
			ports: constantFrom<unknown>({}, {}, { http0: 8080 }),
			labels: constantFrom<unknown>({}, { app: "x", "example.com/tier": "db" }),
			locality: constant("eu/a"),
			weight: constantFrom(0, 1, 100),
			serviceAccount: constant("sa"),
		},
		{ requiredKeys: ["address"] },
	);

const odd = {
	endpointAddress: constantFrom<unknown>(
		"",
		"unix://",
		"unix:///var/run/x.sock",
		"unix:///dir/",
		"unix://@abstract",
		"unix://@abstract/",
		"unix://relative",
		"unix:/x",
		"UNIX:///x",
		"unix://@",
		"*.example.com",
		"not_valid",
		"1.2.3.4",
		"fe80::1%eth0",
		"10.0.0.0/8",
		"api.example.com:443",
		"a".repeat(257),
		"ü.com",
		"12345",
		null,
		9,
	),
	endpointPorts: constantFrom<unknown>(
		{ nope: 80 },
		{ http0: 0 },
		{ http0: 65536 },
		{ http0: -1 },
		{ "": 80 },
		{ a_b: 80 },
		{ [label63]: 80 },
		{ ["b".repeat(62)]: 80 },
		{ [`${label63}a`]: 80 },
		{ http0: "80" },
		{ http0: null },
		{ http0: 80.5 },
		[],
		null,
	),
	labels: constantFrom<unknown>(
		{ "": "x" },
		{ "a b": "x" },
		{ app: "a b" },
		{ app: "-x" },
		{ "example.com/": "x" },
		{ "/x": "y" },
		{ "Example.COM/x": "y" },
		{ [`${"a".repeat(64)}`]: "x" },
		{ [`${`${label63}.`.repeat(4)}com/x`]: "y" },
		{ app: "v".repeat(64) },
		{ app: "v".repeat(70) },
		{ app: "" },
		{ app: null },
		{ app: 5 },
		"app=x",
		null,
	),
	endpoint: constantFrom<unknown>(
		{},
		{ network: "n1" },
		{ network: "" },
		{ address: "" },
		{ address: "", network: "n1" },
		{ address: null },
		null,
		"1.2.3.4",
		{ address: "1.2.3.4", weight: -1 },
		{ address: "1.2.3.4", weight: 4294967296 },
		{ address: "1.2.3.4", locality: "l".repeat(2049) },
		{ address: "1.2.3.4", serviceAccount: "s".repeat(254) },
		{ address: "1.2.3.4", unknown: 1 },
	),
	selector: constantFrom<unknown>(
		{},
		{ labels: {} },
		{ labels: { app: "x" } },
		{ labels: { app: "*" } },
		{ labels: { "a*": "x" } },
		{ labels: { "": "x" } },
		{ labels: { app: "v".repeat(64) } },
		{ labels: { app: "ü".repeat(63) } },
		{ labels: { app: null } },
		{ labels: null },
		{ labels: [] },
		null,
		[],
	),
	exportTo: constantFrom<unknown>(
		["."],
		["*"],
		["~"],
		[".", "."],
		[".", "default"],
		["default", "default"],
		["*", "."],
		["~", "."],
		["~", "~"],
		["*", "*"],
		["*", "~"],
		["Bad_Name"],
		[""],
		["a.b"],
		["other", "UPPER"],
		[],
		null,
		"*",
		[null],
		[5],
	),
	resolution: constantFrom<unknown>("", "dns", "PASSTHROUGH", null, 1, "NONE"),
	location: constantFrom<unknown>("", "EXTERNAL", "MESH_INTERNAL", null, 0),
	subjectAltNames: constantFrom<unknown>(["spiffe://x"], [], null, "x", [5], [null]),
};

type Path = readonly (string | number)[];
interface Fault {
	readonly path: Path;
	readonly value: unknown;
}

const at = (path: Path, value: Arbitrary<unknown>): Arbitrary<Fault> =>
	value.map((each) => ({ path, value: each }));
const small = integer({ min: 0, max: 2 });
const inList = (list: string, value: Arbitrary<unknown>, ...rest: Path): Arbitrary<Fault> =>
	tuple(small, value).map(([index, each]) => ({ path: ["spec", list, index, ...rest], value: each }));

const fault: Arbitrary<Fault> = oneof(
	inList("hosts", oddHost),
	inList("hosts", oddHost),
	inList("hosts", wildcardHost),
	inList("addresses", oddAddress),
	inList("addresses", address),
	inList("ports", oddProtocol, "protocol"),
	inList("ports", protocol, "protocol"),
	inList("ports", oddPortName, "name"),
	inList("ports", oddPort, "number"),
	inList("ports", oddPort, "targetPort"),
	inList(
		"ports",
		constantFrom<unknown>(null, {}, "80", { number: 80 }, { name: "x" }, { number: 80, name: "http0" }),
	),
	inList("endpoints", odd.endpointAddress, "address"),
	inList("endpoints", odd.endpointPorts, "ports"),
	inList("endpoints", odd.labels, "labels"),
	inList("endpoints", odd.endpoint),
	at(["spec", "workloadSelector"], odd.selector),
	at(["spec", "exportTo"], odd.exportTo),
	at(["spec", "resolution"], oneof(odd.resolution, resolution)),
	at(["spec", "location"], odd.location),
	at(["spec", "subjectAltNames"], odd.subjectAltNames),
	at(
		["spec", "hosts"],
		constantFrom<unknown>(
			[],
			null,
			"api.example.com",
			undefined,
			{},
			Array.from({ length: 257 }, (_, index) => `h${index}.example.com`),
		),
	),
	at(["spec", "ports"], constantFrom<unknown>([], null, undefined, {}, "443")),
	at(["spec", "addresses"], constantFrom<unknown>([], null, {}, "1.2.3.4")),
	at(
		["spec", "endpoints"],
		constantFrom<unknown>([], null, undefined, {}, [{ address: "1.1.1.1" }, { address: "2.2.2.2" }]),
	),
	at(["spec", "unknown"], constantFrom<unknown>("x", {})),
	at(
		["metadata", "annotations"],
		constantFrom<unknown>(
			{ "istio.io/dry-run": "true" },
			{ "internal.istio.io/parents": "" },
			{ "internal.istio.io/parent-namespace": "a" },
			{ "internal.istio.io/webhook-always-reject": "false", "internal.istio.io/parents": "x" },
			{ "example.com/x": "y" },
		),
	),
	at(
		["metadata", "labels"],
		constantFrom<unknown>(
			{ "istio.io/use-waypoint": "egress" },
			{ "istio.io/use-waypoint": "None" },
			{ "istio.io/use-waypoint": "" },
			{ "networking.istio.io/enable-autoallocate-ip": "false" },
			{ "networking.istio.io/enable-autoallocate-ip": "FALSE" },
			{ "networking.istio.io/enable-autoallocate-ip": "no" },
		),
	),
);

function setAt(target: unknown, path: Path, value: unknown): unknown {
	const [step, ...rest] = path;
	if (step === undefined) {
		return value;
	}
	if (typeof step === "number") {
		const list: unknown[] = Array.isArray(target) ? [...target] : [];
		const index = Math.min(step, list.length);
		list[index] = setAt(list[index], rest, value);
		return list;
	}
	const map: Record<string, unknown> =
		typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
	map[step] = setAt(map[step], rest, value);
	return map;
}

/** Several hosts, and DYNAMIC_DNS, want protocols that name a host. */
function withNamingProtocols(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
	const { hosts, ports: written, resolution: mode } = spec;
	const isNaming = (hosts as readonly unknown[]).length > 1 && mode !== "NONE" && mode !== undefined;
	if (!isNaming && mode !== "DYNAMIC_DNS") {
		return spec;
	}
	const naming = (written as readonly object[]).map((each, index) => ({
		...each,
		protocol: ["HTTP", "TLS", "grpc"][index],
	}));
	return { ...spec, ports: naming };
}

const base: Arbitrary<GeneratedEntry> = resolution.chain((mode) =>
	record({
		hosts: uniqueArray(mode === "DYNAMIC_DNS" ? wildcardHost : host, { minLength: 1, maxLength: 3 }),
		addresses:
			mode === "DYNAMIC_DNS"
				? constant(undefined)
				: option(array(mode.startsWith("DNS") ? singleAddress : address, { maxLength: 2 }), {
						nil: undefined,
					}),
		ports,
		resolution: mode === "NONE" ? constantFrom<unknown>("NONE", undefined) : constant(mode),
		location: constantFrom<unknown>("MESH_EXTERNAL", undefined, "MESH_INTERNAL"),
		endpoints:
			mode === "NONE" || mode === "DYNAMIC_DNS"
				? constant(undefined)
				: option(
						array(
							endpoint(
								mode === "STATIC" ? constantFrom("1.1.1.1", "2001:db8::5") : oneof(host, constant("1.1.1.1")),
							),
							{ minLength: 1, maxLength: mode === "DNS_ROUND_ROBIN" ? 1 : 3 },
						),
						{ nil: undefined },
					),
	}).map((spec) => ({
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name: "generated", namespace: "default" },
		spec: Object.fromEntries(
			Object.entries(withNamingProtocols(spec)).filter(([, value]) => value !== undefined),
		),
	})),
);

const faults: Arbitrary<readonly Fault[]> = oneof(
	{ weight: 2, arbitrary: constant([]) },
	{ weight: 4, arbitrary: tuple(fault) },
	{ weight: 2, arbitrary: tuple(fault, fault) },
	{ weight: 1, arbitrary: tuple(fault, fault, fault) },
);

/** ServiceEntries that are mostly valid, with up to three faults of which each is one that somebody makes. */
export const serviceEntry: Arbitrary<GeneratedEntry> = tuple(base, faults).map(([entry, made]) => {
	const object = made.reduce<unknown>((before, { path, value }) => setAt(before, path, value), entry);
	// As JSON, so that what is undefined is absent.
	return JSON.parse(JSON.stringify(object)) as GeneratedEntry;
});
