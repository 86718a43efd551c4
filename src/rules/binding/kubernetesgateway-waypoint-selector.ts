import type { Rule } from "../../core/rule.ts";
import { selectorFault } from "../../istio/waypoint/label-selector.ts";
import { attachmentListener } from "../../istio/waypoint/waypoint.ts";
import { brokenSelectorWaypoint, egressNamespace, egressWaypoint } from "../examples.ts";

/** The namespace selector of a waypoint is one that istiod can parse. */
export const kubernetesgatewayWaypointSelector: Rule<"KubernetesGateway"> = {
	id: "kubernetesgateway-waypoint-selector",
	kind: "KubernetesGateway",
	family: "binding",
	severity: "error",
	reads: ["GatewayClass"],
	confirms: ["GatewayClass"],
	fixable: false,
	docs: {
		summary: "The namespace selector of a waypoint must be one that istiod can parse",
		why: "The Gateway API's schema accepts selectors that are not label selectors, such as an In without values. The first ServiceEntry that binds to such a waypoint makes istiod panic, and again at every restart.",
		fix: "Use the operators In and NotIn with values, Exists and DoesNotExist without, and well-formed keys and values.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeWaypointSelector, AllowsAttachmentFromNamespaceOrLookup",
			"kubernetes/apimachinery pkg/labels/selector.go: NewRequirement",
			"seen on a running istiod of the 1.31 line",
		],
		since: "0.1.0",
		good: egressWaypoint,
		bad: brokenSelectorWaypoint,
		given: [egressNamespace],
	},
	*check(gateway, { inventory }) {
		const found = attachmentListener(gateway, inventory);
		const namespaces = found?.listener.allowedRoutes?.namespaces;
		const fault = namespaces?.from === "Selector" ? selectorFault(namespaces.selector) : undefined;
		// Whatever its class: istiod binds to any Gateway that has an address.
		if (found !== undefined && fault !== undefined) {
			yield {
				path: ["spec", "listeners", found.index, "allowedRoutes", "namespaces", "selector"],
				message: `Not a label selector: ${fault}; the first ServiceEntry that binds to this waypoint would stop istiod`,
				hint: "Use In and NotIn with values, Exists and DoesNotExist without",
			};
		}
	},
};
