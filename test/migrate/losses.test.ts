import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parseAllDocuments } from "yaml";
import { entry, gateway, gatewayHost, http, route, rule, steer, tls } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const host = "api.one.example";

interface Lines {
	readonly object: { readonly kind: string; readonly name: string };
	readonly path: string;
	readonly fate: string;
	readonly note: string;
}

interface Result {
	readonly code: number;
	readonly notes: string;
	readonly ledger: readonly Lines[];
	readonly report: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of every kind
	readonly written: ReadonlyMap<string, any>;
}

let runs = 0;

async function migrate(...documents: readonly string[]): Promise<Result> {
	const name = `loss-${runs++}`;
	const out = join(folder.path, name);
	const file = folder.write(`${name}.yaml`, documents.join("---\n"));
	const common = ["--waypoint", "istio-egress/egress", "--output", "json"];
	const { code, out: json, error } = await runVerb("migrate", file, "--out", out, ...common);
	assert.ok(code < 2, error);
	const { bundles } = JSON.parse(json) as {
		readonly bundles: readonly { readonly notes: readonly string[]; readonly ledger: readonly Lines[] }[];
	};
	const stages = ["1-add", "2-switch", "3-remove"].filter((stage) => existsSync(join(out, stage)));
	const files = stages.flatMap((stage) => readdirSync(join(out, stage)).map((each) => `${stage}/${each}`));
	return {
		code,
		notes: bundles.flatMap((each) => each.notes).join("\n"),
		ledger: bundles.flatMap((each) => each.ledger),
		report: readFileSync(join(out, "REPORT.md"), "utf8"),
		written: new Map(
			files.map((path) => [
				path,
				parseAllDocuments(readFileSync(join(out, path), "utf8")).map((each) => each.toJS())[0],
			]),
		),
	};
}

function lost({ ledger }: Result): readonly string[] {
	return ledger
		.filter(({ fate }) => fate === "not carried")
		.map(({ object, path }) => `${object.kind} ${path}`);
}

const toHost = (port: number, more = ""): string =>
	`  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: ${host}, port: {number: ${port}}${more}}}]
`;

const plainWay =
	entry("one", http) + gateway("HTTP", undefined, 80) + route(`  http:\n${steer(80)}${toHost(80)}`);

it("TLS of a port that begins in one of two subsets begins at the port that clients use", async () => {
	const { code, written } = await migrate(
		entry("one", http, tls) +
			gateway("HTTP", undefined, 80) +
			route(`  http:
${steer(80)}${toHost(443, ", subset: secure")}  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [${host}]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [one], port: 443, sniHosts: [${host}]}]
    route: [{destination: {host: ${host}, subset: through, port: {number: 443}}}]
`) +
			rule(`  subsets:
  - name: secure
    trafficPolicy:
      portLevelSettings:
      - {port: {number: 443}, tls: {mode: MUTUAL, credentialName: one-client, sni: ${host}}, connectionPool: {tcp: {maxConnections: 7}}}
  - name: through
    trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: DISABLE}}]}
`),
	);
	assert.equal(code, 0);
	const { subsets } = written.get("2-switch/destinationrule.shop.one.yaml").spec;
	const [secure, through] = subsets;
	const level = secure.trafficPolicy.portLevelSettings.find(
		(each: { port: { number: number } }) => each.port.number === 80,
	);
	assert.deepEqual(level, {
		port: { number: 80 },
		tls: { mode: "MUTUAL", credentialName: "one-client", sni: host },
		connectionPool: { tcp: { maxConnections: 7 } },
	});
	assert.deepEqual(through.trafficPolicy.portLevelSettings[0], {
		port: { number: 443 },
		tls: { mode: "DISABLE" },
	});
});

it("settings of the port behind the gateway that begin no TLS move to the clients' port as well", async () => {
	const { written } = await migrate(
		entry("one", http, tls) +
			gateway("HTTP", undefined, 80) +
			route(`  http:\n${steer(80)}${toHost(443)}`) +
			rule(`  trafficPolicy:
    tls: {mode: SIMPLE}
    portLevelSettings:
    - {port: {number: 443}, connectionPool: {tcp: {maxConnections: 7}}}
    - {port: {number: 80}, connectionPool: {tcp: {maxConnections: 1}}}
`),
	);
	const { trafficPolicy } = written.get("2-switch/destinationrule.shop.one.yaml").spec;
	const level = trafficPolicy.portLevelSettings.find(
		(each: { port: { number: number } }) => each.port.number === 80,
	);
	assert.deepEqual(level, { port: { number: 80 }, connectionPool: { tcp: { maxConnections: 7 } } });
});

for (const [where, policy] of [
	["the host", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}\n"],
	["a port", "  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: ISTIO_MUTUAL}}]}\n"],
	["a subset", "  subsets: [{name: s, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}]\n"],
	[
		"a port of a subset",
		"  subsets: [{name: s, trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: ISTIO_MUTUAL}}]}}]\n",
	],
] as const) {
	it(`ISTIO_MUTUAL of ${where} to the outside is lost, with its reason`, async () => {
		const subset = policy.includes("subsets") ? ", subset: s" : "";
		const result = await migrate(
			entry("one", http, tls) +
				gateway("HTTP", undefined, 80) +
				route(`  http:\n${steer(80)}${toHost(443, subset)}`) +
				rule(policy),
		);
		assert.equal(result.code, 1);
		const line = result.ledger.find(({ path }) => /tls\.mode$/.test(path));
		assert.equal(line?.fate, "not carried");
		assert.match(line?.note ?? "", /a waypoint passes over ISTIO_MUTUAL/);
		assert.match(result.notes, /plain text/);
		assert.match(result.report, /plain text/);
	});
}

const withTls = entry("one", http, tls) + gateway("HTTP", undefined, 80);
const to443 = route(`  http:\n${steer(80)}${toHost(443)}`);
const simple = (sni: string): string =>
	rule(`  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: ${sni}}}]}\n`);

for (const wide of ["*.one.example", "*.example", "*"]) {
	it(`a DestinationRule for ${wide} stays, and the host gets one for the ports of its clients`, async () => {
		const other = simple("sni.one.example").replace(`host: ${host}`, `host: "${wide}"`);
		const { code, written, notes } = await migrate(withTls + to443 + other);
		assert.equal(code, 0);
		const { spec } = written.get("2-switch/destinationrule.shop.one-api-one-example.yaml");
		assert.equal(spec.host, host);
		const level = { port: { number: 80 }, tls: { mode: "SIMPLE", sni: "sni.one.example" } };
		assert.deepEqual(spec.trafficPolicy.portLevelSettings, [level]);
		assert.ok(notes.includes(`is for \`${wide}\`: it stays as it is, and \`${host}\` gets one`), notes);
		assert.ok(![...written.keys()].some((path) => /3-remove.destinationrule/.test(path)));
	});
}

it("a DestinationRule for the pods of the gateway and a wildcard belongs to the way out", async () => {
	const own = simple("sni.one.example")
		.replace(`host: ${host}`, 'host: "*.one.example"')
		.replace("spec:\n", "spec:\n  workloadSelector: {matchLabels: {istio: egressgateway}}\n")
		.replace("namespace: shop", "namespace: istio-system");
	const { written, report } = await migrate(withTls + to443 + own);
	assert.match(report, /^1 way out found, 1 of them replaced/m);
	assert.equal(
		written.get("2-switch/destinationrule.istio-system.one-api-one-example.yaml")?.spec.host,
		host,
	);
});

it("of two DestinationRules for a host, the one that the gateway did not read stays, where the waypoint does not read it either", async () => {
	const elsewhere = simple("no.one.example").replace("namespace: shop", "namespace: elsewhere");
	const { code, ledger } = await migrate(withTls + to443 + simple("yes.one.example"), elsewhere);
	assert.equal(code, 0);
	const line = ledger.find(({ path, note }) => path === "spec.host" && /did not read it/.test(note));
	assert.equal(line?.fate, "implied");
});

it("a DestinationRule that goes before that of the gateway at the waypoint is named as not carried", async () => {
	const ofGateway = simple("gateway.one.example")
		.replace("namespace: shop", "namespace: egress")
		.replace("name: one", "name: gateway");
	const way = (withTls + to443).replaceAll("istio-system", "egress");
	const result = await migrate(way, ofGateway, simple("shop.one.example"));
	assert.equal(result.code, 1);
	assert.match(
		result.notes,
		/`shop\/one`: the waypoint reads it for api.one.example, and the egress gateway read egress\/gateway instead/,
	);
	assert.ok(lost(result).includes("DestinationRule spec.trafficPolicy.portLevelSettings[0].tls.sni"));
});

it("a private DestinationRule of the root namespace behind one of the entry's is named as not carried", async () => {
	const ofRoot = simple("root.one.example")
		.replace("namespace: shop", "namespace: istio-system")
		.replace("spec:\n", 'spec:\n  exportTo: ["."]\n');
	const result = await migrate(withTls + to443, ofRoot, simple("shop.one.example"));
	assert.equal(result.code, 1);
	assert.match(
		result.notes,
		/`istio-system\/one`: the waypoint does not read it for api.one.example: shop\/one goes before it/,
	);
});

const teamEntry = (team: string): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: code, namespace: ${team}}
spec: {exportTo: ["."], hosts: [${host}], resolution: DNS, ports: [${tls}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress, namespace: ${team}}
spec: {selector: {istio: egressgateway}, servers: [{port: ${tls}, hosts: [${host}], tls: {mode: PASSTHROUGH}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: code, namespace: ${team}}
spec:
  exportTo: ["."]
  hosts: [${host}]
  gateways: [mesh, egress]
  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [${host}]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [egress], port: 443, sniHosts: [${host}]}]
    route: [{destination: {host: ${host}, port: {number: 443}}}]
`;

const entriesIn = ({ written }: Result): readonly string[] =>
	[...written].filter(([, each]) => each.kind === "ServiceEntry").map(([path]) => path);

it("two teams' entries for one host at one waypoint: one is written, the other named", async () => {
	const result = await migrate(teamEntry("team-a"), teamEntry("team-b"));
	assert.equal(result.code, 1);
	const bound = entriesIn(result).filter((path) => !path.startsWith("3-remove"));
	assert.deepEqual(bound, ["2-switch/serviceentry.team-a.code.yaml"]);
	assert.match(result.notes, /a waypoint knows one ServiceEntry for a host/);
	assert.match(result.report, /Delete in the same window the other ServiceEntries for these hosts/);
	assert.ok(lost(result).includes("ServiceEntry spec.hosts[0]"));
});

it("two teams' entries for one host with a waypoint each are both bound", async () => {
	const name = (team: string): string =>
		`apiVersion: v1\nkind: Namespace\nmetadata: {name: ${team}, annotations: {egress.waymark.dev/waypoint: ${team}/own}}\n`;
	const out = join(folder.path, "own-waypoints");
	const file = folder.write(
		"own-waypoints.yaml",
		[teamEntry("team-a"), teamEntry("team-b"), name("team-a"), name("team-b")].join("---\n"),
	);
	await runVerb("migrate", file, "--out", out);
	const entries = readdirSync(join(out, "2-switch")).filter((each) => each.startsWith("serviceentry"));
	assert.equal(entries.length, 2);
});

it("REGISTRY_ONLY in the Sidecar of a client is lost", async () => {
	const sidecar = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}, egress: [{hosts: ["./*", "istio-system/*"]}]}
`;
	const way =
		entry("one", http) + gateway("HTTP", undefined, 80) + route(`  http:\n${steer(80)}${toHost(80)}`);
	const result = await migrate(way, sidecar);
	assert.equal(result.code, 1);
	assert.ok(lost(result).includes("Sidecar spec.outboundTrafficPolicy.mode"));
	assert.match(
		result.notes,
		/ambient has no REGISTRY_ONLY, so hosts without a ServiceEntry are reached directly/,
	);
	assert.match(result.notes, /NetworkPolicy/);
	assert.ok(!result.report.includes("nothing of them is deleted:\n\n- `Sidecar"));
});

const registryOnly = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";

for (const [where, text, path] of [
	[
		"Istio's ConfigMap",
		`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |-\n    accessLogFile: ""\n    ${registryOnly}\n`,
		"ConfigMap data.mesh",
	],
	[
		"an IstioOperator",
		`apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i}\nspec: {profile: demo, meshConfig: {${registryOnly}}}\n`,
		"IstioOperator spec.meshConfig.outboundTrafficPolicy.mode",
	],
	[
		"the Sail operator's Istio",
		`apiVersion: sailoperator.io/v1\nkind: Istio\nmetadata: {name: default}\nspec: {values: {meshConfig: {${registryOnly}}}}\n`,
		"Istio spec.values.meshConfig.outboundTrafficPolicy.mode",
	],
] as const) {
	it(`REGISTRY_ONLY in the mesh configuration of ${where} is lost`, async () => {
		const result = await migrate(plainWay, text);
		assert.equal(result.code, 1);
		assert.deepEqual(lost(result), [path]);
		assert.match(
			result.notes,
			/The mesh configuration in .* has REGISTRY_ONLY: ambient has no REGISTRY_ONLY/,
		);
		assert.equal((await migrate(plainWay, text.replace("REGISTRY_ONLY", "ALLOW_ANY"))).code, 0);
	});
}

it("a client certificate comes with the right to read its Secret for the waypoint's service account", async () => {
	const { written, notes, code } = await migrate(
		entry("one", http, tls) +
			gateway("HTTP", undefined, 80) +
			route(`  http:\n${steer(80)}${toHost(443)}`) +
			rule(
				"  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: MUTUAL, credentialName: one-client}}]}\n",
			),
	);
	assert.equal(code, 0);
	const role = written.get("1-add/role.istio-egress.egress-secrets.yaml");
	assert.deepEqual(role.rules, [
		{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "watch", "list"] },
	]);
	const binding = written.get("1-add/rolebinding.istio-egress.egress-secrets.yaml");
	assert.deepEqual(binding.subjects, [{ kind: "ServiceAccount", name: "egress", namespace: "istio-egress" }]);
	assert.match(notes, /`one-client`.*namespace `istio-egress`/);
	assert.match(notes, /service account `egress`/);
});

it("an entry whose endpoints are the gateway goes to the host itself, on the host's ports", async () => {
	const result = await migrate(
		`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: shop}
spec:
  hosts: [${host}]
  ports: [${http}]
  resolution: STATIC
  endpoints: [{address: ${gatewayHost}, ports: {http: 8080}}]
`.replace("STATIC", "DNS"),
		gateway("HTTP", undefined, 8080),
		`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one, namespace: shop}
spec:
  hosts: [${host}]
  gateways: [one]
  http:
  - match: [{port: 8080, uri: {prefix: /v1/}}]
    timeout: 3s
    route: [{destination: {host: ${host}, port: {number: 443}}}]
`,
		rule(
			"  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: sni.one.example}}]}\n",
		),
	);
	const text = JSON.stringify([...result.written].filter(([path]) => !path.startsWith("3-remove")));
	assert.match(text, /\/v1\//, "the path limit is carried");
	assert.match(text, /"3s"/);
	assert.match(text, /sni\.one\.example/);
	assert.match(text, /"targetPort":443/);
	assert.doesNotMatch(text, /egressgateway/);
});

it("a waypoint that a revision labels counts as a waypoint, and what is bound to it is written", async () => {
	const waypoint = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-egress, labels: {istio.io/rev: stable-1-30}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]
`;
	const way =
		entry("one", http) + gateway("HTTP", undefined, 80) + route(`  http:\n${steer(80)}${toHost(80)}`);
	const { code, written } = await migrate(way, waypoint);
	assert.equal(code, 0);
	assert.ok(written.has("1-add/serviceentry.shop.one.yaml"));
});

it("a policy of the gateway's whole namespace is named as not carried, since a waypoint elsewhere does not have it", async () => {
	const way =
		entry("one", http) + gateway("HTTP", undefined, 80) + route(`  http:\n${steer(80)}${toHost(80)}`);
	const wide = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing, namespace: istio-system}
spec: {}
`;
	const other = wide.replace("istio-system", "elsewhere");
	assert.equal((await migrate(way, other)).code, 0);
	const result = await migrate(way, wide);
	assert.equal(result.code, 1);
	assert.deepEqual(lost(result), ["AuthorizationPolicy spec"]);
});

function proxyObject(kind: string, group: string, namespace: string, spec: string): string {
	return `apiVersion: ${group}\nkind: ${kind}\nmetadata: {name: own, namespace: ${namespace}}\nspec: ${spec}\n`;
}

const filter = (context: string): string =>
	`{configPatches: [{applyTo: CLUSTER, match: {context: ${context}}, patch: {operation: MERGE, value: {}}}]}`;

for (const [what, text, isLost] of [
	[
		"an EnvoyFilter",
		proxyObject("EnvoyFilter", "networking.istio.io/v1alpha3", "egress", filter("GATEWAY")),
		true,
	],
	[
		"an EnvoyFilter of the mesh",
		proxyObject("EnvoyFilter", "networking.istio.io/v1alpha3", "istio-system", filter("ANY")),
		true,
	],
	[
		"an EnvoyFilter for sidecars",
		proxyObject("EnvoyFilter", "networking.istio.io/v1alpha3", "egress", filter("SIDECAR_OUTBOUND")),
		false,
	],
	[
		"a WasmPlugin",
		proxyObject("WasmPlugin", "extensions.istio.io/v1alpha1", "egress", "{url: oci://a/b}"),
		true,
	],
	[
		"Telemetry",
		proxyObject("Telemetry", "telemetry.istio.io/v1", "egress", "{accessLogging: [{disabled: true}]}"),
		true,
	],
	[
		"Telemetry of the mesh, which waypoints have too,",
		proxyObject("Telemetry", "telemetry.istio.io/v1", "istio-system", "{accessLogging: [{disabled: true}]}"),
		false,
	],
	[
		"a ProxyConfig",
		proxyObject("ProxyConfig", "networking.istio.io/v1beta1", "egress", "{concurrency: 2}"),
		true,
	],
	[
		"a RequestAuthentication",
		proxyObject("RequestAuthentication", "security.istio.io/v1", "egress", "{jwtRules: [{issuer: a}]}"),
		true,
	],
	[
		"a policy of the mesh",
		proxyObject("AuthorizationPolicy", "security.istio.io/v1", "istio-system", "{}"),
		true,
	],
	[
		"a PeerAuthentication",
		proxyObject("PeerAuthentication", "security.istio.io/v1", "egress", "{mtls: {mode: STRICT}}"),
		false,
	],
	["a policy elsewhere", proxyObject("AuthorizationPolicy", "security.istio.io/v1", "shop", "{}"), false],
] as const) {
	it(`${what} without a selector is ${isLost ? "named as not carried" : "no loss"}`, async () => {
		const result = await migrate(plainWay.replaceAll("istio-system", "egress"), text);
		assert.equal(result.code, isLost ? 1 : 0);
		assert.equal(
			lost(result).some((line) => line.includes(" spec")),
			isLost,
		);
		if (isLost) {
			assert.match(result.notes, /`[a-z-]+\/own` holds for (?:the whole mesh|its whole namespace)/);
			assert.doesNotMatch(result.report, /nothing of them is deleted/);
		}
	});
}

const classGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: one-egress-gateway, namespace: shop, annotations: {networking.istio.io/service-type: ClusterIP}}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: ${host}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to, namespace: shop}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: one}]
  rules: [{backendRefs: [{name: one-egress-gateway-istio, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: out, namespace: shop}
spec:
  parentRefs: [{name: one-egress-gateway}]
  hostnames: [${host}]
  rules: [{backendRefs: [{group: networking.istio.io, kind: Hostname, name: ${host}, port: 80}]}]
`;

for (const [how, what] of [
	["targetRefs", "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: one-egress-gateway}]"],
	["a targetRef", "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: one-egress-gateway}"],
	[
		"the label of its pods",
		"selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: one-egress-gateway}}",
	],
] as const) {
	it(`a policy on a Gateway of the Gateway API by ${how} goes to the ServiceEntry at the waypoint`, async () => {
		const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: who, namespace: shop}
spec: {${what}, rules: [{from: [{source: {namespaces: [pay]}}]}]}
`;
		const { code, written } = await migrate(entry("one", http) + classGateway, policy);
		assert.equal(code, 0);
		assert.deepEqual(written.get("1-add/authorizationpolicy.shop.who-one.yaml").spec, {
			targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "one" }],
			rules: [{ from: [{ source: { namespaces: ["pay"] } }] }],
		});
	});
}

it("Telemetry on a Gateway of the Gateway API by targetRefs is named as not carried", async () => {
	const telemetry = proxyObject(
		"Telemetry",
		"telemetry.istio.io/v1",
		"shop",
		"{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: one-egress-gateway}], accessLogging: [{disabled: true}]}",
	);
	const result = await migrate(entry("one", http) + classGateway, telemetry);
	assert.equal(result.code, 1);
	assert.ok(lost(result).includes("Telemetry spec.accessLogging[0].disabled"));
});

it("a policy on the pods of another egress gateway does not come to the hosts of this one", async () => {
	const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: who, namespace: istio-system}
spec: {selector: {matchLabels: {istio: egressgateway-b}}, action: DENY, rules: [{}]}
`;
	const { code, written } = await migrate(plainWay, policy);
	assert.equal(code, 0);
	assert.ok(![...written.values()].some(({ kind }) => kind === "AuthorizationPolicy"));
});

it("hosts that the gateway sent to one of them are named as not carried, and begin TLS all the same", async () => {
	const both = entry("one", http, tls).replace(`hosts: [${host}]`, `hosts: [${host}, two.one.example]`);
	const routes = to443.replace(`hosts: [${host}]`, `hosts: [${host}, two.one.example]`);
	const result = await migrate(both + gateway("HTTP", undefined, 80) + routes);
	assert.equal(result.code, 1);
	assert.deepEqual(lost(result), ["VirtualService spec.hosts[1]"]);
	const rules = [...result.written.values()].filter(({ kind }) => kind === "DestinationRule");
	assert.deepEqual(rules.map(({ spec }) => spec.host).toSorted(), [host, "two.one.example"].toSorted());
});

it("a DestinationRule that is not exported to the gateway stays as it is, and TLS that never began is not made up", async () => {
	const hidden = simple("sni.one.example").replace("spec:\n", 'spec:\n  exportTo: ["."]\n');
	const { code, written, notes } = await migrate(withTls + to443 + hidden);
	assert.equal(code, 0);
	assert.ok(![...written.values()].some(({ kind }) => kind === "DestinationRule"));
	assert.match(notes, /The egress gateway did not read DestinationRule `shop\/one`/);
});
