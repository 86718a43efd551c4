import { ChangedInventory } from "../../core/changed-inventory.ts";
import { mention, quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { isGoverned } from "../../istio/entry/border.ts";
import { isInternal } from "../../istio/entry/facts.ts";
import { placeOutside } from "../../istio/entry/internet.ts";
import {
	formatWaypoint,
	hasUnusualBinding,
	isSameWaypoint,
	targetConfirms,
	targetReads,
	targetState,
	useWaypointNamespacePath,
	useWaypointPath,
} from "../../istio/waypoint/binding.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import { rivalAt } from "../../istio/waypoint/rivals.ts";
import { bindingOf } from "../../istio/waypoint/waypoint.ts";
import { egressNamespace, egressWaypoint, plainEntry, teamNamespace, withLabels } from "../examples.ts";

/** An external ServiceEntry is bound to the waypoint that its namespace's policy names. */
export const serviceentryWaypointBinding: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-binding",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: ["ServiceEntry", ...targetReads],
	confirms: targetConfirms,
	fixable: true,
	sentWhen: {
		what: "an entry without a waypoint label",
		cel: "!('istio.io/use-waypoint' in object.metadata.?labels.orValue({}))",
		holds: ({ metadata }) => !(useWaypointLabel in (metadata?.labels ?? {})),
	},
	docs: {
		summary: "An external ServiceEntry must be bound to the waypoint that its namespace's policy names",
		why: "Istio sends traffic through a waypoint only when two labels bind the entry to it. Without them ztunnel connects straight to the internet: no authorization policy, no metrics, no log, and no error anywhere.",
		fix: "Nothing by hand: the mutating webhook adds both labels. Where it could not run, add them as the hint says.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForTarget",
			"istio.io docs: ambient/usage/egress-gateway",
		],
		since: "0.1.0",
		good: withLabels(plainEntry, {
			"istio.io/use-waypoint": "egress",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		bad: plainEntry,
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualBinding,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.expected === undefined || (found.request.asked && found.request.by === "object")) {
			return;
		}
		const { request, expected, state } = found;
		// What a policy names must not hang on a label that others write; the namespace's own default may.
		const isOwnDefault = context.policy.waypointSource === "namespace label";
		if (request.asked && isOwnDefault && isSameWaypoint(request.waypoint, expected)) {
			return;
		}
		// Another rule refuses it: labels would hide that the author calls a host on the internet internal.
		if (isInternal(entry) && placeOutside(entry, context.inventory)?.isCertain === true) {
			return;
		}
		// Another rule refuses it: the labels would break the connections of the other namespace.
		const hosts = entry.spec?.hosts ?? [];
		if (hosts.some((host) => rivalAt(host, expected, context) !== undefined)) {
			return;
		}
		const accepts =
			state.gateway !== undefined &&
			state.waypointClass !== false &&
			state.neverReady === undefined &&
			state.admits &&
			state.servesServices &&
			!state.forbidden;
		// The author's own namespace label is never overwritten; another rule says that it is wrong.
		const named = labelOf(entry.metadata?.labels, useWaypointNamespaceLabel) ?? expected.namespace;
		if (!accepts || named !== expected.namespace) {
			return;
		}
		yield {
			path: ["metadata", "labels"],
			message:
				request.asked && isSameWaypoint(request.waypoint, expected)
					? `Bound to the waypoint ${formatWaypoint(expected)} by the labels of its namespace only, so whoever changes them would let its traffic leave the cluster ungoverned`
					: `Not bound to the waypoint ${formatWaypoint(expected)} of this namespace's policy, so its traffic would leave the cluster ungoverned`,
			hint: `Add the labels istio.io/use-waypoint: ${mention(expected.name)} and istio.io/use-waypoint-namespace: ${mention(expected.namespace)}`,
			fix: [
				{ op: "set", path: useWaypointPath, value: expected.name },
				{ op: "set", path: useWaypointNamespacePath, value: expected.namespace },
			],
		};
	},
	*onDelete(entry, context) {
		const { name, namespace, inventory } = context;
		if (name === undefined || !isGoverned(entry, context)) {
			return;
		}
		const binding = bindingOf(entry.metadata?.labels, namespace, inventory);
		const after = new ChangedInventory(inventory, {
			kind: "ServiceEntry",
			namespace,
			name,
			object: undefined,
		});
		for (const [index, host] of (entry.spec?.hosts ?? []).entries()) {
			const [other] = after.lookup("serviceEntryByHost", canonicalHost(host));
			if (binding.status === "True" && other === undefined) {
				yield {
					path: ["spec", "hosts", index],
					message: `No other ServiceEntry has ${quote(host)}, so pods that go on calling it would leave the cluster directly`,
					hint: "Only a NetworkPolicy stops what no ServiceEntry names",
				};
			}
		}
	},
	cel: {
		gap: "whether the waypoint takes the entry: an unbound one is refused all the same",
		problems: [
			{
				when: `e.target != '' && e.expected != '' && !e.omitsNamespace && e.readable && e.own == '' &&
  (variables.inherited != e.expected || variables.named != '' && e.external) &&
  e.labels[?'${useWaypointNamespaceLabel}'].orValue(e.expected.split('/')[0]) == e.expected.split('/')[0]`,
				path: "metadata.labels",
				message:
					"Not bound to the waypoint {e.expected} of this namespace's policy, so its traffic would leave the cluster ungoverned",
				hint: `Add the labels ${useWaypointLabel}: {e.expected.split('/')[1]} and ${useWaypointNamespaceLabel}: {e.expected.split('/')[0]}`,
			},
		],
	},
};
