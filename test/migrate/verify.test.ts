import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Fields } from "../../src/migrate/fields.ts";
import { verifyStages } from "../../src/migrate/verify.ts";

const entry: Fields = {
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "one", namespace: "shop", labels: { "istio.io/use-waypoint": "out" } },
	spec: { hosts: ["api.one.example"], ports: [{ number: 80, name: "http", protocol: "HTTP" }] },
};
const role: Fields = {
	apiVersion: "rbac.authorization.k8s.io/v1",
	kind: "Role",
	metadata: { name: "r", namespace: "shop" },
};
const old: Fields = {
	apiVersion: "networking.istio.io/v1",
	kind: "Gateway",
	metadata: { name: "old", namespace: "shop" },
};

function states(
	live: readonly Fields[],
	namespaces: readonly Fields[] = [],
): ReturnType<typeof verifyStages> {
	return verifyStages(
		new Map([
			["1-add", [entry, role]],
			["3-remove", [old]],
		]),
		{
			find: ({ kind }) => (kind === "Role" ? "unknown" : live.find((each) => each.kind === kind)),
			namespaces,
		},
	);
}

const bound = { conditions: [{ type: "istio.io/WaypointBound", status: "True" }] };

it("verifyStages names what is not there, differs, or is not bound", () => {
	assert.deepEqual(states([])[0]?.missing, ["ServiceEntry shop/one is not there"]);
	const other = { ...entry, spec: { ...(entry.spec as Fields), hosts: ["x.example"] }, status: bound };
	assert.deepEqual(states([other])[0]?.missing, ["ServiceEntry shop/one differs at spec.hosts[0]"]);
	const denied = { conditions: [{ type: "istio.io/WaypointBound", status: "False", message: "denied" }] };
	assert.deepEqual(states([{ ...entry, status: denied }])[0]?.missing, [
		"ServiceEntry shop/one is not bound: denied",
	]);
	const served = { ...entry, spec: { ...(entry.spec as Fields), location: "MESH_EXTERNAL" }, status: bound };
	assert.deepEqual(states([served])[0], { name: "1-add", objects: 2, done: 2, missing: [], breaks: [] });
});

it("verifyStages compares annotations too, but for kubectl's own", () => {
	const applied = { "kubectl.kubernetes.io/last-applied-configuration": "{}" };
	const find = (annotations: Fields) => (object: Fields) => ({
		...object,
		metadata: annotations,
		status: bound,
	});
	const own: Fields = {
		...entry,
		metadata: { annotations: { ...applied, "example.com/owner": "payments" } },
	};
	const state = (annotations: Fields): readonly string[] | undefined =>
		verifyStages(new Map([["1-add", [own]]]), { find: find({ annotations }), namespaces: [] })[0]?.missing;
	assert.deepEqual(state({ "example.com/owner": "payments" }), []);
	assert.match(state({ "example.com/owner": "others" })?.[0] ?? "", /differs at metadata\.annotations/);
});

it("verifyStages is described by verify.schema.json", () => {
	const text = readFileSync(new URL("../../docs/schemas/verify.schema.json", import.meta.url), "utf8");
	const validate = new Ajv2020({ strict: false }).compile(JSON.parse(text));
	for (const live of [[], [old], [entry]]) {
		const result = { version: 1, stages: states(live) };
		assert.ok(validate(result), JSON.stringify(validate.errors));
	}
	assert.ok(!validate({ version: 1, stages: [{ name: "4-rest" }] }));
});

it("verifyStages says what a removal would break: earlier stages, and namespaces that get sidecars", () => {
	const namespaces = [
		{ metadata: { name: "a", labels: { "istio-injection": "enabled" } } },
		{ metadata: { name: "b", labels: { "istio.io/rev": "stable" } } },
		{
			metadata: { name: "c", labels: { "istio-injection": "enabled", "istio.io/dataplane-mode": "ambient" } },
		},
		{ metadata: { name: "d" } },
	];
	const [, , last] = states([old], namespaces);
	assert.deepEqual(last?.missing, ["Gateway shop/old is there still"]);
	assert.deepEqual(
		last?.breaks.map((each) => each.split(" ").slice(0, 2).join(" ")),
		["ServiceEntry shop/one", "namespace a", "namespace b"],
	);
	assert.deepEqual(states([], namespaces)[2]?.breaks, []);
});
