import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { array, constantFrom, assert as hold, integer, oneof, property, record } from "fast-check";
import type { Auditor } from "../../src/audit/auditor.ts";
import { createAuditor } from "../../src/audit/auditor.ts";
import type { AuditChange, AuditedObject } from "../../src/audit/judged.ts";
import { reportContent } from "../../src/audit/report.ts";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { conformsToKind, kindOfObject } from "../../src/core/kinds.ts";
import type { FoundGaps } from "../../src/reach/gaps.ts";
import { findGaps } from "../../src/reach/gaps.ts";
import { readReach } from "../../src/reach/reach.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { runs } from "../support/long-form.ts";
import { exampleDay, world } from "../support/rule-example.ts";

const engine = createEngine(rules);

/** The bound entry after istiod has seen it. */
const allocated: AnyObject = {
	...boundEntry,
	status: { addresses: [{ value: "240.240.0.1", host: boundEntry.spec?.hosts?.[0] ?? "" }] },
} as AnyObject;

function auditorOf(inventory: ClusterState): { readonly auditor: Auditor; readonly changes: AuditChange[] } {
	const changes: AuditChange[] = [];
	const auditor = createAuditor({
		engine,
		inventory,
		today: exampleDay,
		onChange: (change) => changes.push(change),
	});
	return { auditor, changes };
}

/** Works until nothing is in line. */
function settle(auditor: Auditor): void {
	while (auditor.work(() => true)) {}
}

/** Every judgement in a stable order. */
function picture(auditor: Auditor): readonly AuditedObject[] {
	const key = ({ kind, namespace, name }: AuditedObject): string => `${kind} ${namespace}/${name}`;
	return [...auditor.objects()].toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}

/** Puts an object into a world as the feed does. */
function set(state: ClusterState, auditor: Auditor, after: AnyObject): void {
	const kind = kindOfObject(after) as Kind;
	const namespace = after.metadata?.namespace ?? "";
	const name = after.metadata?.name ?? "";
	const before = state.get(kind, namespace, name);
	state.set(kind, after as Resources[Kind]);
	auditor.changed({ kind, namespace, name, before, after });
}

function remove(state: ClusterState, auditor: Auditor, kind: Kind, namespace: string, name: string): void {
	const before = state.get(kind, namespace, name);
	state.delete(kind, namespace, name);
	auditor.changed({ kind, namespace, name, before });
}

/** How many steps it takes until nothing is in line. */
function stepsOf(auditor: Auditor): number {
	let steps = 0;
	auditor.work(() => {
		steps += 1;
		return true;
	});
	return steps;
}

type Step =
	| {
			readonly what: "entry";
			readonly name: string;
			readonly host: string;
			readonly resolution: string;
			readonly bound: boolean;
	  }
	| { readonly what: "remove"; readonly name: string }
	| { readonly what: "waypoint"; readonly there: boolean }
	| { readonly what: "policy"; readonly denied: string }
	| { readonly what: "work"; readonly steps: number };

function take(step: Step, state: ClusterState, auditor: Auditor): void {
	switch (step.what) {
		case "entry": {
			const { name, host, resolution, bound } = step;
			const entry = withSpec(boundEntry, { hosts: [host], resolution });
			const labels = bound ? boundEntry.metadata?.labels : {};
			set(state, auditor, { ...entry, metadata: { ...entry.metadata, name, labels } } as AnyObject);
			return;
		}
		case "remove":
			remove(state, auditor, "ServiceEntry", "team", step.name);
			return;
		case "waypoint": {
			const { namespace, name } = egressWaypoint.metadata ?? {};
			if (step.there) {
				set(state, auditor, egressWaypoint);
			} else {
				remove(state, auditor, "KubernetesGateway", namespace ?? "", name ?? "");
			}
			return;
		}
		case "policy": {
			const annotations = step.denied === "" ? {} : { "egress.waymark.dev/denied-hosts": step.denied };
			set(state, auditor, { ...teamNamespace, metadata: { ...teamNamespace.metadata, annotations } });
			return;
		}
		case "work": {
			let left = step.steps;
			auditor.work(() => left-- > 0);
		}
	}
}

describe("createAuditor()", () => {
	test("judges every stored object, and says what becomes of each host", () => {
		const wild = withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "NONE" });
		const bad = { ...wild, metadata: { ...wild.metadata, name: "wild" } };
		const { auditor } = auditorOf(world([teamNamespace, egressNamespace, egressWaypoint, allocated, bad]));
		assert.equal(auditor.isComplete(), false);
		settle(auditor);
		assert.equal(auditor.isComplete(), true);
		const found = picture(auditor);
		assert.deepEqual(
			found.filter(({ kind }) => kind === "ServiceEntry").map(({ name, hosts }) => [name, hosts]),
			[
				[boundEntry.metadata?.name, ["governed"]],
				["wild", ["direct"]],
			],
		);
		const wildcard = found.find(({ name }) => name === "wild");
		assert.ok(wildcard?.findings.some(({ rule }) => rule === "serviceentry-wildcard-resolution"));
	});

	test("judges again what reads the object that changed: a deleted waypoint unbinds every entry", () => {
		const state = world([teamNamespace, egressNamespace, egressWaypoint, allocated]);
		const { auditor, changes } = auditorOf(state);
		settle(auditor);
		changes.length = 0;
		const { namespace = "", name = "" } = egressWaypoint.metadata ?? {};
		remove(state, auditor, "KubernetesGateway", namespace ?? "", name ?? "");
		settle(auditor);
		const entry = changes.find(({ after }) => after?.kind === "ServiceEntry");
		assert.deepEqual(entry?.before?.hosts, ["governed"]);
		assert.deepEqual(entry?.after?.hosts, ["direct"]);
		assert.ok(entry?.after?.findings.some(({ severity }) => severity === "error"));
	});

	test("finds an entry that a label of its Namespace took off the waypoint, whoever was away when it changed", () => {
		const listeners = [
			{
				name: "mesh",
				port: 15008,
				protocol: "HBONE",
				allowedRoutes: {
					namespaces: { from: "Selector", selector: { matchLabels: { egress: "allowed" } } },
				},
			},
		];
		const selecting = { ...egressWaypoint, spec: { ...egressWaypoint.spec, listeners } } as AnyObject;
		const admitted = withLabels(teamNamespace, { egress: "allowed" });
		const state = world([admitted, egressNamespace, selecting, allocated]);
		const { auditor } = auditorOf(state);
		settle(auditor);
		const attachment = (): readonly string[] =>
			[...auditor.objects()]
				.flatMap(({ findings }) => findings.map(({ rule }) => rule))
				.filter((rule) => rule === "serviceentry-waypoint-attachment");
		assert.deepEqual(attachment(), []);
		set(state, auditor, teamNamespace);
		settle(auditor);
		assert.deepEqual(attachment(), ["serviceentry-waypoint-attachment"]);
	});

	test("says of every entry that its waypoint is gone before it judges the first of them again", () => {
		const entry = (name: string): AnyObject =>
			({ ...allocated, metadata: { ...allocated.metadata, name } }) as AnyObject;
		const hosted = (name: string): AnyObject => {
			const host = `${name}.payments.example.com`;
			const moved = withSpec(entry(name) as typeof boundEntry, { hosts: [host] });
			return { ...moved, status: { addresses: [{ value: "240.240.0.1", host }] } } as AnyObject;
		};
		const names = ["d", "c", "b", "a"];
		const state = world([teamNamespace, egressNamespace, egressWaypoint, ...names.map(hosted)]);
		const changes: AuditChange[] = [];
		let losses = 0;
		const auditor = createAuditor({
			engine,
			inventory: state,
			today: exampleDay,
			onChange: (change) => changes.push(change),
			onLoss: () => {
				losses += 1;
			},
		});
		settle(auditor);
		assert.deepEqual([losses, auditor.tally.lostWaypoints(state)], [0, []]);
		changes.length = 0;
		const { namespace, name } = egressWaypoint.metadata as { namespace: string; name: string };
		remove(state, auditor, "KubernetesGateway", namespace, name);
		assert.equal(auditor.urgency(), 2);
		auditor.work(() => auditor.urgency() === 2);
		assert.equal(changes.length, 0, "nothing is judged yet");
		assert.equal(losses, names.length);
		const lost = {
			namespace,
			name,
			isThere: false,
			entries: 4,
			namespaces: 1,
			first: ["a", "b", "c"].map((each) => ({ namespace: "team", name: each })),
		};
		assert.deepEqual(auditor.tally.lostWaypoints(state), [lost]);
		assert.equal(auditor.tally.hosts.get("direct"), 4);
		settle(auditor);
		assert.deepEqual(auditor.tally.lostWaypoints(state), [lost]);
		const told = changes.filter(({ after }) => after?.kind === "ServiceEntry");
		assert.equal(told.length, 4);
		assert.ok(
			told.every(({ before, after }) => before?.hosts[0] === "governed" && after?.hosts[0] === "direct"),
		);
		set(state, auditor, egressWaypoint);
		settle(auditor);
		assert.deepEqual(auditor.tally.lostWaypoints(state), []);
	});

	test("calls a host refused when AuthorizationPolicies at the waypoint refuse every connection", () => {
		const name = boundEntry.metadata?.name ?? "";
		const denial = {
			apiVersion: "security.istio.io/v1",
			kind: "AuthorizationPolicy",
			metadata: { name: "nobody", namespace: "team" },
			spec: {
				targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }],
				action: "DENY",
				rules: [{ from: [{ source: { namespaces: ["*"] } }] }],
			},
		} as AnyObject;
		const state = world([teamNamespace, egressNamespace, egressWaypoint, allocated, denial]);
		let gaps: FoundGaps | undefined;
		const auditor = createAuditor({
			engine,
			inventory: state,
			today: exampleDay,
			gaps: () => gaps,
			onChange: () => {},
		});
		settle(auditor);
		assert.equal(auditor.tally.hosts.get("governed"), 1);
		gaps = findGaps(readReach(state, exampleDay));
		assert.ok(gaps.marks.has(`team/${name}`), "who keeps reach tells of it");
		auditor.rejudge({ kind: "ServiceEntry", namespace: "team", name });
		settle(auditor);
		assert.deepEqual(Object.fromEntries(auditor.tally.hosts), {
			governed: 0,
			direct: 0,
			refused: 1,
			unknown: 0,
		});
	});

	test("counts what it judged as if it had looked through all of it", () => {
		const state = world([teamNamespace, egressNamespace, egressWaypoint, allocated]);
		const { auditor } = auditorOf(state);
		settle(auditor);
		const { namespace, name } = egressWaypoint.metadata as { namespace: string; name: string };
		remove(state, auditor, "KubernetesGateway", namespace, name);
		settle(auditor);
		const findings = new Map<string, number>();
		const objects = picture(auditor);
		for (const { rule, severity } of objects.flatMap((each) => each.findings)) {
			findings.set(`${rule} ${severity}`, (findings.get(`${rule} ${severity}`) ?? 0) + 1);
		}
		assert.ok(findings.size > 0);
		assert.deepEqual(new Map([...auditor.tally.findings].toSorted()), new Map([...findings].toSorted()));
		assert.equal(auditor.tally.objects, objects.length);
		remove(state, auditor, "ServiceEntry", "team", boundEntry.metadata?.name ?? "");
		settle(auditor);
		assert.deepEqual(
			[...auditor.tally.hosts.values()],
			[...auditor.tally.hosts.values()].map(() => 0),
		);
		assert.equal(auditor.tally.lost, 0);
	});

	test("forgets what is gone, by its own event or by a new list", () => {
		const state = world([teamNamespace, egressNamespace, egressWaypoint, boundEntry]);
		const { auditor } = auditorOf(state);
		settle(auditor);
		const before = picture(auditor).length;
		remove(state, auditor, "ServiceEntry", "team", boundEntry.metadata?.name ?? "");
		settle(auditor);
		assert.equal(picture(auditor).length, before - 1);
		state.replace("Namespace", []);
		auditor.changed({ kind: "Namespace" });
		settle(auditor);
		assert.deepEqual(
			picture(auditor).filter(({ kind }) => kind === "Namespace"),
			[],
		);
	});

	test("tells nothing where nothing is another than before", () => {
		const state = world([teamNamespace, egressNamespace, egressWaypoint, boundEntry]);
		const { auditor, changes } = auditorOf(state);
		settle(auditor);
		changes.length = 0;
		set(state, auditor, { ...boundEntry });
		auditor.restart(exampleDay);
		settle(auditor);
		assert.deepEqual(changes, []);
	});

	test("works in pieces: it stops when it may not go on, and goes on where it was", () => {
		const { auditor } = auditorOf(world([teamNamespace, egressNamespace, egressWaypoint, boundEntry]));
		let pieces = 0;
		for (let isLeft = true; isLeft; pieces++) {
			let once = true;
			isLeft = auditor.work(() => {
				const mayGoOn = once;
				once = false;
				return mayGoOn;
			});
			assert.ok(pieces < 1000);
		}
		assert.ok(pieces > 5);
		assert.ok(auditor.isComplete(), "also where the last piece took all the time there was");
		const { auditor: whole } = auditorOf(world([teamNamespace, egressNamespace, egressWaypoint, boundEntry]));
		settle(whole);
		assert.deepEqual(picture(auditor), picture(whole));
	});

	test("takes small steps also where a waypoint has a thousand entries", () => {
		const entries = Array.from({ length: 1_000 }, (_, index) => ({
			...boundEntry,
			metadata: { ...boundEntry.metadata, name: `entry-${index}` },
			spec: { ...boundEntry.spec, hosts: [`api-${index}.example.com`] },
			status: {
				addresses: [{ value: `240.240.${index >> 8}.${index & 255}`, host: `api-${index}.example.com` }],
			},
		}));
		const state = world([teamNamespace, egressNamespace, egressWaypoint, ...entries]);
		const { auditor } = auditorOf(state);
		settle(auditor);
		const { namespace, name } = egressWaypoint.metadata as { namespace: string; name: string };
		let asked = 0;
		const lookup = state.lookup.bind(state);
		state.lookup = function* (index, key) {
			for (const found of lookup(index, key)) {
				asked += index === "serviceEntryByWaypoint" ? 1 : 0;
				yield found;
			}
		};
		state.delete("KubernetesGateway", namespace, name);
		auditor.changed({ kind: "KubernetesGateway", namespace, name, before: egressWaypoint });
		assert.equal(asked, 0, "nothing is looked for where the change is told");
		assert.equal(auditor.urgency(), 2);
		let steps = 0;
		for (; auditor.urgency() === 2; steps++) {
			let may = 1;
			auditor.work(() => may-- > 0, "single objects");
			assert.ok(asked <= 64 * (steps + 1) + steps, `${asked} after ${steps} steps`);
		}
		assert.ok(steps > 1_000, "one step each, and some to find them");
		assert.equal(auditor.tally.lostWaypoints(state)[0]?.entries, 1_000);
	});

	test("has, after any changes in any order, what judging everything anew has", () => {
		const host = constantFrom("api.example.com", "www.example.com", "*.example.com");
		const step = oneof(
			record({
				what: constantFrom<"entry">("entry"),
				name: constantFrom("a", "b", "c"),
				host,
				resolution: constantFrom("DNS", "NONE", "DYNAMIC_DNS"),
				bound: constantFrom(true, false),
			}),
			record({ what: constantFrom<"remove">("remove"), name: constantFrom("a", "b", "c") }),
			record({ what: constantFrom<"waypoint">("waypoint"), there: constantFrom(true, false) }),
			record({ what: constantFrom<"policy">("policy"), denied: constantFrom("", "*.example.com") }),
			record({ what: constantFrom<"work">("work"), steps: integer({ min: 1, max: 5 }) }),
		);
		hold(
			property(array(step, { maxLength: 25 }), (steps) => {
				const state = world([teamNamespace, egressNamespace, egressWaypoint]);
				const { auditor } = auditorOf(state);
				for (const each of steps) {
					take(each, state, auditor);
				}
				settle(auditor);
				const { auditor: anew } = auditorOf(state);
				settle(anew);
				assert.deepEqual(picture(auditor), picture(anew));
			}),
			runs(300),
		);
	});
});

describe("createAuditor() and what a judgement asked for", () => {
	const entryAt = (index: number): AnyObject => ({
		...withSpec(boundEntry, { hosts: [`api-${index}.example.com`], addresses: [`10.0.0.${index}`] }),
		metadata: { ...boundEntry.metadata, name: `entry-${index}`, namespace: `team-${index}` },
	});
	const namespaceAt = (index: number): AnyObject => ({
		...teamNamespace,
		metadata: { ...teamNamespace.metadata, name: `team-${index}` },
	});
	const places = Array.from({ length: 200 }, (_, index) => index);

	test("judges again those that asked for what changed, and no others", () => {
		const state = world([
			egressNamespace,
			egressWaypoint,
			...places.flatMap((index) => [namespaceAt(index), entryAt(index)]),
		]);
		const { auditor, changes } = auditorOf(state);
		assert.ok(stepsOf(auditor) > 400);
		changes.length = 0;

		// A second entry for the host and the address of another one: that one alone is touched besides.
		const rival = entryAt(7);
		set(state, auditor, {
			...rival,
			metadata: { ...rival.metadata, name: "rival", namespace: "team-8" },
		} as AnyObject);
		assert.ok(stepsOf(auditor) < 20);
		assert.deepEqual(changes.map(({ after }) => after?.name).toSorted(), ["entry-7", "rival"]);

		// Of a namespace's policy its own entries know.
		const denying = { ...namespaceAt(9).metadata, annotations: { "egress.waymark.dev/denied-hosts": "*" } };
		set(state, auditor, { ...namespaceAt(9), metadata: denying } as AnyObject);
		assert.ok(stepsOf(auditor) < 20);
		assert.ok(changes.some(({ after }) => after?.name === "entry-9"));

		// The waypoint is asked for by every entry.
		const { namespace, name } = egressWaypoint.metadata ?? {};
		remove(state, auditor, "KubernetesGateway", namespace ?? "", name ?? "");
		assert.ok(stepsOf(auditor) > 200);
	});

	test("has, after any changes of any kind that a rule knows, what judging everything anew has", () => {
		const objects = rules
			.flatMap(({ docs }): readonly AnyObject[] => [docs.good, docs.bad, ...(docs.given ?? [])])
			// The feed keeps what has the shape of its kind.
			.filter((object) => conformsToKind(kindOfObject(object) as Kind, object));
		const change = record({
			place: integer({ min: 0, max: objects.length - 1 }),
			isGone: constantFrom(true, false, false),
		});
		hold(
			property(
				array(change, { minLength: 10, maxLength: 60 }),
				integer({ min: 1, max: 40 }),
				(steps, pause) => {
					const state = world([]);
					const { auditor } = auditorOf(state);
					for (const [index, { place, isGone }] of steps.entries()) {
						const object = objects[place] ?? boundEntry;
						const kind = kindOfObject(object) as Kind;
						if (isGone) {
							const { namespace, name } = object.metadata ?? {};
							remove(state, auditor, kind, namespace ?? "", name ?? "");
						} else {
							set(state, auditor, object);
						}
						if (index % 7 === 0) {
							let left = pause;
							auditor.work(() => left-- > 0);
						}
					}
					settle(auditor);
					const { auditor: anew } = auditorOf(state);
					settle(anew);
					assert.deepEqual(picture(auditor), picture(anew));
				},
			),
			runs(300),
		);
	});
});

describe("reportContent()", () => {
	const object = (name: string, count: number, severity: "error" | "warning" | "info"): AuditedObject => ({
		kind: "ServiceEntry",
		apiVersion: "networking.istio.io/v1",
		namespace: "team",
		name,
		uid: undefined,
		findings: Array.from({ length: count }, (_, index) => ({
			rule: "serviceentry-host-name",
			severity,
			path: `spec.hosts[${index}]`,
			message: "Wrong",
			hint: undefined,
		})),
		omitted: 0,
		hosts: [],
		lost: undefined,
	});

	test("counts everything, lists errors first and at most 200, and says how many more there are", () => {
		const objects = [
			object("b", 3, "warning"),
			object("a", 250, "error"),
			object("c", 1, "info"),
			object("d", 0, "info"),
		];
		const { summary, results } = reportContent(objects, () => "validity");
		assert.deepEqual(summary, { pass: 2, fail: 250, warn: 3, error: 0, skip: 1 });
		assert.equal(results.length, 201);
		assert.match(JSON.stringify(results.at(-1)), /54 more findings are not listed/);
		assert.ok(results.slice(0, 200).every((result) => JSON.stringify(result).includes('"fail"')));
	});

	test("says first, in one line each, which waypoints are lost", () => {
		const lost = {
			namespace: "egress",
			name: "waypoint",
			isThere: false,
			entries: 10_000,
			namespaces: 5_000,
			first: ["a", "b", "c"].map((name) => ({ namespace: "team", name })),
		};
		const content = reportContent([object("b", 250, "error")], () => undefined, [lost]);
		assert.equal(content.summary.fail, 251);
		assert.equal(content.results.length, 201);
		const [first, second] = content.results as readonly {
			readonly message: string;
			readonly policy: string;
		}[];
		assert.equal(
			first?.message,
			"Waypoint egress/waypoint does not exist: 10000 ServiceEntries of 5000 namespaces are reached past it (team/a, team/b, team/c and 9997 more)",
		);
		assert.equal(second?.policy, "serviceentry-host-name");
	});

	test("is the same whatever the order of the objects", () => {
		const objects = [object("b", 3, "warning"), object("a", 2, "error"), object("c", 1, "info")];
		assert.deepEqual(
			reportContent(objects, () => "validity"),
			reportContent(objects.toReversed(), () => "validity"),
		);
	});
});
