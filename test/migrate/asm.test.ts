import assert from "node:assert/strict";
import { it } from "node:test";
import { migrations } from "../support/migration.ts";

const migrate = migrations();

function policy(name: string, rules: string, version = "v1beta1", status = ""): string {
	return `apiVersion: istio.alibabacloud.com/${version}
kind: ASMEgressTrafficPolicy
metadata: {name: ${name}, namespace: istio-egress}
spec:
  byEgressGateway: {name: egressgateway-a}
  egressRules:
${rules}${status}`;
}

function rule(namespace: string, to: string): string {
	return `  - {name: r, from: [{namespace: ${namespace}}], to: [${to}]}\n`;
}

const web = "{name: web, hosts: [www.pay.example], port: {number: 80, name: http, protocol: HTTP}}";

for (const version of ["v1beta1", "v1"]) {
	it(`migrate carries every field of an ASMEgressTrafficPolicy ${version}, without gateway ports of its own too`, async () => {
		const status =
			"status: {status: Ready, message: '', autoAllocatedGatewayPorts: {www.pay.example-80: 10000}}\n";
		const result = await migrate(policy("a", rule("shop", web), version, status));
		assert.deepEqual([result.code, result.lost, result.withheld], [0, [], []]);
		const entry = result.written.get("serviceentry.istio-egress.a-www-pay-example.yaml").spec;
		assert.deepEqual(entry.ports, [{ number: 80, name: "http", protocol: "HTTP" }]);
		assert.deepEqual(result.removed, ["asmegresstrafficpolicy.istio-egress.a.yaml"]);
	});
}

it("migrate names a field of an ASMEgressTrafficPolicy that it does not know", async () => {
	const to =
		"{hosts: [www.pay.example], port: {number: 80, name: http, protocol: HTTP}, retries: {attempts: 3}}";
	const result = await migrate(policy("a", rule("shop", to)));
	assert.equal(result.code, 1);
	assert.deepEqual(result.lost, ["ASMEgressTrafficPolicy spec.egressRules[0].to[0].retries.attempts"]);
});

it("migrate writes one entry for a host that two ASMEgressTrafficPolicies let different callers reach", async () => {
	const both = web.replace("[www.pay.example]", "[www.pay.example, pay.example]");
	const result = await migrate(policy("a", rule("shop", both)), policy("b", rule("bank", web)));
	assert.equal(result.code, 0);
	const entries = [...result.written].filter(([file]) => file.startsWith("serviceentry."));
	assert.deepEqual(entries.map(([, { spec }]) => spec.hosts).toSorted(), [
		["pay.example"],
		["www.pay.example"],
	]);
	const name = entries.find(([, { spec }]) => spec.hosts[0] === "www.pay.example")?.[0] ?? "";
	const { rules } = result.written.get(name.replace("serviceentry", "authorizationpolicy")).spec;
	const callers = rules.flatMap((each: { from: unknown[] }) => each.from);
	assert.deepEqual(callers, [{ source: { namespaces: ["shop"] } }, { source: { namespaces: ["bank"] } }]);
	assert.equal(result.removed.length, 2);
});

it("migrate holds an entry back of which an ASMEgressTrafficPolicy wants one port in two ways", async () => {
	const upgraded = web.replace(/}$/, ", httpsUpgrade: {enabled: true, port: 443}}");
	const result = await migrate(policy("a", rule("shop", upgraded) + rule("bank", web)));
	assert.equal(result.code, 1);
	assert.ok(result.withheld.includes("ServiceEntry istio-egress/a-www-pay-example"));
	assert.match(result.notes, /want port 80 of www\.pay\.example in two ways/);
	assert.deepEqual(result.removed, []);
});

it("migrate leaves an ASMEgressTrafficPolicy whose host a ServiceEntry of the input has already", async () => {
	const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: shop}
spec: {hosts: [www.pay.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;
	const result = await migrate(policy("a", rule("shop", web)), entry);
	assert.equal(result.code, 1);
	assert.ok(result.withheld.includes("ServiceEntry istio-egress/a-www-pay-example"));
	assert.match(result.notes, /ServiceEntry shop\/pay has www\.pay\.example already/);
	assert.deepEqual(result.removed, []);
});

it("migrate leaves an ASMEgressTrafficPolicy of which it cannot read a rule", async () => {
	const bad = "{hosts: [other.example], port: {name: http, protocol: HTTP}}";
	const result = await migrate(policy("a", rule("shop", `${web}, ${bad}`)));
	assert.equal(result.code, 1);
	assert.match(result.notes, /spec\.egressRules\[0\]\.to\[1\] has no port number/);
	assert.deepEqual(result.removed, []);
});

it("migrate takes an empty workloadSelector for every workload, and a caller without namespace for nobody", async () => {
	const from = (text: string): string => `  - {from: [${text}], to: [${web}]}\n`;
	const whole = await migrate(policy("a", from("{namespace: shop, workloadSelector: {}}")));
	assert.deepEqual([whole.code, whole.lost], [0, []]);
	const nobody = await migrate(policy("a", from("{workloadSelector: {app: a}}")));
	assert.equal(nobody.code, 1);
	assert.deepEqual(nobody.lost, ["ASMEgressTrafficPolicy spec.egressRules[0].from[0].workloadSelector.app"]);
	const { spec } = nobody.written.get("authorizationpolicy.istio-egress.a-www-pay-example.yaml");
	assert.deepEqual([spec.action, spec.rules], ["ALLOW", undefined]);
});

it("migrate gives the ports of an entry names of their own", async () => {
	const other = web.replace("80", "8080");
	const result = await migrate(policy("a", rule("shop", `${web}, ${other}`)));
	assert.equal(result.code, 0);
	const { ports } = result.written.get("serviceentry.istio-egress.a-www-pay-example.yaml").spec;
	assert.deepEqual(
		ports.map((each: { name: string }) => each.name),
		["http-80", "http-8080"],
	);
});
