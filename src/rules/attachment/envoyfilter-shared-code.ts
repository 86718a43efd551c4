import type { EnvoyFilter } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { developer, editors, sharedWaypoint, toEgress } from "./examples.ts";
import { ownWaypointProblems } from "./shared-code.ts";

function patching(name: string): EnvoyFilter {
	return {
		apiVersion: "networking.istio.io/v1alpha3",
		kind: "EnvoyFilter",
		metadata: { name: "patch", namespace: "istio-egress" },
		spec: {
			targetRefs: [{ ...toEgress, name }],
			configPatches: [
				{
					applyTo: "HTTP_FILTER",
					match: {
						listener: {
							filterChain: {
								filter: {
									name: "envoy.filters.network.http_connection_manager",
									subFilter: { name: "envoy.filters.http.rbac" },
								},
							},
						},
					},
					patch: { operation: "REMOVE" },
				},
			],
		},
	} as EnvoyFilter;
}

/** An EnvoyFilter brings no code of a tenant's into a waypoint that is not the tenant's own. */
export const envoyfilterSharedCode: Rule<"EnvoyFilter"> = {
	id: "envoyfilter-shared-code",
	kind: "EnvoyFilter",
	family: "attachment",
	severity: "error",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary:
			"An EnvoyFilter must not patch a waypoint that serves other namespaces unless a policy editor writes it",
		why: "An EnvoyFilter that targets the Gateway of a waypoint changes everything that the waypoint does: it can take its policies, its metrics and its TLS away for all who use it. Refused is who is no policy editor; where the configuration names none, it is a warning.",
		fix: "Ask the security team to write it, or do in the application what it was for.",
		sources: ["istio/istio pilot/pkg/model/push_context.go: getMatchedEnvoyFilters"],
		since: "0.1.0",
		good: patching("ingress"),
		bad: patching("egress"),
		given: sharedWaypoint,
		settings: editors,
		requester: developer,
	},
	*check(object, context) {
		yield* ownWaypointProblems(object, "patches", context);
	},
};
