import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine, fixingPart } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Problem, Severity } from "../../src/core/finding.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject, Kind, ServiceEntry } from "../../src/core/kinds.ts";
import { allKinds } from "../../src/core/kinds.ts";
import type { Rule, RuleContext } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { modes } from "../../src/core/settings.ts";
import { plainEntry } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { runs } from "../support/long-form.ts";
import { exampleDay, exampleWorld, subjectOf, world } from "../support/rule-example.ts";
import { entry, surroundings, team } from "../support/team.ts";

type Check = (object: ServiceEntry, context: RuleContext) => Iterable<Problem>;

/** A rule about ServiceEntries that says what a function says. */
function rule(id: string, check: Check, more: Partial<Rule<"ServiceEntry">> = {}): Rule {
	const docs = { summary: "", why: "", fix: "", sources: [], since: "", good: plainEntry, bad: plainEntry };
	return {
		...{
			id,
			kind: "ServiceEntry",
			family: "policy",
			severity: "error",
			reads: [],
			fixable: true,
			docs,
			check,
		},
		...more,
	} as unknown as Rule;
}

const fix = [{ op: "set", path: ["metadata", "labels", "fixed"], value: "yes" }] as const;

/** A rule that says one thing about every object. */
function always(id: string, severity?: Severity): Rule {
	return rule(id, () => [{ path: ["spec"], message: `Says ${id}`, fix, ...(severity ? { severity } : {}) }]);
}

/** A rule that dislikes each host which begins with `bad`. */
const badHosts = rule("serviceentry-bad-host", function* (object) {
	for (const [index, host] of (object.spec?.hosts ?? []).entries()) {
		if (host.startsWith("bad")) {
			yield { path: ["spec", "hosts", index], message: `Host ${host} is bad` };
		}
	}
});

interface Case {
	readonly rules?: readonly Rule[];
	readonly object?: unknown;
	readonly old?: unknown;
	readonly given?: readonly AnyObject[];
	readonly settings?: SettingsFile;
	readonly subject?: Partial<Subject>;
}

function judged({
	rules: list = [always("a")],
	object = plainEntry,
	old,
	given = [team()],
	settings,
	subject,
}: Case): Verdict {
	return evaluate(createEngine(list), world(given, settings), {
		...subjectOf(plainEntry),
		object,
		...(old === undefined ? {} : { old }),
		...subject,
	});
}

function hosts(...list: readonly string[]): ServiceEntry {
	return entry({ hosts: list });
}

describe("evaluate() by mode and severity", () => {
	for (const [mode, severity, decision, denials, warnings, fixes, findings] of [
		["enforce", "error", "deny", 1, 0, 1, 1],
		["enforce", "warning", "allow", 0, 1, 1, 1],
		["enforce", "info", "allow", 0, 0, 1, 1],
		["warn", "error", "allow", 0, 1, 1, 1],
		["warn", "warning", "allow", 0, 1, 1, 1],
		["warn", "info", "allow", 0, 0, 1, 1],
		["audit", "error", "allow", 0, 0, 0, 1],
		["audit", "warning", "allow", 0, 0, 0, 1],
		["audit", "info", "allow", 0, 0, 0, 1],
		["off", "error", "allow", 0, 0, 0, 0],
		["off", "warning", "allow", 0, 0, 0, 0],
		["off", "info", "allow", 0, 0, 0, 0],
	] as const) {
		it(`evaluate() in mode ${mode} with an ${severity}: ${decision}`, () => {
			for (const list of [[always("a", severity)], [{ ...always("a"), severity }]]) {
				const verdict = judged({ rules: list, given: [team({ mode })] });
				assert.equal(verdict.mode, mode);
				assert.deepEqual(
					[
						verdict.decision,
						verdict.denials.length,
						verdict.warnings.length,
						verdict.fixes.length,
						verdict.findings.length,
					],
					[decision, denials, warnings, fixes, findings],
				);
			}
		});
	}

	it("evaluate() takes the cluster's mode where the namespace is silent, unknown or unreadable", () => {
		for (const mode of modes) {
			const settings = { defaults: { mode } };
			assert.equal(judged({ settings, given: [team({})] }).mode, mode);
			assert.equal(judged({ settings, given: [] }).mode, mode);
			assert.equal(judged({ settings, given: [team({ mode: "Enforce" })] }).mode, mode);
		}
	});

	for (const [override, decision, severity] of [
		["error", "deny", "error"],
		["warning", "allow", "warning"],
		["info", "allow", "info"],
		["off", "allow", undefined],
	] as const) {
		it(`evaluate() gives a rule the severity ${override} where the configuration says so`, () => {
			const settings = { severities: { a: override } };
			const verdict = judged({ settings, rules: [{ ...always("a"), severity: "warning" }] });
			assert.equal(verdict.decision, decision);
			assert.equal(verdict.findings[0]?.severity, severity);
		});
	}

	it("evaluate() runs no rule that the configuration turned off, and all the others", () => {
		const broken = rule("broken", () => {
			throw new Error("Cannot run: turned off");
		});
		const verdict = judged({ rules: [broken, always("a")], settings: { severities: { broken: "off" } } });
		assert.deepEqual(verdict.faults, []);
		assert.deepEqual(
			verdict.findings.map((each) => each.rule),
			["a"],
		);
	});
});

describe("evaluate() of what is not judged", () => {
	it("evaluate() allows everything in an exempt namespace and in those of Kubernetes", () => {
		const settings = { exemptNamespaces: ["team"] };
		assert.deepEqual(judged({ settings }).findings, []);
		assert.equal(judged({ settings }).policy, undefined);
		assert.equal(judged({ subject: { namespace: "kube-system" } }).decision, "allow");
		for (const namespace of ["kubeflow", "kube-anything", "kube-", "kube-system-2"]) {
			assert.equal(judged({ subject: { namespace } }).decision, "deny", "a tenant may create it");
		}
	});

	it("evaluate() allows a bad annotation on an exempt Namespace", () => {
		const namespace = {
			...team({ mode: "x" }),
			metadata: { ...team({ mode: "x" }).metadata, name: "kube-public" },
		};
		const verdict = evaluate(createEngine(rules), world(), subjectOf(namespace));
		assert.deepEqual(verdict.findings, []);
	});

	it("evaluate() judges an object that is being deleted, which Istio obeys until it is gone, and does not fix it", () => {
		const metadata = { namespace: "team", deletionTimestamp: "2026-11-23T00:00:00Z" };
		const dying = { ...plainEntry, metadata: { ...metadata, finalizers: ["example.com/keep"] } };
		const changed = judged({ rules: [badHosts], object: { ...hosts("bad.com"), metadata }, old: dying });
		assert.equal(changed.decision, "deny");
		const released = judged({ object: { ...plainEntry, metadata }, old: dying });
		assert.deepEqual([released.decision, released.fixes], ["allow", []]);
		const kept = { ...plainEntry, metadata: { ...metadata, deletionTimestamp: null } };
		assert.equal(judged({ object: kept }).fixes.length, 1);
	});

	it("evaluate() allows a kind that no rule judges, and what is no object", () => {
		assert.equal(judged({ subject: { kind: "Service" } }).decision, "allow");
		for (const object of [null, 1, "text", true]) {
			assert.equal(judged({ object }).decision, "allow");
		}
	});

	it("evaluate() spares rules the objects whose fields have other types, but for raw ones", () => {
		const seen: string[] = [];
		const note = (id: string) => {
			const check: Check = () => {
				seen.push(id);
				return [];
			};
			return rule(id, check, id === "raw" ? { seesAnyShape: true } : {});
		};
		judged({ rules: [note("plain"), note("raw")], object: { spec: { hosts: "text" } } });
		assert.deepEqual(seen, ["raw"]);
	});

	it("evaluate() reads nulls as the API server stores them", () => {
		const object = {
			metadata: { namespace: "team", labels: { a: null } },
			spec: { hosts: ["bad"], ports: null },
		};
		assert.equal(judged({ rules: [badHosts], object }).decision, "deny");
		let labels: unknown;
		const look = rule("look", (each) => {
			labels = each.metadata?.labels;
			return [];
		});
		judged({ rules: [look], object });
		assert.deepEqual(labels, { a: "" });
	});
});

describe("evaluate() of an update", () => {
	const at = (object: ServiceEntry, old: ServiceEntry | null): Verdict =>
		judged({ rules: [badHosts], object, old });

	it("evaluate() allows an update that keeps an old mistake, and warns of it", () => {
		const verdict = at(hosts("bad.com", "good.com"), hosts("bad.com"));
		assert.equal(verdict.decision, "allow");
		assert.deepEqual(
			verdict.warnings.map((each) => each.inherited),
			[true],
		);
	});

	it("evaluate() denies an update that adds a mistake, naming only the new one", () => {
		const verdict = at(hosts("bad.com", "bad.org"), hosts("bad.com"));
		assert.deepEqual(
			verdict.denials.map((each) => each.message),
			["Host bad.org is bad"],
		);
		assert.equal(verdict.warnings.length, 1);
	});

	it("evaluate() denies an update that changes one mistake for another", () => {
		assert.equal(at(hosts("bad.org"), hosts("bad.com")).decision, "deny");
	});

	it("evaluate() knows an old mistake at another place of its list", () => {
		assert.equal(at(hosts("good.com", "bad.com"), hosts("bad.com")).decision, "allow");
	});

	it("evaluate() denies a second copy of an old mistake", () => {
		assert.equal(at(hosts("bad.com", "bad.com"), hosts("bad.com")).denials.length, 1);
		assert.equal(at(hosts("bad.com", "bad.com"), hosts("bad.com", "bad.com")).decision, "allow");
	});

	it("evaluate() takes a mistake of the whole entry for a new one where hosts, addresses, endpoints or ports are added", () => {
		const widened = (spec: object): readonly unknown[] =>
			judged({ object: { ...plainEntry, spec: { ...plainEntry.spec, ...spec } }, old: plainEntry }).denials;
		const [host = ""] = plainEntry.spec?.hosts ?? [];
		assert.equal(widened({ hosts: [host, "more.example.com"] }).length, 1);
		assert.equal(widened({ addresses: ["203.0.113.7"] }).length, 1);
		assert.equal(widened({ endpoints: [{ address: "eu.example.com" }] }).length, 1);
		assert.equal(widened({ ports: [{ number: 8443, name: "tls", protocol: "TLS" }] }).length, 1);
		assert.equal(widened({ hosts: [`${host.toUpperCase()}.`] }).length, 0);
		assert.equal(widened({ hosts: [] }).length, 0);
		assert.equal(widened({ resolution: "STATIC" }).length, 0);
	});

	it("evaluate() judges an update without an older object as a creation", () => {
		assert.equal(at(hosts("bad.com"), null).decision, "deny");
	});

	it("evaluate() takes no excuse from an old object that no rule could read", () => {
		assert.equal(
			judged({ rules: [badHosts], object: hosts("bad.com"), old: { spec: { hosts: "bad.com" } } }).decision,
			"deny",
		);
	});

	it("evaluate() fixes what an update inherits all the same", () => {
		const verdict = judged({ old: plainEntry });
		assert.equal(verdict.decision, "allow");
		assert.equal(verdict.fixes.length, 1);
	});

	it("evaluate() judges the old object by today's policy: what the policy now forbids does not deny", () => {
		const given = [team({ "allowed-hosts": "*.example.org" })];
		const verdict = evaluate(createEngine(rules), world([...given, ...surroundings]), {
			...subjectOf(plainEntry),
			old: plainEntry,
		});
		assert.deepEqual(verdict.denials, []);
	});

	it("evaluate() lets a rule that judges the change itself deny although the old object says the same", () => {
		const changes: Rule = { ...always("changes"), comparesWithOld: true };
		assert.equal(judged({ rules: [changes], old: plainEntry }).decision, "deny");
	});

	it("evaluate() judges a Namespace by the policy that it brings, and ratchets by the one that it had", () => {
		const engine = createEngine(rules);
		const decision = (object: AnyObject, old: AnyObject) =>
			evaluate(engine, world([old]), subjectOf(object, old)).decision;
		assert.equal(decision(team({ mode: "x" }), team({})), "deny");
		assert.equal(decision(team({ mode: "x" }, { new: "label" }), team({ mode: "x" })), "allow");
		assert.equal(decision(team({ mode: "off", ambient: "x" }), team({ mode: "off" })), "deny");
	});

	it("evaluate() never denies an update that changes nothing, by any rule", () => {
		const engine = createEngine(rules);
		for (const { docs, kind } of rules.filter((each) => each.comparesWithOld !== true)) {
			const state = world(docs.given, docs.settings);
			const subject = { ...subjectOf(docs.bad, docs.bad), kind };
			assert.deepEqual(evaluate(engine, state, subject).denials, []);
		}
	});
});

describe("evaluate() with an exemption", () => {
	const exempt = (until: string, id = "a") => [team({ [`exempt.${id}`]: `until=${until} reason=SEC-1` })];

	it("evaluate() makes the rule's errors warnings through the last day, and names the exemption", () => {
		for (const [until, decision] of [
			["2026-11-22", "deny"],
			["2026-11-23", "allow"],
			["2026-11-24", "allow"],
		] as const) {
			assert.equal(judged({ given: exempt(until) }).decision, decision, until);
		}
		const verdict = judged({ given: exempt("2026-12-31") });
		assert.deepEqual(
			verdict.warnings.map((each) => [each.severity, each.exemption]),
			[["warning", "a"]],
		);
	});

	it("evaluate() exempts from that rule only, and touches neither warnings nor infos", () => {
		const list = [always("a", "info"), always("b")];
		const verdict = judged({ rules: list, given: exempt("2026-12-31") });
		assert.deepEqual(
			verdict.findings.map((each) => [each.rule, each.severity, each.exemption]),
			[
				["a", "info", undefined],
				["b", "error", undefined],
			],
		);
	});

	it("evaluate() exempts from what the configuration made an error", () => {
		const verdict = judged({
			rules: [always("a", "info")],
			given: exempt("2026-12-31"),
			settings: { severities: { a: "error" } },
		});
		assert.equal(verdict.decision, "allow");
	});

	it("evaluate() lets no Namespace exempt itself from the rules about its own policy", () => {
		const namespace = team({ mode: "x", "exempt.namespace-annotation": "until=2199-12-31 reason=x" });
		const verdict = evaluate(createEngine(rules), world([namespace]), subjectOf(namespace));
		assert.equal(verdict.decision, "deny");
	});
});

describe("evaluate() of rules that fail", () => {
	const broken = rule("broken", function* () {
		yield { path: [], message: "Half a finding" };
		throw new Error("Cannot go on: a mistake in the rule");
	});

	it("evaluate() counts a rule that throws, drops what it said, and judges by the others", () => {
		const verdict = judged({ rules: [always("a"), broken, always("b")] });
		assert.deepEqual(
			verdict.faults.map((fault) => [fault.rule, (fault.error as Error).message]),
			[["broken", "Cannot go on: a mistake in the rule"]],
		);
		assert.deepEqual(
			verdict.denials.map((each) => each.rule),
			["a", "b"],
		);
	});

	it("evaluate() counts a fault once, also where the old object would bring it again", () => {
		assert.equal(judged({ rules: [always("a"), broken], old: plainEntry }).faults.length, 1);
	});

	it("evaluate() asks whether it is spent, and then says nothing but what onCut says", () => {
		const greedy = rule("greedy", function* (_object, { inventory }) {
			yield { path: [], message: "Half a finding" };
			for (;;) {
				inventory.get("Service", "team", "unknown");
			}
		});
		const size: Rule = {
			...always("size"),
			check: () => [],
			onCut: () => [{ path: [], message: "Too costly" }],
		};
		let asked = 0;
		const verdict = evaluate(
			createEngine([always("a"), greedy, size]),
			world([team()]),
			subjectOf(plainEntry),
			() => ++asked > 3,
		);
		assert.equal(asked, 4);
		assert.equal(verdict.isCut, true);
		assert.equal(verdict.decision, "deny");
		assert.deepEqual(
			verdict.findings.map((each) => [each.rule, each.message]),
			[["size", "Too costly"]],
		);
	});

	it("evaluate() keeps the first 65,536 absences that a denial rests on, and never fails for their number", () => {
		const seeking = rule("seeking", function* (_object, { inventory }) {
			for (let index = 0; index < 400_000; index++) {
				inventory.get("Service", "team", `service-${index % 150_000}`);
			}
			yield { path: [], message: "There is none" };
		});
		assert.equal(judged({ rules: [seeking] }).absences.length, 65_536);
	});

	it("evaluate() stops a rule that never stops talking", () => {
		const endless = rule("endless", function* () {
			for (let index = 0; ; index++) {
				yield { path: ["spec", "hosts", index], message: "Again" };
			}
		});
		const verdict = judged({ rules: [endless, always("a")] });
		assert.equal(verdict.findings.length, 65);
	});
});

describe("evaluate() and what is not there", () => {
	const asks = (id: string, name: string, severity: Severity = "error") =>
		rule(id, (_, { inventory }) =>
			inventory.get("KubernetesGateway", "x", name) === undefined
				? [{ path: [], message: `No ${name}`, severity }]
				: [],
		);

	it("evaluate() names what the errors rest on not being there, each once", () => {
		const verdict = judged({ rules: [asks("a", "one"), asks("b", "two"), asks("c", "one")] });
		assert.deepEqual(verdict.absences, [
			{ kind: "KubernetesGateway", namespace: "x", name: "one" },
			{ kind: "KubernetesGateway", namespace: "x", name: "two" },
		]);
	});

	it("evaluate() does not name what only warnings rest on, or what nothing rests on", () => {
		assert.deepEqual(judged({ rules: [asks("a", "one", "warning"), always("b")] }).absences, []);
		const silent = rule("silent", (_, { inventory }) => {
			inventory.get("Service", "x", "y");
			return [];
		});
		assert.deepEqual(judged({ rules: [silent, always("b")] }).absences, []);
	});

	it("works an answer out once for all rules, and lets each rest on what was missing for it", () => {
		let worked = 0;
		const question = (_object: ServiceEntry, context: RuleContext): boolean => {
			worked += 1;
			return context.inventory.get("Service", "team", "gone") === undefined;
		};
		const silent = rule("a", (object, context) => (context.know(question, object) ? [] : []));
		const speaking = rule("b", (object, context) =>
			context.know(question, object) ? [{ path: ["spec"], message: "Says b" }] : [],
		);
		const { absences } = judged({ rules: [silent, speaking] });
		assert.deepEqual(absences, [{ kind: "Service", namespace: "team", name: "gone" }]);
		assert.equal(worked, 1);
		assert.deepEqual(judged({ rules: [silent, always("c")] }).absences, []);
		const updated = judged({ rules: [speaking], old: plainEntry });
		assert.equal(updated.decision, "allow");
		assert.equal(worked, 4);
	});

	it("evaluate() works an answer out once for all rules, and lets each rest on what was missing for it", () => {
		let times = 0;
		const question = (_: object, { inventory }: RuleContext): boolean => {
			times++;
			return inventory.get("KubernetesGateway", "x", "one") === undefined;
		};
		const asking = (id: string, severity: Severity) =>
			rule(id, (object, { know }) =>
				know(question, object) ? [{ path: [], message: "Missing", severity }] : [],
			);
		const { absences, findings } = judged({ rules: [asking("a", "warning"), asking("b", "error")] });
		assert.equal(times, 1);
		assert.equal(findings.length, 2);
		assert.deepEqual(absences, [{ kind: "KubernetesGateway", namespace: "x", name: "one" }]);
	});

	it("evaluate() works an answer out anew for the older object and for the next request", () => {
		const seen: unknown[] = [];
		const question = (object: ServiceEntry): boolean => {
			seen.push(object.spec?.hosts?.[0]);
			return true;
		};
		const asking = rule("a", (object, { know }) =>
			know(question, object) ? [{ path: [], message: "Bad" }] : [],
		);
		judged({ rules: [asking], object: hosts("new.com"), old: hosts("old.com") });
		judged({ rules: [asking], object: hosts("next.com") });
		assert.deepEqual(seen, ["new.com", "old.com", "next.com"]);
	});

	it("evaluate() names the Namespace first where it is not known, since every error rests on its policy", () => {
		assert.deepEqual(judged({ given: [] }).absences, [{ kind: "Namespace", namespace: "", name: "team" }]);
		assert.deepEqual(judged({ given: [], rules: [always("a", "warning")] }).absences, []);
	});
});

describe("evaluate() of anything at all", () => {
	// The fields that rules read, with values of every type, so that more than the shape guard is reached.
	const name = fc.constantFrom(
		...["metadata", "labels", "annotations", "spec", "hosts", "ports", "number", "protocol", "targetPort"],
		...[
			"endpoints",
			"address",
			"addresses",
			"location",
			"resolution",
			"listeners",
			"allowedRoutes",
			"namespaces",
		],
		...[
			"from",
			"selector",
			"matchLabels",
			"matchExpressions",
			"http",
			"route",
			"destination",
			"host",
			"gateways",
		],
		...["istio.io/use-waypoint", "egress.waymark.dev/mode", "exportTo", "workloadSelector", "__proto__", "0"],
	);
	const scalar = fc.oneof(
		fc.constantFrom(
			"none",
			"egress",
			"istio-egress",
			"*.com",
			"443",
			"MESH_INTERNAL",
			"NONE",
			"a\n\u202Eb",
			"",
		),
		fc.constantFrom(null, true, 0, -1, 443, 1e99),
		fc.string({ maxLength: 6 }),
	);
	const { value } = fc.letrec((tie) => ({
		value: fc.oneof(
			{ maxDepth: 6, depthSize: "medium" },
			scalar,
			fc.array(tie("value"), { maxLength: 3 }),
			fc.dictionary(name, tie("value"), { maxKeys: 5, noNullPrototype: true }),
		),
	}));
	const anything = fc.oneof(value, fc.jsonValue());
	const engine = createEngine(rules);
	const state = world([
		team({ waypoint: "istio-egress/egress", "allowed-hosts": "*.example.com" }),
		...surroundings,
	]);
	const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

	function assertSound(verdict: Verdict): void {
		assert.deepEqual(verdict.faults, []);
		for (const { message, hint = "", path } of verdict.findings) {
			assert.doesNotMatch(message, unprintable);
			assert.doesNotMatch(hint, unprintable);
			assert.ok(path.every((step) => typeof step === "string" || Number.isInteger(step)));
		}
	}

	const anySubject = (kind: Kind, object: unknown, old?: unknown): Subject => ({
		kind,
		namespace: "team",
		name: "anything",
		object,
		...(old === undefined ? {} : { old }),
		today: exampleDay,
	});

	for (const kind of [...engine.byKind.keys()]) {
		it(`evaluate() of any JSON as a ${kind} never throws, no rule fails, and every message can be printed`, () => {
			fc.assert(
				fc.property(anything, anything, (object, old) => {
					assertSound(evaluate(engine, state, anySubject(kind, object)));
					assertSound(evaluate(engine, state, anySubject(kind, object, old)));
				}),
				runs(300),
			);
		});

		it(`evaluate() of any mutilated example of a ${kind} never throws, no rule fails`, () => {
			const examples = rules
				.filter((each) => each.kind === kind)
				.flatMap(({ docs }) => [docs.good, docs.bad]);
			fc.assert(
				fc.property(fc.constantFrom(...examples), fc.nat(), value, (example, at, instead) => {
					assertSound(evaluate(engine, state, anySubject(kind, mutilated(example, at, instead))));
				}),
				runs(300),
			);
		});
	}

	it("evaluate() of any JSON in a world of any JSON never throws", () => {
		const oddities = fc.record({
			labels: fc.dictionary(name, fc.string()),
			annotations: fc.dictionary(name, fc.string()),
		});
		fc.assert(
			fc.property(oddities, (metadata) => {
				const odd = new ClusterState();
				odd.set("Namespace", { metadata: { name: "team", ...metadata } });
				odd.set("KubernetesGateway", { metadata: { namespace: "team", name: "a\nb", ...metadata } });
				assertSound(evaluate(engine, odd, anySubject("ServiceEntry", plainEntry)));
			}),
		);
	});

	it("evaluate() finds the same whatever the order of the rules", () => {
		const backwards = createEngine(rules.toReversed());
		const summary = (verdict: Verdict) => ({
			decision: verdict.decision,
			findings: verdict.findings.map((each) => JSON.stringify(each)).toSorted(),
		});
		const examples = rules.flatMap(({ kind, docs }) =>
			[docs.good, docs.bad].map((object) => ({ kind, object })),
		);
		fc.assert(
			fc.property(fc.constantFrom(...examples), fc.nat(), value, ({ kind, object }, at, instead) => {
				const subject = anySubject(kind, mutilated(object, at, instead));
				assert.deepEqual(
					summary(evaluate(engine, state, subject)),
					summary(evaluate(backwards, state, subject)),
				);
			}),
			runs(600),
		);
	});

	it("createEngine() keeps every rule under its kind, and what judges every kind under all that are judged", () => {
		for (const kind of allKinds) {
			const own = rules.filter((rule) => rule.kind === kind);
			const listed = engine.byKind.get(kind)?.rules ?? [];
			const wanted = rules.filter((rule) => rule.kind === kind || rule.everyKind === true);
			assert.deepEqual(listed, own.length === 0 ? [] : wanted);
		}
		assert.equal(engine.ids.size, rules.length);
	});
});

/** An object with the value at its nth place, counted depth first, replaced by another. */
function mutilated(object: unknown, at: number, instead: unknown): unknown {
	let left = at % places(object);
	const walk = (value: unknown): unknown => {
		if (left-- === 0) {
			return instead;
		}
		if (Array.isArray(value)) {
			return value.map(walk);
		}
		return typeof value === "object" && value !== null
			? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]))
			: value;
	};
	return walk(object);
}

function places(value: unknown): number {
	return typeof value === "object" && value !== null
		? Object.values(value).reduce<number>((sum, item) => sum + places(item), 1)
		: 1;
}

describe("fixingPart()", () => {
	const whole = createEngine(rules);
	const part = fixingPart(whole);

	it("is a small part of the engine", () => {
		assert.ok(part.rules.length < whole.rules.length / 3, String(part.rules.length));
		assert.deepEqual(part.ids, whole.ids);
	});

	it("writes labels of a binding and nothing else, and misses the same waypoints, in the examples of every rule", () => {
		const gateways = ({ absences }: Verdict): readonly string[] => [
			...new Set(absences.filter((each) => each.kind === "KubernetesGateway").map((each) => each.name)),
		];
		let fixed = 0;
		let left = 0;
		let missed = 0;
		for (const each of rules) {
			for (const object of [each.docs.good, each.docs.bad]) {
				for (const state of [exampleWorld(each), world([team()])]) {
					const all = evaluate(whole, state, subjectOf(object));
					const some = evaluate(part, state, subjectOf(object));
					const ofBinding = all.fixes.filter(({ path }) => bindingPaths.has(formatPath(path)));
					assert.deepEqual(some.fixes, ofBinding, each.id);
					if (object.kind === "ServiceEntry") {
						assert.deepEqual(gateways(some), gateways(all), each.id);
						missed += gateways(all).length;
					}
					fixed += some.fixes.length;
					left += all.fixes.length - some.fixes.length;
				}
			}
		}
		assert.ok(fixed > 0 && missed > 0 && left > 0);
	});
});

/** What `/mutate` may write. */
const bindingPaths: ReadonlySet<string> = new Set([
	'metadata.labels["istio.io/use-waypoint"]',
	'metadata.labels["istio.io/use-waypoint-namespace"]',
]);
