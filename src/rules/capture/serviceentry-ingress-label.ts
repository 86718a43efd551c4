import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

const label = "istio.io/ingress-use-waypoint";

// Go's strconv.ParseBool.
const booleans: ReadonlySet<string> = new Set([
	"1",
	"t",
	"T",
	"TRUE",
	"true",
	"True",
	"0",
	"f",
	"F",
	"FALSE",
	"false",
	"False",
]);

/** The label istio.io/ingress-use-waypoint must be a boolean. */
export const serviceentryIngressLabel: Rule<"ServiceEntry"> = {
	id: "serviceentry-ingress-label",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "The label istio.io/ingress-use-waypoint must be a boolean",
		why: "Istio reads the label with Go's ParseBool. Anything else counts as false without a word, so traffic from ingress gateways goes past the waypoint.",
		fix: 'Write "true" or "false".',
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/services.go: ingressUseWaypointFromLabels"],
		since: "0.1.0",
		good: withLabels(boundEntry, { "istio.io/ingress-use-waypoint": "true" }),
		bad: withLabels(boundEntry, { "istio.io/ingress-use-waypoint": "yes" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasIstioMetadata,
	*check(entry) {
		const value = labelOf(entry.metadata?.labels, label);
		if (value !== undefined && !booleans.has(value)) {
			yield {
				path: ["metadata", "labels", label],
				message: `Istio reads ${quote(value)} as false, so ingress gateways do not use the waypoint`,
				hint: 'Write "true" or "false"',
			};
		}
	},
};
