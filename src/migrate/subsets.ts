import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf, valueAt, without } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Bundle } from "./participant.ts";
import { forPort, wholeOnly } from "./port-levels.ts";
import type { Step } from "./step.ts";

interface SubsetUse {
	readonly input: InputObject;
	/** Where the route names the subset. */
	readonly path: Path;
	readonly host: string;
	/** Undefined where the route goes to the host without one. */
	readonly name: string | undefined;
}

/** Which subset each route out of the old gateway leads to. */
function usesOf(bundle: Bundle): readonly SubsetUse[] {
	return bundle.participants.flatMap(({ input, hops }) =>
		(hops?.toHost ?? []).map((destination) => {
			const path = [...destination.path.slice(0, -1), "subset"];
			return {
				input,
				path,
				host: canonicalHost(destination.host),
				name: textOf(valueAt(input.object, path)),
			};
		}),
	);
}

function subsetsOf(host: string, bundle: Bundle): readonly Fields[] {
	return rulesFor(host, bundle).flatMap(({ subsets }) => listOf(subsets).map(fieldsOf));
}

/**
 * The one subset that every route of the old gateway to a host names. Without labels, which would choose endpoints, its
 * settings are as good as the host's own, and no route is needed to reach them. Beside a second DestinationRule they
 * are not: istiod takes the host's own settings of the older rule alone.
 */
export function soleSubset(host: string, bundle: Bundle): string | undefined {
	const names = new Set(usesOf(bundle).flatMap((use) => (use.host === host ? [use.name] : [])));
	const [name] = names;
	const [subset, ...others] = subsetsOf(host, bundle).filter((each) => each.name === name);
	const isFree = Object.keys(fieldsOf(subset?.labels)).length === 0;
	return !isMirrored(host, bundle) &&
		names.size === 1 &&
		subset !== undefined &&
		others.length === 0 &&
		rulesFor(host, bundle).length === 1 &&
		isFree &&
		!hasIdleTimes(subset) &&
		!(hasPool(subset) && rulesFor(host, bundle).some(hasIdleTimes)) &&
		// Settings of a port cannot say it, so that it must stay at the subset.
		!wholeOnly.some((field) => fieldsOf(subset.trafficPolicy)[field] !== undefined)
		? name
		: undefined;
}

function hasPool({ trafficPolicy }: Fields): boolean {
	return fieldsOf(trafficPolicy).connectionPool !== undefined;
}

function rulesFor(host: string, bundle: Bundle): readonly Fields[] {
	return (bundle.rulesAtGateway.get(host) ?? []).map(({ object }) => fieldsOf(object.spec));
}

/** Whether a copy of traffic goes to a host as a whole, which must not get the settings of a subset. */
function isMirrored(host: string, bundle: Bundle): boolean {
	return bundle.participants.some(({ input }) =>
		listOf(fieldsOf(input.object.spec).http)
			.map(fieldsOf)
			.flatMap(({ mirror, mirrors }) => [
				fieldsOf(mirror),
				...listOf(mirrors).map((each) => fieldsOf(fieldsOf(each).destination)),
			])
			.some((destination) => canonicalHost(textOf(destination.host) ?? "") === host),
	);
}

/** How long a connection may last is never taken of a subset (core/networkfilter.go: buildOutboundNetworkFilters…). */
function hasIdleTimes(subset: Fields): boolean {
	const { trafficPolicy } = subset;
	const { tcp } = fieldsOf(fieldsOf(trafficPolicy).connectionPool);
	return ["idleTimeout", "maxConnectionDuration"].some((field) => fieldsOf(tcp)[field] !== undefined);
}

/** Whether a destination needs a route at the waypoint because a subset of its host has settings of its own. */
export function needsSubset(destination: Fields, bundle: Bundle): boolean {
	const host = canonicalHost(textOf(destination.host) ?? "");
	return (
		destination.subset !== undefined &&
		destination.subset !== soleSubset(host, bundle) &&
		subsetsOf(host, bundle).some((each) => each.name === destination.subset)
	);
}

/**
 * Whether a destination needs a route at the waypoint because of a hash in the settings of a port: without a route,
 * istiod takes the hash of the whole host alone (pilot/pkg/networking/core/httproute.go:
 * buildSidecarInboundHTTPRouteConfig), with one also that of a port (core/route/route.go: HashForHTTPDestination).
 */
export function needsHash(destination: Fields, bundle: Bundle): boolean {
	const host = canonicalHost(textOf(destination.host) ?? "");
	return rulesFor(host, bundle)
		.flatMap(({ trafficPolicy, subsets }) => [
			trafficPolicy,
			...listOf(subsets).map((each) => fieldsOf(each).trafficPolicy),
		])
		.flatMap((policy) => listOf(fieldsOf(policy).portLevelSettings).map(fieldsOf))
		.some(({ loadBalancer }) => fieldsOf(loadBalancer).consistentHash !== undefined);
}

/** Says what became of the subsets that the routes of the old gateway name, where no route is written for them. */
export function noteSubsets({ bundle, ledger, notes }: Step): void {
	for (const { input, path, host, name } of usesOf(bundle)) {
		if (name === undefined) {
			continue;
		}
		if (name === soleSubset(host, bundle)) {
			ledger.note(input, path, "carried", "the subset's settings are the host's own now");
		} else if (!subsetsOf(host, bundle).some((each) => each.name === name)) {
			const reason = `no DestinationRule of the input has a subset "${name}" of ${host}`;
			ledger.note(input, path, "not carried", reason);
			notes.push(
				`\`${input.namespace}/${input.name}\` names a subset, but ${reason}: if one begins TLS, add it to the input, else the waypoint connects in plain text.`,
			);
		}
	}
}

/** A DestinationRule whose sole subset has become the settings of the host itself. */
export function withSoleSubset(
	input: InputObject,
	host: string,
	spec: Fields,
	{ bundle, ledger }: Step,
): Fields {
	const name = soleSubset(host, bundle);
	const subsets = listOf(spec.subsets).map(fieldsOf);
	const index = subsets.findIndex((each) => each.name === name);
	if (name === undefined || index < 0) {
		return spec;
	}
	ledger.note(input, ["spec", "subsets", index], "carried", "the subset's settings are the host's own now");
	const trafficPolicy = merged(fieldsOf(spec.trafficPolicy), fieldsOf(subsets[index]?.trafficPolicy));
	const others = subsets.filter((_, at) => at !== index);
	return {
		...without(spec, "trafficPolicy", "subsets"),
		...(Object.keys(trafficPolicy).length > 0 ? { trafficPolicy } : {}),
		...(others.length > 0 ? { subsets: others } : {}),
	};
}

/**
 * A host's settings with those of its subset over them. What the subset says of a port stands alone there, whatever the
 * host says (pilot/pkg/networking/util/util.go: MergeSubsetTrafficPolicy, pilot/pkg/model: MergeTrafficPolicy).
 */
function merged(host: Fields, subset: Fields): Fields {
	const own = without(subset, "portLevelSettings");
	const said = listOf(subset.portLevelSettings).map(fieldsOf);
	const ports = new Set(said.map(({ port }) => fieldsOf(port).number));
	const inherited = listOf(host.portLevelSettings)
		.map(fieldsOf)
		.filter(({ port }) => !ports.has(fieldsOf(port).number))
		.map((level) => ({ ...level, ...forPort(own) }));
	const levels = [...said, ...inherited];
	return {
		...without(host, "portLevelSettings"),
		...own,
		...(levels.length > 0 ? { portLevelSettings: levels } : {}),
	};
}
