import { annotationPrefix, exemptionPrefix } from "../core/annotations.ts";
import { celList, celText } from "../core/cel.ts";
import { useWaypointLabel } from "../core/policy.ts";
import type { Rule } from "../core/rule.ts";
import { rulePage } from "../core/rule.ts";
import { injectionPatch, labelWords, malformedWords, ownAnnotationWords } from "./admission-words.ts";
import { generatedLabel } from "./authorization-policies.ts";
import type { Manifest } from "./mesh-table.ts";
import { tableDefinition } from "./mesh-table.ts";
import type { BackstopOptions } from "./policy-objects.ts";
import {
	binding,
	isAmong,
	judgedNamespaces,
	labelled,
	restorerConditions,
	writesOf,
} from "./policy-objects.ts";
import { rulePolicies } from "./rule-policies.ts";

/** What adds the waypoint labels; absent where the version has no such policies by itself. */
export function injection(options: BackstopOptions, version: "v1" | "v1beta1"): readonly Manifest[] {
	const { settings } = options;
	const apiVersion = `admissionregistration.k8s.io/${version}`;
	const labels = labelled(options);
	return [
		{
			apiVersion,
			kind: "MutatingAdmissionPolicy",
			metadata: { name: "waymark", ...labels },
			spec: {
				// What it leaves out, the validating policy demands.
				failurePolicy: "Ignore",
				reinvocationPolicy: "IfNeeded",
				matchConstraints: {
					matchPolicy: "Equivalent",
					namespaceSelector: judgedNamespaces(options),
					// Decided without CEL; an update is taken when the one that it replaces is unbound, too.
					objectSelector: { matchExpressions: [{ key: useWaypointLabel, operator: "DoesNotExist" }] },
					resourceRules: writesOf(["ServiceEntry"]),
				},
				mutations: [
					// A JSON Patch costs less than an apply configuration, which compares the whole object by its schema.
					{ patchType: "JSONPatch", jsonPatch: { expression: injectionPatch(settings) } },
				],
			},
		},
		{
			apiVersion,
			kind: "MutatingAdmissionPolicyBinding",
			metadata: { name: "waymark", ...labels },
			spec: { policyName: "waymark" },
		},
	];
}

/** Who may write policies, and in what form; by the rules about Namespaces. */
export function namespacePolicies(options: BackstopOptions): readonly Manifest[] {
	const labels = labelled(options);
	const ids = celList(options.rules.map((rule) => rule.id));
	const covered = new Set(options.rules.map((rule) => rule.id));
	const isOn = (id: string): boolean =>
		covered.has(id) && (options.settings.severities.get(id) ?? "error") === "error";
	const editor = editorTest(options);
	const at = "metadata.annotations[\"' + k + '\"]";
	const page = (id: string): string => `(${rulePage(id, options.settings)})`;
	const malformed = `(variables.malformed.filter(k, k in variables.changed) + variables.tooLong)
  .map(k, 'namespace-annotation: ${at}: Must not be "' +
    (variables.annotations[k].size() > 60 ? variables.annotations[k].substring(0, 60) + '…' : variables.annotations[k]) +
    '". docs/policies.md has its form ${page("namespace-annotation")}') +
variables.changed.filter(k, k in variables.annotations && k.startsWith(${celText(annotationPrefix + exemptionPrefix)}) &&
    !(k.substring(${annotationPrefix.length + exemptionPrefix.length}) in ${ids}))
  .map(k, 'namespace-annotation: ${at}: Exempts from a rule that does not exist, so it has no effect. ' +
    'waymark rules lists the ids ${page("namespace-annotation")}')`;
	const edited = `variables.changed.map(k, 'namespace-editor: ${at}: User "' + request.userInfo.username +
  '" is no policy editor and may not change it. Ask a policy editor ${page("namespace-editor")}')`;
	const nothing = "variables.changed.filter(k, false)";
	const guardsLabels = isOn("namespace-label") && editor !== undefined;
	const relabelled = `variables.relabelled.map(k, 'namespace-label: metadata.labels["' + k + '"]: User "' + request.userInfo.username +
  '" is no policy editor and may not change it: the policy of this namespace depends on it. Ask a policy editor ${page("namespace-label")}')`;
	return [
		{
			apiVersion: "admissionregistration.k8s.io/v1",
			kind: "ValidatingAdmissionPolicy",
			metadata: { name: "waymark-namespaces", ...labels },
			spec: {
				failurePolicy: "Fail",
				matchConstraints: {
					matchPolicy: "Equivalent",
					namespaceSelector: judgedNamespaces(options),
					objectSelector: {},
					resourceRules: [
						{
							apiGroups: [""],
							apiVersions: ["*"],
							operations: ["CREATE", "UPDATE"],
							// Annotations can be written through these, too.
							resources: ["namespaces", "namespaces/status", "namespaces/finalize"],
							scope: "Cluster",
						},
					],
				},
				matchConditions: [
					{
						name: "changed",
						expression: `[object, oldObject].exists(o, o != null && o.metadata.?annotations.orValue({})
  .exists(k, k.startsWith(${celText(annotationPrefix)}))) &&
(oldObject == null ||
  object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({}))${
		guardsLabels
			? ` ||
oldObject != null && object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})`
			: ""
	}`,
					},
					...restorerConditions(options.settings),
				],
				variables: [
					...ownAnnotationWords,
					...malformedWords("object.metadata.name"),
					{ name: "misformed", expression: isOn("namespace-annotation") ? malformed : nothing },
					{
						name: "unauthorized",
						expression:
							isOn("namespace-editor") && editor !== undefined ? `${editor} ? [] : ${edited}` : nothing,
					},
					...(guardsLabels
						? [
								...labelWords(options.settings),
								{ name: "unbound", expression: `${editor} ? [] : ${relabelled}` },
							]
						: []),
				],
				validations: [
					{
						expression: "variables.misformed.size() == 0",
						reason: "Forbidden",
						message: "Annotations of egress.waymark.dev are malformed; there are too many to list",
						messageExpression: "variables.misformed.join('; ')",
					},
					{
						expression: "variables.unauthorized.size() == 0",
						reason: "Forbidden",
						message: "Only policy editors may write annotations of egress.waymark.dev",
						messageExpression: `'namespace-editor: User "' + request.userInfo.username + '" is no policy editor and may not change ' +
  variables.changed.join(', ') + '. Ask a policy editor ${page("namespace-editor")}'`,
					},
					...(guardsLabels
						? [
								{
									expression: "variables.unbound.size() == 0",
									reason: "Forbidden",
									message: "Only policy editors may change labels from which a namespace's policy is derived",
									messageExpression: "variables.unbound.join('; ')",
								},
							]
						: []),
				],
			},
		},
		binding(options, "waymark-namespaces", ["Deny", "Audit"]),
	];
}

/** Whether the requester may write policies, in CEL; undefined where everybody may. */
function editorTest({ settings, editors }: BackstopOptions): string | undefined {
	if (editors === "rbac") {
		return `authorizer.group('egress.waymark.dev').resource('egresspolicies')
    .name(object.metadata.name).check('edit').allowed()`;
	}
	return settings.policyEditors === undefined ? undefined : isAmong(settings.policyEditors);
}

/** What only some may write: the status of ServiceEntries, the table where there is one, and the policies that are kept. */
export function guardPolicies(options: BackstopOptions, table: boolean): readonly Manifest[] {
	const labels = labelled(options);
	const guard = (name: string, rule: object, who: string, message: string): readonly Manifest[] => [
		{
			apiVersion: "admissionregistration.k8s.io/v1",
			kind: "ValidatingAdmissionPolicy",
			metadata: { name, ...labels },
			spec: {
				failurePolicy: "Fail",
				matchConstraints: {
					matchPolicy: "Equivalent",
					namespaceSelector: {},
					objectSelector: {},
					resourceRules: [{ apiVersions: ["*"], ...rule }],
				},
				validations: [{ expression: who, reason: "Forbidden", message }],
			},
		},
		binding(options, name, ["Deny", "Audit"]),
	];
	const account = `system:serviceaccount:${options.istioNamespace}:istiod`;
	return [
		...guard(
			"waymark-status",
			{
				apiGroups: ["networking.istio.io"],
				operations: ["UPDATE"],
				resources: ["serviceentries/status"],
				scope: "Namespaced",
			},
			`object.?status == oldObject.?status || request.userInfo.username == ${celText(account)} ||
request.userInfo.username.startsWith(${celText(`${account}-`)}) ||
'system:masters' in request.userInfo.?groups.orValue([])`,
			"Only istiod writes the status of a ServiceEntry: ztunnel is told the addresses that stand there",
		),
		...(table
			? guard(
					"waymark-table",
					{
						apiGroups: ["egress.waymark.dev"],
						operations: ["CREATE", "UPDATE", "DELETE"],
						resources: ["meshtables"],
						scope: "Cluster",
					},
					`request.userInfo.username == ${celText(options.account)}`,
					"Only Waymark writes this table: it works it out from the cluster anew all the time",
				)
			: []),
		...(options.settings.reach === "enforce"
			? guard(
					"waymark-reach",
					{
						apiGroups: ["security.istio.io"],
						operations: ["CREATE", "UPDATE", "DELETE"],
						resources: ["authorizationpolicies"],
						scope: "Namespaced",
					},
					// Controllers of kube-system delete what belongs to an entry or a Namespace that is gone.
					`request.userInfo.username == ${celText(options.account)} ||
request.userInfo.username.startsWith('system:serviceaccount:kube-system:') ||
[object, oldObject].all(o, o == null || !(${celText(generatedLabel)} in o.metadata.?labels.orValue({})))`,
					"Only Waymark writes the AuthorizationPolicies that it keeps: change the policy of the Namespaces from which they follow",
				)
			: []),
	];
}

/** What to print of all that there is. */
export interface BackstopChoice {
	/** The minor version of Kubernetes: 30 for 1.30. */
	readonly kubernetesMinor: number;
	/** Whether to add the waypoint labels. */
	readonly inject: boolean;
	/** Whether to use the table, which Waymark has to keep. */
	readonly live: boolean;
	/** Whether the API server shall read them from files, which needs other names. */
	readonly staticManifests: boolean;
}

/** The oldest Kubernetes that has ValidatingAdmissionPolicies by itself, and the newest that was tried. */
export const oldestKubernetes = 30;
export const newestKubernetes = 37;

/** From when on a MutatingAdmissionPolicy is there, though switched off, and from when on for all. */
const betaInjection = 34;
const stableInjection = 36;

/** From when on policies may ask what an address is: a version's new libraries are for the policies of the next one. */
const addressLibrary = 31;

/**
 * Every object of the backstop, in an order in which they can be applied. For files, what adds labels is printed by
 * itself: each of the two admission plugins has a folder of its own and refuses to start with a policy of the other kind.
 */
export function backstop(given: BackstopOptions, choice: BackstopChoice): readonly Manifest[] {
	const knowsAddresses = choice.kubernetesMinor >= addressLibrary;
	const options = knowsAddresses ? given : withoutAddresses(given);
	const version = choice.kubernetesMinor >= stableInjection ? "v1" : "v1beta1";
	const adding = choice.inject && choice.kubernetesMinor >= betaInjection ? injection(options, version) : [];
	if (choice.staticManifests) {
		return (choice.inject ? adding : refusing(options, false)).map(asStaticManifest);
	}
	const objects = [...(choice.live ? [tableDefinition] : []), ...adding, ...refusing(options, choice.live)];
	return knowsAddresses ? objects : objects.map(tellingAddressesByForm);
}

/** The rules that Kubernetes of this minor version can hold by itself. */
export function heldRules(rules: readonly Rule[], kubernetesMinor: number): readonly Rule[] {
	return kubernetesMinor >= addressLibrary ? rules : rules.map(withoutRanges);
}

/** No range of addresses can be looked into: every address counts as outside. */
function withoutAddresses(options: BackstopOptions): BackstopOptions {
	const { settings } = options;
	return {
		...options,
		settings: { ...settings, internal: { ...settings.internal, addresses: [] } },
		rules: options.rules.map(withoutRanges),
	};
}

function withoutRanges(rule: Rule): Rule {
	const problems = rule.cel?.problems.filter(({ when }) => !when.includes("cidr("));
	if (problems === undefined || problems.length === rule.cel?.problems.length) {
		return rule;
	}
	const { cel: _, ...rest } = rule;
	return problems.length === 0 ? rest : { ...rest, cel: { ...rule.cel, problems } };
}

/** What has a colon, or only digits and dots, is taken for an address. */
function tellingAddressesByForm(manifest: Manifest): Manifest {
	const text = JSON.stringify(manifest).replaceAll(/\bisIP\((\w+)\)/g, "$1.matches('^[0-9.]+$|:')");
	return JSON.parse(text) as Manifest;
}

function refusing(options: BackstopOptions, live: boolean): readonly Manifest[] {
	return [
		...rulePolicies(options, "waymark"),
		...rulePolicies(options, "waymark-sidecar"),
		...(live
			? [...rulePolicies(options, "waymark-mesh"), ...rulePolicies(options, "waymark-mesh-sidecar")]
			: []),
		...namespacePolicies(options),
		...guardPolicies(options, live),
	];
}

/** The API server reads policies from files only under names that nobody can take through it (KEP-5793). */
function asStaticManifest(manifest: Manifest): Manifest {
	const spec = manifest.spec as { readonly policyName?: string };
	const suffix = ".static.k8s.io";
	return {
		...manifest,
		metadata: { ...manifest.metadata, name: manifest.metadata.name + suffix },
		spec: { ...spec, ...(spec.policyName === undefined ? {} : { policyName: spec.policyName + suffix }) },
	};
}
