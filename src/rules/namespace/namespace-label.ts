import { quote } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { LabelSelector, Namespace } from "../../core/kinds.ts";
import type { Policy } from "../../core/policy.ts";
import { isPolicyLabel, parsePolicy } from "../../core/policy.ts";
import type { Requester, Rule } from "../../core/rule.ts";
import type { PolicyEditors } from "../../core/settings.ts";
import { formatEntries } from "../../istio/waypoint/losses.ts";
import { egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

/** The keys that selectors name by which istiod or a waypoint picks namespaces. */
function selectedKeys(inventory: Inventory): ReadonlySet<string> {
	const selectors: LabelSelector[] = [...inventory.mesh.discoverySelectors];
	for (const { spec } of inventory.all("KubernetesGateway")) {
		for (const { allowedRoutes } of spec?.listeners ?? []) {
			const { from, selector } = allowedRoutes?.namespaces ?? {};
			if (from === "Selector" && selector !== undefined && selector !== null) {
				selectors.push(selector);
			}
		}
	}
	return new Set(
		selectors.flatMap(({ matchLabels, matchExpressions }) => [
			...Object.keys(matchLabels ?? {}),
			...(matchExpressions ?? []).flatMap(({ key }) => key ?? []),
		]),
	);
}

function changedLabels(old: Namespace, now: Namespace): readonly string[] {
	const before = old.metadata?.labels ?? {};
	const after = now.metadata?.labels ?? {};
	return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
		(key) => before[key] !== after[key],
	);
}

/** Whether a namespace had anything that a label could loosen: a policy of its own, or ambient. */
function isProtected({ annotated, ambient, waypointSource }: Policy): boolean {
	return annotated || ambient === "enforced" || waypointSource === "namespace label";
}

function isEditor(requester: Requester, { users, groups }: PolicyEditors): boolean {
	return users.has(requester.username) || requester.groups.some((group) => groups.has(group));
}

/** Only policy editors change the labels from which the policy of a namespace is derived. */
export const namespaceLabel: Rule<"Namespace"> = {
	id: "namespace-label",
	kind: "Namespace",
	family: "namespace",
	severity: "error",
	reads: ["KubernetesGateway", "ServiceEntry"],
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "Only policy editors may change the labels from which a namespace's policy is derived",
		why: "The labels istio.io/dataplane-mode, istio.io/rev and istio-injection say whether ambient counts as enforced, istio.io/use-waypoint which waypoint entries take, and the labels that a waypoint or istiod selects namespaces by who is served at all. Whoever may edit a namespace could loosen its policy by a label, and its pods would stay in ambient all the while. Where the cluster configuration names no editors, a change that loosens is a warning.",
		fix: "Ask one of the policy editors. Write egress.waymark.dev/waypoint or egress.waymark.dev/ambient: enforced, so that labels decide less.",
		sources: [
			"istio/istio istioctl/pkg/util/ambient/util.go: InAmbient",
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeAllowedRoutes",
		],
		since: "0.1.0",
		good: withLabels(teamNamespace, { "team-color": "blue" }),
		bad: withLabels(teamNamespace, { "istio.io/rev": "whatever" }),
		old: teamNamespace,
		given: [egressNamespace, egressWaypoint],
		settings: { policyEditors: { groups: ["security-team"] } },
		requester: { username: "mallory", groups: ["developers"] },
	},
	*check(object, { old, namespace, policy, requester, inventory }) {
		const before =
			old === undefined ? undefined : parsePolicy(namespace, old as Namespace, inventory.settings);
		if (old === undefined || before === undefined || !isProtected(before)) {
			return;
		}
		const changed = changedLabels(old as Namespace, object);
		const keys = changed.some((key) => !isPolicyLabel(key)) ? selectedKeys(inventory) : new Set<string>();
		const editors = inventory.settings.policyEditors;
		for (const key of changed.filter((each) => isPolicyLabel(each) || keys.has(each))) {
			const path = ["metadata", "labels", key];
			if (editors !== undefined && requester !== undefined && !isEditor(requester, editors)) {
				yield {
					path,
					message: `User ${quote(requester.username)} is no policy editor and may not change it: the policy of this namespace depends on it`,
					hint: "Ask a policy editor; the cluster configuration names them under policyEditors",
				};
			} else if (before.ambient === "enforced" && policy.ambient !== "enforced") {
				const entries = [...inventory.inNamespace("ServiceEntry", namespace)];
				yield {
					path,
					severity: "warning",
					message: `Without it ambient no longer counts as enforced here, for ${entries.length === 0 ? "no ServiceEntry yet" : formatEntries(entries)}, while pods may stay in ambient`,
					hint: "Annotate the Namespace with egress.waymark.dev/ambient: enforced, or say permitted where it is meant",
				};
			}
		}
	},
};
