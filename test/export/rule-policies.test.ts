import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultSettings, parseSettings } from "../../src/core/settings.ts";
import { backstop } from "../../src/export/admission-policies.ts";
import type { Manifest } from "../../src/export/mesh-table.ts";
import type { BackstopOptions } from "../../src/export/policy-objects.ts";
import type { RulePolicyName } from "../../src/export/rule-policies.ts";
import { coveredRules, rulePolicies } from "../../src/export/rule-policies.ts";
import { rules } from "../../src/rules/table.ts";

const options: BackstopOptions = {
	settings: defaultSettings,
	rules,
	exempt: [],
	labels: {},
	actions: ["deny", "warn", "audit"],
	editors: "settings",
	istioNamespace: "istio-system",
	account: "system:serviceaccount:waymark-system:waymark",
};

interface PolicySpec {
	readonly variables?: readonly { readonly name: string; readonly expression: string }[];
	readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
	readonly matchConstraints?: {
		readonly resourceRules: readonly { readonly operations: readonly string[] }[];
	};
	readonly validations?: readonly { readonly expression: string }[];
}

const specOf = (policies: readonly Manifest[], name: string): PolicySpec =>
	policies.find(({ kind, metadata }) => kind === "ValidatingAdmissionPolicy" && metadata.name === name)
		?.spec as PolicySpec;

describe("rulePolicies", () => {
	it("declares every variable that is used, before it is used, and none that is not", () => {
		const choice = { kubernetesMinor: 36, inject: true, live: true, staticManifests: false };
		for (const { kind, metadata, spec } of backstop(options, choice)) {
			const { variables = [], ...rest } = spec as PolicySpec;
			const used = (value: unknown): readonly string[] =>
				[...JSON.stringify(value).matchAll(/variables\.(\w+)/g)].map(([, name = ""]) => name);
			const declared = new Set<string>();
			for (const { name, expression } of variables) {
				for (const each of used(expression)) {
					assert.ok(declared.has(each), `${kind} ${metadata.name}: ${name} uses ${each}`);
				}
				declared.add(name);
			}
			for (const each of used(rest)) {
				assert.ok(declared.has(each), `${kind} ${metadata.name} uses ${each}`);
			}
			if (metadata.name !== "waymark-namespaces") {
				const everywhere = new Set([...used(rest), ...variables.flatMap((word) => used(word.expression))]);
				assert.deepEqual(
					[...declared].filter((name) => !everywhere.has(name)),
					[],
					metadata.name,
				);
			}
		}
	});

	it("sets up few words, since each costs every write", () => {
		const count = (family: RulePolicyName, name: string = family): number =>
			specOf(rulePolicies({ ...options, actions: ["deny"] }, family), name).variables?.length ?? 0;
		assert.ok(count("waymark") <= 16);
		assert.ok(count("waymark", "waymark-updates") <= 16);
		assert.ok(count("waymark-mesh") <= 13);
		assert.ok(count("waymark-sidecar") <= 9);
	});

	it("works no condition out for a creation, and one for an update", () => {
		const policies = rulePolicies({ ...options, actions: ["deny"] }, "waymark");
		const told = policies
			.filter(({ kind }) => kind === "ValidatingAdmissionPolicy")
			.map(({ metadata, spec }) => {
				const { matchConstraints, matchConditions = [] } = spec as Required<PolicySpec>;
				const [rule] = matchConstraints.resourceRules;
				return [metadata.name, rule?.operations, matchConditions.map(({ name }) => name)];
			});
		assert.deepEqual(told, [
			["waymark-updates", ["UPDATE"], ["changed"]],
			["waymark", ["CREATE"], []],
		]);
		const { settings } = parseSettings({ restorers: { users: ["system:serviceaccount:velero:velero"] } });
		const restoring = rulePolicies({ ...options, settings, actions: ["deny"] }, "waymark");
		assert.deepEqual(
			["waymark", "waymark-updates"].map((name) =>
				specOf(restoring, name).matchConditions?.map((condition) => condition.name),
			),
			[["not-restored"], ["changed"]],
		);
	});

	it("asks the table first whether there is anything to find, but where it warns of an old table", () => {
		const policies = rulePolicies(options, "waymark-mesh");
		const conditions = (name: string): readonly string[] =>
			(specOf(policies, name).matchConditions ?? []).map((each) => each.name);
		assert.deepEqual(conditions("waymark-mesh"), ["unsettled"]);
		assert.deepEqual(conditions("waymark-mesh-audit"), ["unsettled"]);
		assert.deepEqual(conditions("waymark-mesh-warn"), ["changed"]);
	});

	it("takes no entry for a plain one by a list that it does not look into", () => {
		const verdict = (file: object): string => {
			const { settings } = parseSettings(file);
			const policies = rulePolicies({ ...options, settings }, "waymark");
			return specOf(policies, "waymark").validations?.[0]?.expression ?? "";
		};
		const always = "variables.findings.size() == 0";
		assert.notEqual(verdict({}), always);
		for (const lists of [
			{ deniedHosts: ["*.example.com"] },
			{ allowedPorts: ["443"] },
			{ allowedProtocols: ["TLS"] },
		]) {
			assert.equal(verdict({ defaults: lists }), always);
			assert.equal(verdict({ limits: lists }), always);
		}
		assert.ok(verdict({ defaults: { allowedHosts: ["*.example.com"] } }).includes("' *.example.com '"));
		assert.ok(verdict({ limits: { allowedHosts: ["*.example.com"] } }).includes("' *.example.com '"));
	});
});

describe("coveredRules", () => {
	it("has only errors, each with a summary of one line that may stand in a comment", () => {
		const covered = coveredRules(rules, defaultSettings);
		assert.ok(covered.length > 25);
		for (const rule of covered) {
			assert.equal(rule.severity, "error", rule.id);
			assert.doesNotMatch(rule.docs.summary, /\n/);
		}
	});
});
