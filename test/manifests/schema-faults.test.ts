import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseManifests } from "../../src/manifests/read.ts";
import { refusalsOf } from "../../src/manifests/refusals.ts";

/** What lint says of an object of this kind with this spec. */
function said(apiVersion: string, kind: string, spec: unknown, metadata: object = {}): readonly string[] {
	const object = { apiVersion, kind, metadata: { name: "a", namespace: "default", ...metadata }, spec };
	return parseManifests(JSON.stringify(object), "a.json").manifests.flatMap((manifest) =>
		refusalsOf(manifest).map(({ message }) => message.replace(/; the API server refuses this \w+$/, "")),
	);
}

const entry = (spec: object): readonly string[] =>
	said("networking.istio.io/v1", "ServiceEntry", { hosts: ["a.example.com"], ...spec });
const route = (spec: object): readonly string[] => said("gateway.networking.k8s.io/v1", "HTTPRoute", spec);
const service = (spec: object): readonly string[] => said("v1", "Service", spec);

describe("schemaFaults()", () => {
	it("names a value of another type, and what belongs there", () => {
		assert.deepEqual(entry({ ports: [{ number: "443", name: "tls" }] }), [
			'spec.ports[0].number: a whole number belongs here, not "443"',
		]);
		assert.deepEqual(entry({ hosts: "a.example.com" }), [
			'spec.hosts: a list belongs here, not "a.example.com"',
		]);
	});

	it("names the values of an enumeration, and the nearest", () => {
		assert.match(entry({ resolution: "DSN" })[0] ?? "", /"DSN" is none of .*DNS.*; did you mean "DNS"$/);
	});

	it("names what is missing, too long, too many, too large and of another form", () => {
		assert.deepEqual(entry({ ports: [{ number: 443 }] }), ["spec.ports[0].name: this is missing"]);
		assert.match(
			entry({ ports: [{ number: 443, name: "x".repeat(257) }] })[0] ?? "",
			/has 257 characters, and 256/,
		);
		assert.match(entry({ hosts: [] })[0] ?? "", /there are 0 items, and 1 is the least/);
		assert.match(
			entry({ ports: [{ number: 5_000_000_000, name: "a" }] })[0] ?? "",
			/is too large: 4294967295/,
		);
		assert.match(
			route({ parentRefs: [{ name: "a", kind: "a b" }] })[0] ?? "",
			/"a b" does not have the form/,
		);
	});

	it("names the fields of which one may be given", () => {
		const match = [{ uri: { exact: "/a", prefix: "/b" } }];
		assert.deepEqual(said("networking.istio.io/v1", "VirtualService", { http: [{ match, route: [] }] }), [
			"spec.http[0].match[0].uri: only one of these may be given: exact, prefix, regex",
		]);
	});

	it("says the rules of the schema in CEL, in the words of its author", () => {
		assert.deepEqual(
			entry({ addresses: ["10.0.0.0/8"], resolution: "DNS", ports: [{ number: 443, name: "a" }] }),
			["spec: CIDR addresses are allowed only for NONE/STATIC resolution types"],
		);
		assert.deepEqual(entry({ ports: [{ number: 0, name: "a" }] }), [
			"spec.ports[0].number: port must be between 1-65535",
		]);
		assert.match(
			route({ rules: [{ matches: [{ path: { type: "PathPrefix", value: "a" } }] }] })[0] ?? "",
			/absolute path/,
		);
	});

	it("names equal items of a list that tells them apart", () => {
		const listener = { name: "a", port: 80, protocol: "HTTP" };
		assert.match(
			said("gateway.networking.k8s.io/v1", "Gateway", {
				gatewayClassName: "a",
				listeners: [listener, { ...listener, port: 81 }],
			})[0] ?? "",
			/^spec\.listeners\[1\]: another item is equal to this one in name$/,
		);
	});

	it("takes null for absent where the schema knows no null, and puts in defaults", () => {
		assert.deepEqual(entry({ ports: null, location: null }), []);
		assert.deepEqual(route({ parentRefs: [{ name: "a", kind: null }] }), []);
		assert.deepEqual(entry({ hosts: [null] }), ["spec.hosts[0]: nothing stands here, which is null"]);
	});

	it("does not go back without end over a header that was made for it", () => {
		const value = `${"!".repeat(60)}\u0000`;
		const start = process.threadCpuUsage();
		const found = route({ rules: [{ matches: [{ headers: [{ name: "a", value }] }] }] });
		assert.match(found[0] ?? "", /does not have the form/);
		assert.ok(process.threadCpuUsage(start).user < 1_000_000);
	});
});

describe("serviceFaults()", () => {
	it("has nothing against Services of each type", () => {
		for (const spec of [
			{ ports: [{ port: 80 }] },
			{ clusterIP: "None" },
			{ type: "ExternalName", externalName: "a.example.com." },
			{ type: "NodePort", ports: [{ port: 80, targetPort: "http" }], externalTrafficPolicy: "Local" },
			{
				ports: [
					{ port: 53, name: "a" },
					{ port: 53, name: "b", protocol: "UDP" },
				],
			},
		]) {
			assert.deepEqual(service(spec), [], JSON.stringify(spec));
		}
	});

	it("names what the API server refuses", () => {
		for (const [spec, words] of [
			[{}, /^spec\.ports: this is missing$/],
			[{ ports: [{ port: 0 }] }, /0 is no port/],
			[{ ports: [{ port: "80" }] }, /a whole number belongs here/],
			[{ ports: [{ port: 80 }, { port: 81, name: "b" }] }, /names each/],
			[
				{
					ports: [
						{ port: 80, name: "a" },
						{ port: 81, name: "a" },
					],
				},
				/another port is called "a"/,
			],
			[{ ports: [{ port: 80, targetPort: "a--b" }] }, /no port and no name of one/],
			[{ type: "ExternalName" }, /"" is no name of a host/],
			[{ type: "External", ports: [{ port: 80 }] }, /is none of ClusterIP/],
			[{ ports: [{ port: 80 }], selector: { "a b": "c" } }, /no key of a label/],
			[{ type: "LoadBalancer", clusterIP: "None" }, /cannot have None/],
			[{ ports: [{ port: 80 }], allocateLoadBalancerNodePorts: true }, /only a Service of type LoadBalancer/],
			[{ ports: [{ port: 80, quux: 1 }] }, /there is no such field/],
		] as const) {
			assert.match(service(spec).join("\n"), words);
		}
	});
});

describe("metadataFaults()", () => {
	const metadata = (more: object): readonly string[] =>
		said("networking.istio.io/v1", "ServiceEntry", { hosts: ["a.example.com"] }, more);

	it("names what is wrong with metadata", () => {
		for (const [more, words] of [
			[{ labels: { a: 1 } }, /^metadata\.labels\.a: a text belongs here, not 1$/],
			[{ annotations: { a: "x".repeat(262_144) } }, /come to 262145 bytes/],
			[{ name: "", generateName: "Ab-" }, /"Ab-" begins no name/],
			[{ finalizers: ["a b"] }, /no name of a finalizer/],
			[
				{ ownerReferences: [{ apiVersion: "v1", kind: "A", name: "a" }] },
				/ownerReferences\[0\]\.uid: this is missing/,
			],
			[{ creationTimestamp: "today" }, /no date and time/],
		] as const) {
			assert.match(metadata(more).join("\n"), words);
		}
		assert.deepEqual(metadata({ generation: -1 }), []);
		assert.deepEqual(metadata({ name: undefined, generateName: "a-", creationTimestamp: null }), []);
	});
});
