import { annotationPrefix, exemptionPrefix } from "../core/annotations.ts";
import type { CelProblem } from "../core/cel.ts";
import { celList, celTemplate, celText } from "../core/cel.ts";
import { systemNamespaces } from "../core/exempt-namespaces.ts";
import { withContact } from "../core/finding.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import { useWaypointLabel } from "../core/policy.ts";
import type { Rule } from "../core/rule.ts";
import { rulePage } from "../core/rule.ts";
import type { PolicyEditors, Settings } from "../core/settings.ts";
import type { CelVariable } from "./admission-words.ts";
import {
	ambientWord,
	entryWords,
	gatewayWords,
	injectionWords,
	listWords,
	malformedWords,
	modeWord,
	namespaceWords,
	ownAnnotationWords,
	plainBindingWord,
	plainEntryWords,
	sidecarWords,
	tableWords,
	waypointWords,
} from "./admission-words.ts";
import { generatedLabel } from "./authorization-policies.ts";
import type { Manifest } from "./mesh-table.ts";
import { tableDefinition, tableKind, tableName, tableVersion } from "./mesh-table.ts";

/** What a policy does about what it finds: refuse it, warn of it, or only put it into the audit log. */
export type Action = "deny" | "warn" | "audit";

/** What to print. */
export interface BackstopOptions {
	readonly settings: Settings;
	readonly rules: readonly Rule[];
	/** Namespaces that are not judged, besides Kubernetes' own and those of the settings. */
	readonly exempt: readonly string[];
	/** Labels on every object. */
	readonly labels: Readonly<Record<string, string>>;
	readonly actions: readonly Action[];
	/** Who may write policies: whom the settings name, or whom RBAC lets `edit` `egresspolicies.egress.waymark.dev`. */
	readonly editors: "settings" | "rbac";
	/** The namespace of istiod. */
	readonly istioNamespace: string;
	/** The user name of Waymark's service account. */
	readonly account: string;
}

const mostListed = 8;

/** The rules of which the API server holds something by itself, with their CEL, in the order of the table. */
export function coveredRules(rules: readonly Rule[], { severities }: Settings): readonly Rule[] {
	return rules.filter(
		(rule) => rule.cel !== undefined && (severities.get(rule.id) ?? rule.severity) === "error",
	);
}

/** What a policy knows: the object and its namespace, or the table of other objects as well. */
type Needs = CelProblem["needs"];

/** The rules about Namespaces that have a policy of their own. */
export const namespaceRuleIds: ReadonlySet<string> = new Set(["namespace-annotation", "namespace-editor"]);

/** The policies about ServiceEntries that need no parameter. */
export function entryPolicies(options: BackstopOptions): readonly Manifest[] {
	const { settings } = options;
	return policies(options, {
		name: "waymark",
		fast: "variables.plain",
		words: [
			...namespaceWords,
			modeWord(settings),
			...plainEntryWords(settings),
			...malformedWords("request.namespace"),
			...listWords(settings),
			ambientWord(settings),
			...waypointWords(settings),
			...gatewayWords(settings),
			...entryWords(settings),
		],
		subjects: "variables.entries",
		rules: rulesOf(options, undefined, (kind) => kind === "ServiceEntry"),
		needs: undefined,
	});
}

/** The policies about sidecar-style egress that need no parameter. */
export function sidecarPolicies(options: BackstopOptions): readonly Manifest[] {
	const { settings } = options;
	return policies(options, {
		name: "waymark-sidecar",
		fast: "!variables.ambient",
		words: [
			...namespaceWords,
			modeWord(settings),
			ambientWord(settings),
			...malformedWords("request.namespace"),
			...gatewayWords(settings),
			...sidecarWords,
		],
		subjects: "variables.entries",
		rules: rulesOf(options, undefined, (kind) => kind !== "ServiceEntry" && kind !== "Namespace"),
		needs: undefined,
	});
}

/** The policies about ServiceEntries that look into the table. */
export function meshEntryPolicies(options: BackstopOptions): readonly Manifest[] {
	const { settings } = options;
	return policies(options, {
		name: "waymark-mesh",
		fast: "variables.plain",
		words: [
			...namespaceWords,
			modeWord(settings),
			plainBindingWord,
			...malformedWords("request.namespace"),
			...waypointWords(settings),
			...entryWords(settings),
			tableWords(settings),
		],
		subjects: "variables.bound",
		rules: rulesOf(options, "table", (kind) => kind === "ServiceEntry"),
		needs: "table",
	});
}

/** The policies about sidecar-style egress that look into the table. */
export function meshSidecarPolicies(options: BackstopOptions): readonly Manifest[] {
	const { settings } = options;
	return policies(options, {
		name: "waymark-mesh-sidecar",
		fast: "!variables.ambient",
		words: [
			...namespaceWords,
			modeWord(settings),
			ambientWord(settings),
			...malformedWords("request.namespace"),
			...gatewayWords(settings),
			...sidecarWords,
		],
		subjects: "variables.entries",
		rules: rulesOf(options, "table", (kind) => kind !== "ServiceEntry" && kind !== "Namespace"),
		needs: "table",
	});
}

function rulesOf(options: BackstopOptions, needs: Needs, isMeant: (kind: Kind) => boolean): readonly Rule[] {
	return coveredRules(options.rules, options.settings).filter(
		(rule) => isMeant(rule.kind) && rule.cel?.problems.some((problem) => problem.needs === needs),
	);
}

interface Plan {
	readonly name: string;
	readonly fast: string;
	readonly words: readonly CelVariable[];
	/** The list of the object and the one that it replaces, as rules see them. */
	readonly subjects: string;
	readonly rules: readonly Rule[];
	readonly needs: Needs;
}

function policies(options: BackstopOptions, plan: Plan): readonly Manifest[] {
	const chosen = plan.rules.map((rule) => ({
		rule,
		problems: (rule.cel?.problems ?? []).filter((problem) => problem.needs === plan.needs),
	}));
	const findings = chosen.flatMap((each) => ruleVariables(each, plan.subjects, options.settings));
	const widens = plan.words.some((word) => word.name === "widensEgress");
	const variables = [
		...plan.words,
		...findings.map(({ name, expression }) => ({ name, expression })),
		...findingWords(findings, widens),
	];
	return options.actions.flatMap((action) =>
		policy(options, {
			name: nameOf(plan.name, action),
			action,
			variables,
			resources: resources(plan.rules),
			fast: plan.fast,
			needs: plan.needs,
		}),
	);
}

const nameOf = (name: string, action: Action): string => (action === "deny" ? name : `${name}-${action}`);

/** The name of a rule's variable in a policy. */
const wordOf = (id: string): string => id.replaceAll("-", "_");

/** What adds the waypoint labels; absent where the version has no such policies by itself. */
export function injection(options: BackstopOptions, version: "v1" | "v1beta1"): readonly Manifest[] {
	const { settings } = options;
	const apiVersion = `admissionregistration.k8s.io/${version}`;
	const labels = Object.keys(options.labels).length === 0 ? {} : { labels: options.labels };
	const entries = rulesOf(options, undefined, (kind) => kind === "ServiceEntry");
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
					objectSelector: {},
					resourceRules: resources(entries.slice(0, 1)),
				},
				matchConditions: [
					// Labels would hide that an author calls internal what is not; whether it is, only Waymark tells.
					{ name: "external", expression: "object.?spec.?location.orValue('') != 'MESH_INTERNAL'" },
					{
						name: "unbound",
						expression: `!(${celText(useWaypointLabel)} in object.metadata.?labels.orValue({})) &&\n!has(object.metadata.deletionTimestamp)`,
					},
				],
				variables: [
					...namespaceWords,
					modeWord(settings),
					...waypointWords(settings),
					...injectionWords(settings),
				],
				mutations: [
					{
						// A JSON Patch costs less than an apply configuration, which compares the whole object by its schema.
						patchType: "JSONPatch",
						jsonPatch: {
							expression: `!variables.fits ? [] :
  (has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}]) + [
    JSONPatch{op: "add", path: "/metadata/labels/istio.io~1use-waypoint",
      value: variables.wanted.split('/')[1]},
    JSONPatch{op: "add", path: "/metadata/labels/istio.io~1use-waypoint-namespace",
      value: variables.wanted.split('/')[0]}]`,
						},
					},
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
	const labels = Object.keys(options.labels).length === 0 ? {} : { labels: options.labels };
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
  object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({}))`,
					},
					...restorerCondition(options.settings),
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
				],
			},
		},
		binding("waymark-namespaces", labels, ["Deny", "Audit"], undefined),
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

function isAmong({ users, groups }: PolicyEditors): string {
	return `(request.userInfo.username in ${celList(users)} ||
    request.userInfo.?groups.orValue([]).exists(g, g in ${celList(groups)}))`;
}

/** What is created from a backup is not refused; the auditor tells of it. */
function restorerCondition({ restorers }: Settings): readonly object[] {
	return restorers === undefined
		? []
		: [
				{
					name: "not-restored",
					expression: `request.operation != 'CREATE' || !${isAmong(restorers)}`,
				},
			];
}

/** What only some may write: the status of ServiceEntries, the table where there is one, and the policies that are kept. */
export function guardPolicies(options: BackstopOptions, table: boolean): readonly Manifest[] {
	const labels = Object.keys(options.labels).length === 0 ? {} : { labels: options.labels };
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
		binding(name, labels, ["Deny", "Audit"], undefined),
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

interface FindingVariable extends CelVariable {
	readonly whole: boolean;
}

interface Chosen {
	readonly rule: Rule;
	readonly problems: readonly CelProblem[];
}

/** A rule's findings as lists of texts, one for the object and one for the object that it replaces. */
function ruleVariables(
	{ rule, problems }: Chosen,
	subjects: string,
	settings: Settings,
): readonly FindingVariable[] {
	const isOfKind =
		rule.kind === "ServiceEntry" ? "" : `variables.kind != ${celText(kinds[rule.kind].kind)} ? [] :\n`;
	return ([false, true] as const).flatMap((whole) => {
		const parts = problems
			.filter((problem) => isWhole(problem) === whole)
			.map((each) => found(rule.id, contacted(each, settings)));
		return parts.length === 0
			? []
			: [
					{
						name: whole ? `${wordOf(rule.id)}_whole` : wordOf(rule.id),
						whole,
						expression: `// ${rule.docs.summary}\n${subjects}.map(e,\n${indent(`${isOfKind}${parts.join(" +\n")}`, 1)})`,
					},
				];
	});
}

const isWhole = (problem: CelProblem): boolean => problem.isAboutWhole ?? problem.each === undefined;

function contacted(problem: CelProblem, { contact }: Settings): CelProblem {
	return contact === undefined ? problem : { ...problem, hint: withContact(problem.hint, contact) };
}

function found(id: string, { each, when, path, message, hint }: CelProblem): string {
	const text = celTemplate(`${id}: ${path}: ${message}. ${hint}`);
	if (each === undefined) {
		return `(${when}\n  ? [${indent(text, 2).trimStart()}]\n  : [])`;
	}
	const [item, list] = each;
	const chosen = when === "true" ? list : `${list}.filter(${item},\n${indent(when, 1)})`;
	return `${chosen}.map(${item},\n${indent(text, 1)})`;
}

/** All findings of the object, and those that count. */
function findingWords(found: readonly FindingVariable[], widens: boolean): readonly CelVariable[] {
	const listOf = (whole: boolean): string => {
		const names = found.filter((each) => each.whole === whole).map(({ name }) => `variables.${name}[i]`);
		return names.length === 0
			? "[['']].map(l, l.filter(f, false)) + [['']].map(l, l.filter(f, false))"
			: `[0, 1].filter(i, i < (oldObject == null ? 1 : 2)).map(i,\n  ${names.join(" +\n  ")})`;
	};
	return [
		{ name: "ofItems", expression: listOf(false) },
		{ name: "ofWhole", expression: listOf(true) },
		{
			name: "days",
			// CEL has no clock, but the API server has written the time of this very change before it asks.
			expression: `([string(object.metadata.?creationTimestamp.orValue(''))] +
  object.metadata.?managedFields.orValue([]).map(m, string(m.?time.orValue(''))))
  .filter(t, t.size() > 9).map(t, t.substring(0, 10))`,
		},
		{
			name: "fresh",
			// An update is refused for what it brings, not for what was there.
			expression: `oldObject == null ? variables.ofItems[0] + variables.ofWhole[0] :
  variables.ofItems[0].filter(f, !(f in variables.ofItems[1]) ||
    variables.ofItems[0].filter(g, g == f).size() > variables.ofItems[1].filter(g, g == f).size()${widens ? " ||\n    variables.addsHosts && f.split(': ')[1] != 'spec.hosts'" : ""}) +
  variables.ofWhole[0].filter(f, !(f in variables.ofWhole[1])${widens ? " || variables.widensEgress" : ""})`,
		},
		{
			name: "findings",
			expression: `variables.fresh.filter(f, !variables.annotations[?${celText(annotationPrefix + exemptionPrefix)} + f.split(':')[0]]
  .optMap(x, !(${celText(annotationPrefix + exemptionPrefix)} + f.split(':')[0] in variables.malformed) &&
    variables.days.all(d, d <= x.split('until=')[1].trim().substring(0, 10))).orValue(false))`,
		},
	];
}

interface PolicyParts {
	readonly name: string;
	readonly action: Action;
	readonly variables: readonly CelVariable[];
	readonly resources: readonly unknown[];
	readonly needs: Needs;
	/** What tells cheaply that there is nothing to find. */
	readonly fast: string;
}

const modeOf: { readonly [A in Action]: string } = { deny: "enforce", warn: "warn", audit: "audit" };
const actionsOf: { readonly [A in Action]: readonly string[] } = {
	deny: ["Deny", "Audit"],
	warn: ["Warn", "Audit"],
	audit: ["Audit"],
};

function policy(options: BackstopOptions, parts: PolicyParts): readonly Manifest[] {
	const { name, action, variables, fast, needs } = parts;
	const labels = Object.keys(options.labels).length === 0 ? {} : { labels: options.labels };
	const findings = action === "deny" ? "variables.findings" : "(variables.ofItems[0] + variables.ofWhole[0])";
	return [
		{
			apiVersion: "admissionregistration.k8s.io/v1",
			kind: "ValidatingAdmissionPolicy",
			metadata: { name, ...labels },
			spec: {
				failurePolicy: action === "deny" && needs === undefined ? "Fail" : "Ignore",
				...(needs === undefined ? {} : { paramKind: { apiVersion: tableVersion, kind: tableKind } }),
				matchConstraints: {
					matchPolicy: "Equivalent",
					namespaceSelector: judgedNamespaces(options),
					objectSelector: {},
					resourceRules: parts.resources,
				},
				matchConditions: [{ name: "changed", expression: changed }, ...restorerCondition(options.settings)],
				variables,
				validations: [
					{
						expression: `${fast} || variables.mode != '${modeOf[action]}' || ${findings}.size() == 0`,
						reason: "Forbidden",
						message: "Refused by the egress policy of this namespace; there is too much to list",
						messageExpression: `${fast} || variables.mode != '${modeOf[action]}' ? '' :
  [${findings}].map(l, l.filter(f, l.indexOf(f) < ${mostListed})
      .map(f, f + ' (' + ${celText(rulePage("", options.settings))} + f.split(':')[0] + ')').join('; ') +
    (l.size() > ${mostListed} ? '; and ' + string(l.size() - ${mostListed}) + ' more' : ''))[0]`,
					},
					...(action === "warn" && needs === "table" ? [vouchedFor] : []),
				],
			},
		},
		binding(name, labels, actionsOf[action], needs),
	];
}

/**
 * Whether the table was written within ten minutes: twice the time after which its keeper writes it anew, changed or not.
 * CEL has no clock, but the API server has written the time of this very change into `managedFields`.
 */
const vouchedFor = {
	expression: `object.metadata.?managedFields.orValue([]).all(m, !has(m.time) ||
  timestamp(string(m.time)) - timestamp(string(params.spec.written)) < duration('600s'))`,
	message:
		"Waymark has not vouched for its table of waypoints for ten minutes, so what policies say of them may be old. Ask the platform team whether Waymark runs",
};

function binding(name: string, labels: object, actions: readonly string[], needs: Needs): Manifest {
	return {
		apiVersion: "admissionregistration.k8s.io/v1",
		kind: "ValidatingAdmissionPolicyBinding",
		metadata: { name, ...labels },
		spec: {
			policyName: name,
			// Without the table nobody is refused: what it says is not what must hold.
			...(needs === undefined ? {} : { paramRef: { name: tableName, parameterNotFoundAction: "Allow" } }),
			validationActions: actions,
		},
	};
}

/** What leaves spec and labels alone has only mistakes that it had before. */
const changed = `oldObject == null || object.?spec != oldObject.?spec ||
object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})`;

function judgedNamespaces({ settings, exempt }: BackstopOptions): unknown {
	return {
		matchExpressions: [
			{
				key: "kubernetes.io/metadata.name",
				operator: "NotIn",
				values: [...new Set([...systemNamespaces, ...settings.exemptNamespaces, ...exempt])],
			},
		],
	};
}

/** One entry for each API group: a policy with more matches the same. */
function resources(rules: readonly Rule[]): readonly unknown[] {
	const judged = new Set(rules.map((rule) => rule.kind));
	return [...Map.groupBy(judged, (kind) => kinds[kind].group)].map(([group, list]) => ({
		apiGroups: [group],
		apiVersions: ["*"],
		operations: ["CREATE", "UPDATE"],
		resources: list.map((kind) => kinds[kind].plural),
		scope: "Namespaced",
	}));
}

function indent(text: string, by: number): string {
	return text.replaceAll(/^(?=.)/gm, "  ".repeat(by));
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

/** Every object of the backstop, in an order in which they can be applied. */
export function backstop(options: BackstopOptions, choice: BackstopChoice): readonly Manifest[] {
	const version = choice.kubernetesMinor >= stableInjection ? "v1" : "v1beta1";
	const objects = [
		...(choice.live ? [tableDefinition] : []),
		...(choice.inject && choice.kubernetesMinor >= betaInjection ? injection(options, version) : []),
		...entryPolicies(options),
		...sidecarPolicies(options),
		...(choice.live ? [...meshEntryPolicies(options), ...meshSidecarPolicies(options)] : []),
		...namespacePolicies(options),
		...guardPolicies(options, choice.live),
	];
	return choice.staticManifests ? objects.map(asStaticManifest) : objects;
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
