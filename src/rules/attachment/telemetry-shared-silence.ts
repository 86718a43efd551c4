import type { Path, Problem, Severity } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Telemetry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import {
	entriesAtSharedWaypoint,
	targetingConfirms,
	targetingReads,
	waypointOfEntry,
} from "../../istio/attachment/targets.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { entriesAskingFor } from "../../istio/waypoint/losses.ts";
import { isWaypoint } from "../../istio/waypoint/waypoint.ts";
import { developer, editors, sharedWaypoint, toEntry } from "./examples.ts";
import { severityForTenants } from "./tenants.ts";

function logging(disabled: boolean): Telemetry {
	return {
		apiVersion: "telemetry.istio.io/v1",
		kind: "Telemetry",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry("payments")], accessLogging: [{ disabled }] },
	} as Telemetry;
}

/** A tenant's Telemetry switches nothing off at a shared waypoint. */
export const telemetrySharedSilence: Rule<"Telemetry"> = {
	id: "telemetry-shared-silence",
	kind: "Telemetry",
	family: "attachment",
	severity: "error",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary:
			"A Telemetry must not switch off logs, metrics or traces of a shared waypoint unless a policy editor writes it",
		why: "A waypoint obeys the Telemetry that targets one of its ServiceEntries, the one that holds for the whole namespace of the entry, and the one that holds for its own namespace. Where that switches the access log or metrics off, nobody sees any more what the team sends to the host; other providers, a label less or a sampling of 0 take a part of it, which is a warning. Refused is who is no policy editor; where the configuration names none, and for a Telemetry of a whole namespace, which may be meant for its workloads, it is a warning.",
		fix: "Remove what is disabled or filtered, or ask the security team.",
		sources: ["istio/istio pilot/pkg/model/telemetry.go: applicableTelemetries"],
		since: "0.1.0",
		good: logging(false),
		bad: logging(true),
		given: sharedWaypoint,
		settings: editors,
		requester: developer,
	},
	*check(telemetry, context) {
		const severity = severityForTenants(context, telemetry);
		const silences = severity === undefined ? [] : [...silencesOf(telemetry)];
		if (severity === undefined || silences.length === 0) {
			return;
		}
		const reached = reachedWaypoint(telemetry, severity, context);
		if (reached !== undefined) {
			yield* silences.map((silence) => problemOf(silence, reached));
		}
	},
};

interface Reached {
	readonly entry: string;
	readonly waypoint: string;
	readonly severity: Severity;
}

function problemOf({ path, what, isPartial }: Silence, { entry, waypoint, severity }: Reached): Problem {
	if (isPartial === true) {
		return {
			path,
			severity: "warning",
			message: `Takes ${what} of the waypoint ${waypoint} for ServiceEntry ${entry} from whoever reads it now`,
			hint: "Remove it, or ask the security team to write it",
		};
	}
	return {
		path,
		severity,
		message: `Switches off ${what} of the waypoint ${waypoint} for ServiceEntry ${entry}, so nobody sees what is sent there`,
		hint: "Remove it, or ask the security team to write it",
	};
}

/** The first entry at the waypoint of another namespace for which a Telemetry is read. */
function reachedWaypoint(
	telemetry: Telemetry,
	severity: Severity,
	context: RuleContext,
): Reached | undefined {
	for (const { entry, waypoint } of entriesAtSharedWaypoint(telemetry, context)) {
		return { entry: mention(entry.metadata?.name ?? ""), waypoint: formatWaypoint(waypoint), severity };
	}
	const { namespace, inventory } = context;
	if (!isForNamespace(telemetry) || namespace === inventory.mesh.rootNamespace) {
		return undefined;
	}
	for (const entry of inventory.inNamespace("ServiceEntry", namespace)) {
		const waypoint = waypointOfEntry(entry, inventory);
		if (waypoint !== undefined && waypoint.namespace !== namespace) {
			return {
				entry: mention(entry.metadata?.name ?? ""),
				waypoint: formatWaypoint(waypoint),
				severity: "warning",
			};
		}
	}
	return reachedOwnWaypoint(context);
}

/** An entry of another namespace at a waypoint here: what holds for the namespace of a waypoint holds for all at it. */
function reachedOwnWaypoint({ namespace, inventory, requester }: RuleContext): Reached | undefined {
	if (inventory.settings.policyEditors === undefined || requester === undefined) {
		return undefined;
	}
	for (const gateway of inventory.inNamespace("KubernetesGateway", namespace)) {
		if (isWaypoint(gateway, inventory) !== true) {
			continue;
		}
		const waypoint = { namespace, name: gateway.metadata?.name ?? "" };
		for (const { metadata } of entriesAskingFor(waypoint, inventory)) {
			if (metadata?.namespace !== namespace) {
				return {
					entry: mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`),
					waypoint: formatWaypoint(waypoint),
					severity: "warning",
				};
			}
		}
	}
	return undefined;
}

function isForNamespace({ spec }: Telemetry): boolean {
	return (
		Object.keys(spec?.selector?.matchLabels ?? {}).length === 0 &&
		(spec?.targetRefs ?? []).length === 0 &&
		(spec?.targetRef ?? undefined) === undefined
	);
}

interface Silence {
	readonly path: Path;
	readonly what: string;
	/** It is not switched off, but less is told, or somebody else is: who does it may mean well. */
	readonly isPartial?: true;
}

/** What a Telemetry switches off of what a waypoint tells: it tells as a server, not as a client (telemetry.go: workloadMode). */
function* silencesOf(telemetry: Telemetry): Iterable<Silence> {
	yield* silencedLogs(telemetry);
	for (const [index, { overrides, providers }] of (telemetry.spec?.metrics ?? []).entries()) {
		yield* otherProviders(providers, ["spec", "metrics", index], "metrics");
		for (const [place, { disabled, match, tagOverrides }] of (overrides ?? []).entries()) {
			if (disabled === true && match?.mode !== "CLIENT") {
				const metric = match?.customMetric ?? match?.metric ?? "ALL_METRICS";
				const what = metric === "ALL_METRICS" ? "all metrics" : `the metric ${quote(metric, 40)}`;
				yield { path: ["spec", "metrics", index, "overrides", place, "disabled"], what };
			}
			const removed = Object.entries(tagOverrides ?? {}).find(([, { operation }]) => operation === "REMOVE");
			if (removed !== undefined && match?.mode !== "CLIENT") {
				const path = ["spec", "metrics", index, "overrides", place, "tagOverrides", removed[0]];
				yield { path, what: `the label ${quote(removed[0], 40)} of metrics`, isPartial: true };
			}
		}
	}
	yield* silencedTraces(telemetry);
}

function* silencedTraces({ spec }: Telemetry): Iterable<Silence> {
	for (const [index, tracing] of (spec?.tracing ?? []).entries()) {
		const path = ["spec", "tracing", index];
		if (tracing.match?.mode === "CLIENT") {
			continue;
		}
		yield* otherProviders(tracing.providers, path, "traces");
		if (tracing.disableSpanReporting === true) {
			yield { path: [...path, "disableSpanReporting"], what: "the traces" };
		} else if (tracing.randomSamplingPercentage === 0) {
			yield { path: [...path, "randomSamplingPercentage"], what: "the traces" };
		}
	}
}

type Signal = "access log" | "metrics" | "traces";

/** The providers that a mesh has without naming any (pkg/config/mesh: DefaultMeshConfig). */
const usualProviders: Readonly<Partial<Record<Signal, string>>> = {
	"access log": "envoy",
	metrics: "prometheus",
};

/** Providers stand in the place of those that the mesh or the security team chose (telemetry.go: mergeLogs, mergeMetrics). */
function* otherProviders(
	providers: readonly { readonly name?: string | null | undefined }[] | null | undefined,
	base: Path,
	signal: Signal,
): Iterable<Silence> {
	const names = (providers ?? []).map(({ name }) => name ?? "");
	const usual = usualProviders[signal];
	if (names.length > 0 && (usual === undefined || !names.includes(usual))) {
		yield { path: [...base, "providers"], what: `the ${signal}`, isPartial: true };
	}
}

function* silencedLogs({ spec }: Telemetry): Iterable<Silence> {
	for (const [index, { disabled, filter, match, providers }] of (spec?.accessLogging ?? []).entries()) {
		const path = ["spec", "accessLogging", index];
		if (match?.mode === "CLIENT") {
			continue;
		}
		if (disabled !== true) {
			yield* otherProviders(providers, path, "access log");
		}
		if (disabled === true) {
			yield { path: [...path, "disabled"], what: "the access log" };
		} else if (filter?.expression) {
			const what = `a part of the access log (all but ${quote(filter.expression, 40)})`;
			yield { path: [...path, "filter", "expression"], what };
		}
	}
}
