import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import type { GeneratedPolicies } from "../../src/export/authorization-policies.ts";
import { generatePolicies, mostBytes } from "../../src/export/authorization-policies.ts";
import { countOf } from "../../src/reach/bits.ts";
import { readReach } from "../../src/reach/reach.ts";
import { entry, namespace, policy, waypoint, worldWith } from "../reach/worlds.ts";

const today = "2026-11-26";

function generate(
	objects: readonly AnyObject[],
	settings: SettingsFile = {},
): Pick<GeneratedPolicies, "policies" | "remainders"> {
	const world = worldWith(objects, settings);
	const { policies, remainders } = generatePolicies(readReach(world, today), world, today);
	return { policies, remainders };
}

const bank = namespace("bank", { "allowed-hosts": "*.bank.example" });
const intern = namespace("intern", { "denied-hosts": "api.bank.example" });
const egress = namespace("istio-egress");
const api = entry("bank/api", "api.bank.example");
const world: readonly AnyObject[] = [bank, intern, egress, waypoint, api];

describe("generatePolicies", () => {
	it("generatePolicies() denies an entry to the namespaces that may not reach its host", () => {
		assert.deepEqual(generate(world), {
			policies: [
				{
					apiVersion: "security.istio.io/v1",
					kind: "AuthorizationPolicy",
					metadata: {
						name: "waymark-reach-api",
						namespace: "bank",
						labels: {
							"app.kubernetes.io/managed-by": "waymark",
							"egress.waymark.dev/generated-from": "api",
						},
					},
					spec: {
						targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "api" }],
						action: "DENY",
						rules: [{ from: [{ source: { namespaces: ["intern"] } }] }],
					},
				},
			],
			remainders: [],
		});
	});

	it("generatePolicies() writes nothing where nothing is forbidden, or the policy is only watched", () => {
		assert.deepEqual(generate([bank, egress, waypoint, api]).policies, []);
		const warn = namespace("intern", { "denied-hosts": "api.bank.example", mode: "warn" });
		assert.deepEqual(generate([bank, warn, egress, waypoint, api]).policies, []);
	});

	it("generatePolicies() names the allowed namespaces where one without annotations is forbidden", () => {
		const open = namespace("open", { mode: "warn" });
		const { policies } = generate([bank, open, waypoint, api], {
			limits: { deniedHosts: ["api.bank.example"] },
		});
		assert.deepEqual(policies[0]?.spec?.rules, [{ from: [{ source: { notNamespaces: ["open"] } }] }]);
	});

	it("generatePolicies() means everybody where nobody is allowed, and never writes a rule without a source", () => {
		const { policies } = generate([bank, waypoint, api], { limits: { deniedHosts: ["*.example"] } });
		assert.deepEqual(policies[0]?.spec?.rules, [{ from: [{ source: { namespaces: ["*"] } }] }]);
	});

	it("generatePolicies() leaves namespaces alone that the cluster exempts, known or not", () => {
		const { policies } = generate([bank, waypoint, api], {
			limits: { deniedHosts: ["*.example"] },
			exemptNamespaces: ["ops"],
		});
		assert.deepEqual(policies[0]?.spec?.rules, [{ from: [{ source: { notNamespaces: ["ops"] } }] }]);
	});

	it("generatePolicies() tells ports apart where policies do", () => {
		const narrow = namespace("narrow", { "allowed-ports": "443/TLS" });
		const ports = [
			{ number: 443, name: "tls", protocol: "TLS" },
			{ number: 80, name: "http", protocol: "HTTP" },
			{ number: 8080, name: "alt", protocol: "HTTP" },
		];
		const { policies } = generate([
			bank,
			narrow,
			intern,
			waypoint,
			entry("bank/api", "api.bank.example", { ports }),
		]);
		assert.deepEqual(policies[0]?.spec?.rules, [
			{
				from: [{ source: { namespaces: ["intern", "narrow"] } }],
				to: [{ operation: { ports: ["80", "8080"] } }],
			},
			{ from: [{ source: { namespaces: ["intern"] } }], to: [{ operation: { ports: ["443"] } }] },
		]);
	});

	it("generatePolicies() denies the other service accounts of a namespace that allows some", () => {
		const { policies } = generate([
			namespace("bank", { "allowed-service-accounts": "web, batch" }),
			waypoint,
			api,
		]);
		assert.deepEqual(policies[0]?.spec?.rules, [
			{
				from: [
					{
						source: { namespaces: ["bank"], notPrincipals: ["*/ns/bank/sa/batch", "*/ns/bank/sa/web"] },
					},
				],
			},
		]);
	});

	it("generatePolicies() tells hosts of one entry apart by their addresses, and says so where it cannot", () => {
		const two = entry("bank/api", "api.bank.example", { hosts: ["api.bank.example", "www.bank.example"] });
		const known = {
			...two,
			status: {
				addresses: [
					{ host: "api.bank.example", value: "240.240.0.1" },
					{ host: "www.bank.example", value: "240.240.0.2" },
				],
			},
		};
		const { policies, remainders } = generate([bank, intern, waypoint, known]);
		assert.deepEqual(policies[0]?.spec?.rules, [
			{
				from: [{ source: { namespaces: ["intern"] } }],
				to: [{ operation: { ports: ["443"] } }],
				when: [{ key: "destination.ip", values: ["240.240.0.1"] }],
			},
		]);
		assert.deepEqual(remainders, []);
		const offline = generate([bank, intern, waypoint, two]);
		assert.deepEqual(offline.policies, []);
		assert.match(offline.remainders[0]?.reason ?? "", /give each host an entry of its own/);
	});

	it("generatePolicies() names what no waypoint can refuse", () => {
		const { policies, remainders } = generate([bank, intern, entry("bank/api", "api.bank.example", {}, {})]);
		assert.deepEqual(policies, []);
		assert.deepEqual(remainders, [
			{
				entry: { namespace: "bank", name: "api" },
				host: "api.bank.example",
				reason: "no waypoint is on the way, so nothing in the mesh can refuse it",
			},
		]);
	});

	it("generatePolicies() keeps names and label values within what the API server takes", () => {
		const long = (end: string): string => `${"a".repeat(249)}${end}`;
		const { policies } = generate([
			bank,
			intern,
			waypoint,
			entry(`bank/${long("-one")}`, "api.bank.example"),
			entry(`bank/${long("-two")}`, "api.bank.example"),
		]);
		const names = policies.map(({ metadata }) => metadata?.name ?? "");
		assert.equal(new Set(names).size, 2);
		assert.ok(names.every((name) => name.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)));
		const labels = policies.map(
			({ metadata }) => metadata?.labels?.["egress.waymark.dev/generated-from"] ?? "",
		);
		assert.ok(labels.every((value) => value.length <= 63 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value)));
	});

	it("generatePolicies() closes every gap at a waypoint, whatever a tenant allows, and is the same whatever the order", () => {
		const tenant = policy("bank/tenant", "api", { rules: [{}] });
		const before = [...world, tenant];
		const { policies } = generate(before);
		const closed = readReach(worldWith([...before, ...policies]), today);
		assert.deepEqual(
			closed.outlets.map(({ gap }) => countOf(gap)),
			[0],
		);
		assert.deepEqual(generate(before.toReversed()), generate(before));
		assert.deepEqual(generate([...before, ...policies]), generate(before));
	});

	it("generatePolicies() leaves out the largest policies where all together would be too large", () => {
		const long = (name: string): string => name.padEnd(63, "x");
		const many = Array.from({ length: 2200 }, (_, place) =>
			namespace(long(`n${place}`), { "denied-hosts": "*.large.example" }),
		);
		const large = Array.from({ length: 70 }, (_, place) =>
			entry(`bank/l${place}`, `h${place}.large.example`),
		);
		const state = worldWith([bank, intern, egress, waypoint, api, ...many, ...large]);
		const { policies, oversized, bytes } = generatePolicies(readReach(state, today), state, today);
		const each = 2200 * 66 + "bank".length + 3;
		assert.equal(bytes, 70 * each + "intern".length + 3);
		assert.equal(policies.length + oversized.length, 71);
		assert.equal(oversized.length, 70 - Math.floor((mostBytes - 9) / each));
		assert.ok(policies.some(({ metadata }) => metadata?.name === "waymark-reach-api"));
		assert.ok(oversized.every((one) => one.bytes === each));
	});

	it("generatePolicies() for all that ask is made for entries that lost their waypoint, too", () => {
		const state = worldWith([bank, intern, egress, api]);
		const reach = readReach(state, today);
		assert.deepEqual(generatePolicies(reach, state, today).policies, []);
		const { policies, remainders } = generatePolicies(reach, state, today, "asking");
		assert.deepEqual(
			policies.map(({ metadata }) => metadata?.name),
			["waymark-reach-api"],
		);
		assert.deepEqual(remainders, []);
	});
});
