import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Fields } from "../../src/migrate/fields.ts";
import { neededSecrets, verifyBack, verifyStages } from "../../src/migrate/verify.ts";

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
		{
			stages: new Map([
				["1-add", [entry, role]],
				["3-remove", [old]],
			]),
			back: [],
		},
		{ find: ({ kind }) => [role, ...live].find((each) => each.kind === kind), namespaces },
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
		verifyStages(
			{ stages: new Map([["1-add", [own]]]), back: [] },
			{ find: find({ annotations }), namespaces: [] },
		)[0]?.missing;
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

const tlsRule: Fields = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "one", namespace: "shop" },
	spec: {
		host: "api.one.example",
		trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { credentialName: "client" } }] },
	},
};
const bindingEntry: Fields = {
	...entry,
	metadata: {
		...(entry.metadata as Fields),
		labels: { "istio.io/use-waypoint": "out", "istio.io/use-waypoint-namespace": "edge" },
	},
};
const stages = new Map([
	["1-add" as const, [role]],
	["2-switch" as const, [bindingEntry, tlsRule]],
	["3-remove" as const, [old]],
]);

it("neededSecrets names the Secrets of TLS settings in the namespaces of their waypoints", () => {
	assert.deepEqual(
		neededSecrets(stages).map(({ metadata }) => metadata),
		[{ namespace: "edge", name: "client" }],
	);
});

it("verifyStages asks for the Secrets in 1-add, and takes nothing for done that it may not look at", () => {
	const all = [role, bindingEntry, tlsRule, old];
	const find = (object: Fields): Fields | undefined => all.find(({ kind }) => kind === object.kind);
	const [first] = verifyStages({ stages, back: [] }, { find, namespaces: [] });
	assert.deepEqual(first, {
		name: "1-add",
		objects: 1,
		done: 1,
		missing: ["Secret edge/client is not there: the waypoint begins no TLS without it"],
		breaks: [],
	});
	const [hidden] = verifyStages(
		{ stages, back: [] },
		{ find: ({ kind }) => (kind === "Secret" || kind === "Role" ? "forbidden" : undefined), namespaces: [] },
	);
	assert.deepEqual(hidden?.done, 0);
	assert.deepEqual(hidden?.missing, [
		"Role shop/r was not looked at: this user may not get it",
		"Secret edge/client was not looked at: this user may not get it",
	]);
});

it("verifyStages says what somebody changed after the migration was written, and who reads 2-switch", () => {
	const before: Fields = { ...bindingEntry, metadata: entry.metadata };
	const changed: Fields = { ...before, spec: { ...(entry.spec as Fields), hosts: ["x.example"] } };
	const live = (own: Fields): ReturnType<typeof verifyStages> =>
		verifyStages(
			{ stages, back: [before] },
			{
				find: ({ kind }) => [role, own, { ...old, spec: { servers: [] } }].find((each) => each.kind === kind),
				namespaces: [{ metadata: { name: "a", labels: { "istio-injection": "enabled" } } }],
			},
		);
	const told =
		"ServiceEntry shop/one was changed at spec.hosts[0] after the migration was written: run migrate again";
	const readers =
		"namespace a gets sidecars still: its pods read these ServiceEntries and DestinationRules too";
	assert.ok(live(changed)[1]?.breaks.includes(told));
	assert.ok(live(changed)[1]?.breaks.includes(readers));
	assert.ok(!live(before)[1]?.breaks.includes(told));
});

it("verifyBack wants the old objects as they were, and what was added gone", () => {
	const before: Fields = { ...bindingEntry, metadata: { name: "one", namespace: "shop" } };
	const state = (live: readonly Fields[]): ReturnType<typeof verifyBack> =>
		verifyBack(
			{ stages, back: [before] },
			{ find: (object) => live.find(({ kind }) => kind === object.kind), namespaces: [] },
		);
	assert.deepEqual(state([before, old]), { name: "back", objects: 4, done: 4, missing: [], breaks: [] });
	assert.deepEqual(state([bindingEntry, old]).missing, [
		"ServiceEntry shop/one has the label istio.io/use-waypoint still",
	]);
	assert.deepEqual(state([role, { ...before, spec: { hosts: [] } }]).missing, [
		"ServiceEntry shop/one differs at spec.hosts[0]",
		"Gateway shop/old is not there",
		"Role shop/r is there still",
	]);
});
