import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Finding } from "../../src/core/finding.ts";
import { formatPath } from "../../src/core/finding.ts";
import type { AnyObject, KubernetesGateway, Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import type { MeshFacts } from "../../src/core/mesh.ts";
import type { Requester, Rule } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { egressNamespace, egressWaypoint, plainEntry } from "../../src/rules/examples.ts";
import { gapsAround, subjectOf, world } from "./rule-example.ts";

type Labels = Readonly<Record<string, string>>;

/** The namespace `team`, ambient unless its labels say otherwise; annotations without their prefix. */
export function team(
	annotations: Labels = { waypoint: "istio-egress/egress" },
	labels: Labels = { "istio.io/dataplane-mode": "ambient" },
): Namespace {
	const prefixed = Object.entries(annotations).map(([name, value]) => [`egress.waymark.dev/${name}`, value]);
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: { name: "team", labels, annotations: Object.fromEntries(prefixed) },
	};
}

/** The plain entry with these waypoint labels: `NAME` or `NAMESPACE/NAME`. */
export function boundTo(waypoint: string, entry: ServiceEntry = plainEntry): ServiceEntry {
	const [name = "", namespace] = waypoint.split("/").toReversed();
	const labels = {
		"istio.io/use-waypoint": name,
		...(namespace === undefined ? {} : { "istio.io/use-waypoint-namespace": namespace }),
	};
	return { ...entry, metadata: { ...entry.metadata, labels } };
}

/** The plain entry with another spec and no labels. */
export function entry(spec: ServiceEntry["spec"]): ServiceEntry {
	return { ...plainEntry, spec: { ...plainEntry.spec, ...spec } };
}

/** A waypoint that is like the shared one but for these parts. */
export function waypoint(
	address: string,
	parts: {
		readonly labels?: Labels;
		readonly annotations?: Labels;
		readonly spec?: KubernetesGateway["spec"];
		readonly status?: KubernetesGateway["status"];
	} = {},
): KubernetesGateway {
	const [namespace = "", name = ""] = address.split("/");
	return {
		...egressWaypoint,
		metadata: { name, namespace, labels: parts.labels, annotations: parts.annotations },
		spec: { ...egressWaypoint.spec, ...parts.spec },
		status: "status" in parts ? parts.status : egressWaypoint.status,
	};
}

/** The HBONE listener of a waypoint that admits these namespaces. */
export function listeners(
	namespaces: { readonly from?: string; readonly selector?: object } | undefined,
	parts: { readonly port?: number; readonly protocol?: string } = {},
): NonNullable<KubernetesGateway["spec"]> {
	return {
		listeners: [
			{
				name: "mesh",
				port: parts.port ?? 15008,
				protocol: parts.protocol ?? "HBONE",
				...(namespaces === undefined ? {} : { allowedRoutes: { namespaces } }),
			},
		],
	};
}

/** What surrounds the entry besides the namespace `team`: the shared waypoint in its namespace. */
export const surroundings: readonly AnyObject[] = [egressNamespace, egressWaypoint];

/** How a test judges. */
export interface Circumstances {
	readonly given?: readonly AnyObject[];
	readonly settings?: SettingsFile;
	readonly mesh?: Partial<MeshFacts>;
	readonly old?: AnyObject;
	readonly requester?: Requester;
	readonly today?: string;
}

/** The same circumstances with more objects in the world. */
export function beside(circumstances: Circumstances, ...objects: readonly AnyObject[]): Circumstances {
	return { ...circumstances, given: [...(circumstances.given ?? []), ...objects] };
}

/** The circumstances of a case in the namespace `team` beside the shared waypoint, where they name no other objects. */
export function inTeam(circumstances: Circumstances = {}): Circumstances {
	return { given: [team(), ...surroundings], ...circumstances };
}

/** The findings of one rule on an object in the namespace `team` beside the shared waypoint. */
export function judge(
	rule: Rule<never> | Rule,
	object: object,
	circumstances: Circumstances = {},
): readonly Finding[] {
	const { given = [team(), ...surroundings], settings, mesh = {}, old, requester, today } = circumstances;
	const state = world(given, settings);
	state.learn(mesh);
	const verdict = evaluate(createEngine([rule as Rule]), state, {
		...subjectOf(object as AnyObject, old),
		...gapsAround(rule as Rule, object as AnyObject, state),
		...(requester === undefined ? {} : { requester }),
		...(today === undefined ? {} : { today }),
	});
	if (verdict.faults[0] !== undefined) {
		throw verdict.faults[0].error;
	}
	return verdict.findings;
}

/** Where a rule sees something and how bad it is: `["error spec.hosts[0]"]`. */
export function places(
	rule: Rule<never> | Rule,
	object: object,
	circumstances: Circumstances = {},
): readonly string[] {
	return judge(rule, object, circumstances).map(({ severity, path }) => `${severity} ${formatPath(path)}`);
}

/** The one message of a rule on an object. */
export function message(rule: Rule<never> | Rule, object: object, circumstances: Circumstances = {}): string {
	const found = judge(rule, object, circumstances);
	if (found.length !== 1) {
		throw new Error(`Cannot give the one message of ${rule.id}: it says ${found.length} things`);
	}
	return found[0]?.message ?? "";
}

export const nameLabelPath = 'metadata.labels["istio.io/use-waypoint"]';
export const namespaceLabelPath = 'metadata.labels["istio.io/use-waypoint-namespace"]';
