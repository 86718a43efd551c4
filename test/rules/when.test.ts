import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { assert as hold, property } from "fast-check";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import { parsePolicy } from "../../src/core/policy.ts";
import type { Rule } from "../../src/core/rule.ts";
import { parseSettings } from "../../src/core/settings.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import type { GeneratedWorld } from "../support/entry-worlds.ts";
import { anyWorld, nearlyPlain } from "../support/entry-worlds.ts";
import { firstOfWorld } from "../support/example-worlds.ts";
import { graftsOf } from "../support/graft.ts";
import { runs, sampleOf } from "../support/long-form.ts";
import { exampleWorld, subjectOf, world } from "../support/rule-example.ts";
import { serviceEntry } from "../support/service-entry-arbitrary.ts";

const byFacts = createEngine(rules);
const askingEveryRule = createEngine(rules.map(({ when: _, ...rule }) => rule as Rule));

/** Judges an object with and without `when`; both verdicts must be equal, to the order of the findings. */
function assertSame(object: AnyObject, state: ClusterState): void {
	const subject = subjectOf(object);
	assert.deepEqual(evaluate(byFacts, state, subject), evaluate(askingEveryRule, state, subject));
}

function stateOf({ objects, mesh, offline }: GeneratedWorld): ClusterState {
	const state = new ClusterState(parseSettings({}).settings, { offline });
	for (const object of objects) {
		state.set(kindOfObject(object) as Kind, object as Resources[Kind]);
	}
	state.learn(mesh);
	return state;
}

const usualWorld = world([teamNamespace, egressNamespace, egressWaypoint]);

const examples = rules.flatMap(({ id, docs }) => [
	{ name: `the good example of ${id}`, object: docs.good as AnyObject },
	{ name: `the bad example of ${id}`, object: docs.bad as AnyObject },
]);

/** Every part of the examples of a rule, alone on what is usual for its kind: the plain entry, bound or not, or a good example. */
function* graftsFor(rule: Rule): Iterable<{ readonly name: string; readonly object: AnyObject }> {
	const hosts: readonly AnyObject[] =
		rule.kind === "ServiceEntry" ? [boundEntry, plainEntry] : [rule.docs.good];
	for (const [name, donor] of Object.entries({ good: rule.docs.good, bad: rule.docs.bad })) {
		for (const host of hosts) {
			for (const { path, object } of graftsOf(donor, host)) {
				yield { name: `${formatPath(path)} of the ${name} example of ${rule.id}`, object };
			}
		}
	}
}

type Fact = NonNullable<Rule["when"]>;

/** The opposite of each fact, one function for all the rules that name it, as the engine asks a fact once. */
const opposites = new Map<Fact, Fact>();

function oppositeOf(fact: Fact): Fact {
	const opposite: Fact = opposites.get(fact) ?? ((...given) => !fact(...given));
	opposites.set(fact, opposite);
	return opposite;
}

/** What is asked before any rule, and ends the judgement: their facts stand for that, and are not theirs. */
const askedByEngine: ReadonlySet<string> = new Set(["object-shape", "object-size"]);

/** Every rule exactly where its `when` keeps it from being asked: whatever it finds there is lost. */
const onlyUnasked = createEngine(
	rules.flatMap((rule) =>
		rule.when === undefined || askedByEngine.has(rule.id)
			? []
			: [{ ...rule, when: oppositeOf(rule.when) } as Rule],
	),
);

/** The rules that find something where their `when` does not let them look, each with what it was not asked about. */
function silenced(object: AnyObject, state: ClusterState, what: string): readonly string[] {
	const { findings, faults } = evaluate(onlyUnasked, state, subjectOf(object));
	const lost = new Set([...findings, ...faults].map(({ rule }) => rule));
	return [...lost].map((id) => {
		const when = rules.find((each) => each.id === id)?.when?.name ?? "";
		return `${id} says "when: ${when}" and finds something at ${what}`;
	});
}

/** What a limit may say, in the forms of hosts, ports, protocols and addresses: something that the plain entry is or is not. */
const limitTexts: readonly string[] = [
	"api.payments.example.com",
	"*.example.com",
	"*.example.org",
	"443",
	"80",
	"443/TLS",
	"TLS",
	"HTTP",
	"203.0.113.0/24",
	"none",
	"enforced",
	"3",
];

/** The annotations by which a namespace is governed, as the message about an unknown one offers them. */
function annotationNames(): readonly string[] {
	const object = withAnnotations(teamNamespace, { "egress.waymark.dev/unheard-of": "x" });
	const [problem] = parsePolicy("team", object, parseSettings({}).settings).problems;
	const list = /^Use one of (.*) or /.exec(problem?.hint ?? "")?.[1] ?? "";
	return list.split(", ").filter((name) => !["mode", ""].includes(name));
}

/** The limits of the cluster, and whether each is a list, as the published schema of its configuration says. */
function clusterLimits(): readonly { readonly name: string; readonly isList: boolean }[] {
	const file = new URL("../../docs/schemas/config.schema.json", import.meta.url);
	const schema = JSON.parse(readFileSync(file, "utf8")) as {
		readonly properties: {
			readonly limits: { readonly properties: Readonly<Record<string, { readonly type: string }>> };
		};
	};
	return Object.entries(schema.properties.limits.properties).map(([name, { type }]) => ({
		name,
		isList: type === "array",
	}));
}

/** Worlds with one limit each, in every form in which it can be read, and in one in which it cannot. */
function* limitedWorlds(): Iterable<{ readonly name: string; readonly state: ClusterState }> {
	const waypoint = { "egress.waymark.dev/waypoint": "istio-egress/egress" };
	const { settings: byDefault } = parseSettings({});
	for (const name of annotationNames()) {
		let hadUnread = false;
		for (const text of limitTexts) {
			const object = withAnnotations(teamNamespace, { ...waypoint, [`egress.waymark.dev/${name}`]: text });
			const isUnread = parsePolicy("team", object, byDefault).problems.length > 0;
			if (isUnread && hadUnread) {
				continue;
			}
			hadUnread ||= isUnread;
			yield {
				name: `egress.waymark.dev/${name}: ${text}`,
				state: world([object, egressNamespace, egressWaypoint]),
			};
		}
	}
	for (const { name, isList } of clusterLimits()) {
		for (const value of isList ? limitTexts.map((text) => [text]) : [3]) {
			const { settings, problems } = parseSettings({ limits: { [name]: value } });
			if (problems.length === 0) {
				const state = new ClusterState(settings);
				state.replace("Namespace", [teamNamespace, egressNamespace]);
				state.replace("KubernetesGateway", [egressWaypoint]);
				yield { name: `limits.${name}: ${JSON.stringify(value)}`, state };
			}
		}
	}
}

describe("when", () => {
	it("when keeps no part of an example from a rule, each alone on what is usual, in the rule's own world", () => {
		const lost = rules.flatMap((rule) => {
			const state = exampleWorld(rule);
			return [...graftsFor(rule)].flatMap(({ name, object }) => silenced(object, state, name));
		});
		assert.deepEqual([...new Set(lost)], []);
	});

	it("when keeps no limit from a rule, each alone in the policy, whatever else the entry has", () => {
		const entries = [
			{ name: "the plain entry", object: boundEntry },
			...examples.filter(
				({ object }, index) =>
					object.kind === "ServiceEntry" && examples.findIndex((each) => each.object === object) === index,
			),
		];
		const seen = new Set<string>();
		const lost = [...limitedWorlds()].flatMap(({ name, state }) => {
			seen.add(name.slice(0, name.indexOf(":")));
			return entries.flatMap(({ name: what, object }) => silenced(object, state, `${what} under ${name}`));
		});
		const firstOfRule = new Map(lost.toReversed().map((text) => [text.split(" ")[0], text]));
		assert.deepEqual([...firstOfRule.values()], []);
		const named = [
			...annotationNames().map((name) => `egress.waymark.dev/${name}`),
			...clusterLimits().map(({ name }) => `limits.${name}`),
		];
		assert.ok(named.length >= 12);
		assert.deepEqual(
			named.filter((name) => !seen.has(name)),
			[],
			"every limit was tried",
		);
	});

	it("when leaves nothing to ask about the plain entry but what names no fact", () => {
		const asked: string[] = [];
		const counted = rules
			.filter((rule) => rule.kind === "ServiceEntry")
			.map((rule) => ({
				...rule,
				check: () => {
					asked.push(rule.id);
					return [];
				},
			}));
		evaluate(createEngine(counted), usualWorld, subjectOf(boundEntry));
		assert.deepEqual(
			asked,
			counted.filter((rule) => rule.when === undefined).map((rule) => rule.id),
		);
	});

	it("when changes no verdict on the example of any rule in the world of any other", () => {
		const ofEntries = rules.filter((each) => each.kind === "ServiceEntry");
		for (const rule of sampleOf([...new Set(ofEntries.map(firstOfWorld))])) {
			const state = exampleWorld(rule);
			for (const { name, object } of examples) {
				assert.deepEqual(silenced(object, state, `${name} in the world of ${rule.id}`), []);
			}
		}
	});

	it("when changes no verdict on an entry that is plain or nearly so, in a world that is well or nearly so", () => {
		hold(
			property(nearlyPlain, anyWorld, (entry, made) => assertSame(entry, stateOf(made))),
			runs(3_000),
		);
	});

	it("when changes no verdict on entries with faults", () => {
		hold(
			property(serviceEntry, (entry) => assertSame(entry as unknown as AnyObject, usualWorld)),
			runs(1_000),
		);
	});

	it("when that throws silences nobody", () => {
		const [rule] = rules.filter((each) => each.id === "serviceentry-policy-host");
		assert.ok(rule);
		const broken = {
			...rule,
			when: () => {
				throw new Error("broken");
			},
			check: () => [{ path: [], message: "Speaks" }],
		};
		const { findings } = evaluate(createEngine([broken]), usualWorld, subjectOf(boundEntry));
		assert.deepEqual(
			findings.map((each) => each.message),
			["Speaks"],
		);
	});

	it("when is asked once for each fact, however many facts there are", () => {
		const [rule] = rules.filter((each) => each.id === "serviceentry-policy-host");
		assert.ok(rule);
		let asked = 0;
		const many = Array.from({ length: 80 }, (_, index) => {
			const when = () => {
				asked++;
				return index % 2 === 0;
			};
			const check = () => [{ path: [], message: `Speaks of ${index}` }];
			return [
				{ ...rule, id: `one-${index}`, when, check },
				{ ...rule, id: `two-${index}`, when, check },
			];
		});
		const { findings } = evaluate(createEngine(many.flat()), usualWorld, subjectOf(boundEntry));
		assert.deepEqual(
			findings.map((each) => each.message),
			Array.from({ length: 80 }, (_, index) => index)
				.filter((index) => index % 2 === 0)
				.flatMap((index) => [`Speaks of ${index}`, `Speaks of ${index}`]),
		);
		assert.equal(asked, 80);
	});
});
