import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { AnyObject, Kind, ServiceEntry } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import { rules } from "../../src/rules/table.ts";
import { gatewayApi, istio } from "../support/egress-rules.ts";
import { firstOfWorld } from "../support/example-worlds.ts";
import type { Questions } from "../support/recorded-inventory.ts";
import { recordedInventory } from "../support/recorded-inventory.ts";
import { exampleWorld, subjectOf } from "../support/rule-example.ts";

/** What leads to a question that no example leads to. */
const furtherObjects: readonly AnyObject[] = [
	istio("VirtualService", "root", {
		hosts: ["api.example.com"],
		http: [{ delegate: { name: "child", namespace: "elsewhere" } }],
	}),
	istio("VirtualService", "named", {
		hosts: ["api.example.com"],
		http: [{ route: [{ destination: { host: "orders.elsewhere" } }] }],
	}),
	...["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"].map((kind) =>
		gatewayApi(kind, "named", {
			parentRefs: [{ name: "egress", namespace: "istio-egress" }],
			rules: [
				{
					backendRefs: [
						{ group: "networking.istio.io", kind: "Hostname", name: "orders.elsewhere", port: 80 },
					],
				},
			],
		}),
	),
];

/** An entry as one that says that it leads to the cluster's own Services. */
function insideOut(entry: AnyObject): readonly AnyObject[] {
	const { metadata, spec, ...rest } = entry as ServiceEntry;
	const inside = { ...spec, hosts: ["relay.team.svc.cluster.local"], location: "MESH_INTERNAL" };
	const toService = [{ address: "orders.team.svc.cluster.local" }];
	return [
		{ ...inside, resolution: "DNS", endpoints: null },
		{ ...inside, resolution: "DNS", endpoints: toService },
		{ ...inside, endpoints: toService },
		inside,
		{ ...inside, hosts: spec?.hosts, endpoints: toService },
		{ ...spec, location: "MESH_INTERNAL" },
	].map((made) => ({ ...rest, metadata, spec: made }) as AnyObject);
}

/** The world of the examples of each rule; those whose worlds are the same share one. */
const worlds: ReadonlyMap<Rule, Inventory> = new Map(
	rules.map((rule) => [rule, exampleWorld(firstOfWorld(rule))]),
);

/** What a rule asks about each example of every rule of its kind, in the world of that rule and in its own, and about its own in every world. */
function questionsOf(rule: Rule): Questions {
	const asked: Questions = { any: new Set(), byName: new Set() };
	const engine = createEngine([rule]);
	for (const other of rules) {
		if (other.kind !== rule.kind) {
			continue;
		}
		const { good, bad, old, requester } = other.docs;
		const homes = other === rule ? rules : [rule, other];
		for (const inventory of new Set(homes.flatMap((home) => worlds.get(home) ?? []))) {
			for (const example of [good, bad]) {
				const subject = { ...subjectOf(example, old), ...(requester === undefined ? {} : { requester }) };
				evaluate(engine, recordedInventory(inventory, asked), subject);
			}
		}
	}
	for (const object of [
		...furtherObjects,
		...(rule.kind === "ServiceEntry" ? insideOut(rule.docs.bad) : []),
	]) {
		const subject = subjectOf(object);
		if (subject.kind === rule.kind) {
			evaluate(engine, recordedInventory(exampleWorld(rule), asked), subject);
		}
	}
	return asked;
}

function without(kinds: ReadonlySet<Kind>, declared: readonly Kind[]): readonly Kind[] {
	return [...kinds].filter((kind) => !declared.includes(kind));
}

const questions: ReadonlyMap<Rule, Questions> = new Map(rules.map((rule) => [rule, questionsOf(rule)]));

for (const [rule, asked] of questions) {
	describe(rule.id, () => {
		const { reads, confirms = [] } = rule;

		it("asks the inventory only for the kinds that it says it reads, in the world of every example", () => {
			assert.deepEqual(without(asked.any, reads), [], `add them to reads of ${rule.id}`);
		});

		it("says in confirms what it asks for by name, and only what it reads", () => {
			assert.deepEqual(without(asked.byName, confirms), [], `add them to confirms of ${rule.id}`);
			assert.deepEqual(without(new Set(confirms), reads), [], `${rule.id} does not read them`);
		});
	});
}

it("no kind stands in confirms that no rule asks for by name", () => {
	const asked = new Set([...questions.values()].flatMap(({ byName }) => [...byName]));
	assert.deepEqual(without(new Set(rules.flatMap(({ confirms }) => confirms ?? [])), [...asked]), []);
});
