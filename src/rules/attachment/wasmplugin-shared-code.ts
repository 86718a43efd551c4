import type { WasmPlugin } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { developer, editors, ownWaypoint, sharedWaypoint, toEntry } from "./examples.ts";
import { codeProblems } from "./shared-code.ts";

function running(name: string): WasmPlugin {
	return {
		apiVersion: "extensions.istio.io/v1alpha1",
		kind: "WasmPlugin",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry(name)], url: "oci://registry.example/own:1" },
	} as WasmPlugin;
}

/** A WasmPlugin brings no code of a tenant's into a waypoint that is not the tenant's own. */
export const wasmpluginSharedCode: Rule<"WasmPlugin"> = {
	id: "wasmplugin-shared-code",
	kind: "WasmPlugin",
	family: "attachment",
	severity: "error",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "A WasmPlugin must not run a team's code in a shared waypoint unless a policy editor writes it",
		why: "A waypoint runs what targets one of its ServiceEntries, in the namespace of the entry. Code of one team then handles the requests of that host in the proxy of all teams: with its memory, its identity, its credentials, and before or after the policies as it chooses. Refused is who is no policy editor; where the configuration names none, it is a warning.",
		fix: "Ask the security team to write it, or do in the application what it was for.",
		sources: ["istio/istio pilot/pkg/model/push_context.go: TrafficExtensionsByListenerInfo"],
		since: "0.1.0",
		good: running("local"),
		bad: running("payments"),
		given: [...sharedWaypoint, ...ownWaypoint],
		settings: editors,
		requester: developer,
	},
	*check(object, context) {
		yield* codeProblems(object, "code", context);
	},
};
