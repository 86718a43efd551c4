import type { AnnotationProblem, Exemption, NamespaceAnnotations } from "./annotations.ts";
import { annotationPrefix, readNamespaceAnnotations } from "./annotations.ts";
import type { HostPattern } from "./host-pattern.ts";
import type { Namespace } from "./kinds.ts";
import type { PortRange } from "./port-range.ts";
import type { AmbientStance, HostList, Mode, Settings, WaypointReference } from "./settings.ts";
import { hostPatterns } from "./settings.ts";

/** The labels by which Istio binds an object to a waypoint (istio.io/api label/labels.gen.go). */
export const useWaypointLabel = "istio.io/use-waypoint";
export const useWaypointNamespaceLabel = "istio.io/use-waypoint-namespace";

/** The labels of a Namespace from which its policy is derived, but for those that bind to a waypoint. */
export const stanceLabels: readonly string[] = ["istio.io/dataplane-mode", "istio-injection", "istio.io/rev"];

/** Whether the policy of a Namespace is derived from a label of its: the stance, or the waypoint. */
export function isPolicyLabel(key: string): boolean {
	return stanceLabels.includes(key) || key.startsWith(useWaypointLabel);
}

/** Where the policy's waypoint was named. */
export type WaypointSource = "annotation" | "cluster default" | "namespace label" | "nowhere";

/** What holds in one namespace: its annotations over the cluster's settings, parsed once when either changes. */
export interface Policy {
	readonly namespace: string;
	readonly mode: Mode;
	readonly ambient: AmbientStance;
	/** The waypoint for external ServiceEntries; "none" when the policy says that there is none. */
	readonly waypoint: WaypointReference | "none" | undefined;
	readonly waypointSource: WaypointSource;
	/** Each list must allow a host; an empty outer list allows every host. */
	readonly allowedHosts: readonly HostAllowance[];
	readonly deniedHosts: readonly HostAllowance[];
	readonly allowedPorts: readonly PortAllowance[];
	readonly allowedProtocols: readonly ProtocolAllowance[];
	/** The ServiceAccounts whose pods may reach the namespace's hosts; undefined: all. */
	readonly allowedServiceAccounts: readonly string[] | undefined;
	/** What the annotations say by themselves, without the cluster's settings: a new one is read here. */
	readonly annotations: NamespaceAnnotations;
	readonly exemptions: ReadonlyMap<string, Exemption>;
	readonly problems: readonly AnnotationProblem[];
	/** Whether any annotation of ours was set. */
	readonly annotated: boolean;
	/** Whether the Namespace was there to be read; without it only the cluster's word holds. */
	readonly isKnown: boolean;
}

/** Who said so: the namespace's annotation, the cluster's limits, or its defaults for namespaces without the annotation. */
export type Authority = "namespace" | "cluster" | "default";

/** Whose list it is, for messages. */
export function ownerOf(by: Authority): string {
	const owners = {
		namespace: "this namespace's policy",
		cluster: "the cluster's limits",
		default: "the cluster's defaults",
	};
	return owners[by];
}

/** Whose word a list is, for messages: "this namespace's policy allows". */
export function allows(by: Authority): string {
	return `${ownerOf(by)} ${by === "namespace" ? "allows" : "allow"}`;
}

export interface HostAllowance {
	readonly by: Authority;
	readonly patterns: readonly HostPattern[];
}

export interface PortAllowance {
	readonly by: Authority;
	readonly ranges: readonly PortRange[];
}

export interface ProtocolAllowance {
	readonly by: Authority;
	readonly protocols: ReadonlySet<string>;
}

/** The policy of a namespace; `object` is undefined when the namespace is not known. */
export function parsePolicy(name: string, object: Namespace | undefined, settings: Settings): Policy {
	const annotations = object?.metadata?.annotations ?? {};
	const labels = object?.metadata?.labels ?? {};
	const { values, exemptions, problems } = readNamespaceAnnotations(annotations, name);
	const { defaults, limits } = settings;
	return {
		namespace: name,
		mode: values.mode ?? defaults.mode,
		ambient: stanceOf(values, labels, settings),
		...chooseWaypoint(name, values, labels, settings),
		allowedHosts: byAuthority(
			hosts(limits.allowedHosts, name),
			values["allowed-hosts"],
			hosts(defaults.allowedHosts, name),
		).map(({ by, list }) => ({ by, patterns: list })),
		deniedHosts: byAuthority(
			hosts(limits.deniedHosts, name),
			values["denied-hosts"],
			hosts(defaults.deniedHosts, name),
		).map(({ by, list }) => ({
			by,
			patterns: list,
		})),
		allowedPorts: byAuthority(limits.allowedPorts, values["allowed-ports"], defaults.allowedPorts).map(
			({ by, list }) => ({
				by,
				ranges: list,
			}),
		),
		allowedProtocols: byAuthority(
			limits.allowedProtocols && [...limits.allowedProtocols],
			values["allowed-protocols"],
			defaults.allowedProtocols && [...defaults.allowedProtocols],
		).map(({ by, list }) => ({ by, protocols: new Set(list) })),
		allowedServiceAccounts: values["allowed-service-accounts"]?.length
			? values["allowed-service-accounts"]
			: undefined,
		annotations: values,
		exemptions,
		problems,
		annotated: Object.keys(annotations).some((key) => key.startsWith(annotationPrefix)),
		isKnown: object !== undefined,
	};
}

/** An annotation that names a waypoint means that it shall hold, whatever becomes of the namespace's labels. */
function stanceOf(
	{ ambient, waypoint }: NamespaceAnnotations,
	labels: Readonly<Record<string, string>>,
	{ defaults }: Settings,
): AmbientStance {
	if (ambient === undefined && waypoint !== undefined && waypoint !== "none") {
		return "enforced";
	}
	return ambient ?? defaults.ambient ?? (isAmbientNamespace(labels) ? "enforced" : "permitted");
}

function hosts(list: HostList | undefined, namespace: string): readonly HostPattern[] | undefined {
	return list && hostPatterns(list, namespace);
}

/**
 * The lists that hold together, with who says so. A list of the namespace takes the place of the default; an empty one
 * is the same as none.
 */
function byAuthority<T>(
	cluster: readonly T[] | undefined,
	namespace: readonly T[] | undefined,
	byDefault: readonly T[] | undefined,
): readonly { readonly by: Authority; readonly list: readonly T[] }[] {
	return [
		...(cluster === undefined ? [] : [{ by: "cluster" as const, list: cluster }]),
		...(namespace !== undefined && namespace.length > 0
			? [{ by: "namespace" as const, list: namespace }]
			: byDefault === undefined
				? []
				: [{ by: "default" as const, list: byDefault }]),
	];
}

/**
 * Whether Istio would call a namespace ambient by its labels
 * (istioctl/pkg/util/ambient/util.go: InAmbient).
 */
export function isAmbientNamespace(labels: Readonly<Record<string, string>>): boolean {
	return (
		labels["istio.io/dataplane-mode"] === "ambient" &&
		labels["istio-injection"] !== "enabled" &&
		(labels["istio.io/rev"] ?? "") === ""
	);
}

function chooseWaypoint(
	namespace: string,
	{ waypoint }: NamespaceAnnotations,
	labels: Readonly<Record<string, string>>,
	settings: Settings,
): Pick<Policy, "waypoint" | "waypointSource"> {
	if (waypoint !== undefined) {
		return { waypoint, waypointSource: "annotation" };
	}
	if (settings.defaults.waypoint !== undefined) {
		return { waypoint: settings.defaults.waypoint, waypointSource: "cluster default" };
	}
	const label = labels[useWaypointLabel];
	if (label === undefined || label === "" || label === "none") {
		return { waypoint: undefined, waypointSource: "nowhere" };
	}
	return {
		waypoint: { namespace: labels[useWaypointNamespaceLabel] ?? namespace, name: label },
		waypointSource: "namespace label",
	};
}
