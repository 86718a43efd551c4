import type { NamespaceAnnotations } from "../core/annotations.ts";
import { annotationPrefix, exemptionPrefix } from "../core/annotations.ts";
import {
	celCanonicalHost,
	celCovers,
	celCoversShort,
	celList,
	celMostDoubtful,
	celOverlaps,
	celPattern,
	celText,
} from "../core/cel.ts";
import type { Authority } from "../core/policy.ts";
import { allows, stanceLabels, useWaypointLabel, useWaypointNamespaceLabel } from "../core/policy.ts";
import type { PortRange } from "../core/port-range.ts";
import { protocols } from "../core/port-range.ts";
import type { HostList, Settings } from "../core/settings.ts";
import { ambientStances, modes } from "../core/settings.ts";
import { managedLabel } from "../istio/waypoint/waypoint.ts";
import { fewEndpoints, mostInternal, mostPlaces } from "./admission-bounds.ts";
import { deniedForm } from "./denied-form.ts";

/** A variable of a policy: the API server works it out when something asks for it, anew in each phase. */
export interface CelVariable {
	readonly name: string;
	readonly expression: string;
	/** Whether it is a literal, which may as well stand where it is asked for. */
	readonly isConstant?: true;
}

const note = (name: string): string => `variables.annotations[?${celText(annotationPrefix + name)}]`;
const isBad = (name: string): string => `${celText(annotationPrefix + name)} in variables.malformed`;

// Lists are separated by commas or white space.
const items = "findAll(r'[^\\s,]+')";

/** A list of hosts as one text, each item between spaces, spelt as `canonicalHost` does. */
const hostText = (value: string, namespace: string): string =>
	`(' ' + ${value}.lowerAscii().${items}.join(' ') + ' ')
  .replace('\${namespace}', ${namespace}).replace('. ', ' ')`;

// Go has no quick way to count up to 63, so a search for what no item has stands for the form of one.
const badHostText = celPattern("[^a-z0-9_.* -]|[^ ][*]|[*][^.]|[. ][-.]|[-.][. ]");

/** Whether a text of `hostText` has an item that is neither a host nor *.suffix; its length is the Namespace's matter. */
export const isBadHostText = (text: string): string => `${text}.matches(${badHostText})`;

const protocolForm = protocols.map((name) => name.toLowerCase()).join("|");
const waypointForm = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/)?[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$";
/** The forms that `hasReadableLabels` demands of the two waypoint labels. */
const nameForm = "^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$";
const namespaceForm = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
const lastDays =
	"(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])";
const leapYear = "[0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00";
/** A day that there is, as YYYY-MM-DD. */
const dayForm = `([0-9]{4}-(${lastDays})|(${leapYear})-02-29)`;

const wordOf = (name: string, words: readonly string[], fallback: string): string =>
	`!${note(name)}.hasValue() ? ${celText(fallback)}
  : [${note(name)}.orValue('').trim()].map(w, w in ${celList(words)} ? w : ${celText(fallback)})[0]`;

/** The annotations of the object's namespace, and its labels. */
export const namespaceWords: readonly CelVariable[] = [
	{ name: "annotations", expression: "namespaceObject.metadata.?annotations.orValue({})" },
	{ name: "labels", expression: "namespaceObject.metadata.?labels.orValue({})" },
];

/** Whether a value of each annotation cannot be read, as `namespaceAnnotations` reads it. */
function misreadings(
	value: string,
	namespace: string,
): { readonly [Name in keyof NamespaceAnnotations]-?: string } {
	const hosts = isBadHostText(hostText(value, namespace));
	return {
		mode: `!(${value}.trim() in ${celList(modes)})`,
		ambient: `!(${value}.trim() in ${celList(ambientStances)})`,
		waypoint: `!${value}.trim().matches(${celPattern(waypointForm)}) || ${value}.trim().endsWith('/none')`,
		"allowed-hosts": hosts,
		"denied-hosts": hosts,
		"allowed-ports": `!${value}.lowerAscii().${items}.all(i,
      i.matches(${celPattern(`^[0-9]{1,5}(-[0-9]{1,5})?(/(${protocolForm}))?$`)}) &&
      [i.split('/')[0].split('-')].all(r,
        int(r[0]) > 0 && int(r[0]) <= int(r[r.size() - 1]) && int(r[r.size() - 1]) < 65536))`,
		"allowed-protocols": `!${value}.lowerAscii().${items}.all(i, i.matches(${celPattern(`^(${protocolForm})$`)}))`,
		"allowed-service-accounts": `!${value}.${items}.all(i, i.matches(${celPattern("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")}))`,
		confirm: `${value}.trim() == ''`,
	};
}

const fieldNames = "(until|reason|owner|ticket)=";

/** Whether a text is no exemption: `until=DAY`, then a reason and perhaps an owner and a ticket, each once. */
function isBadExemption(value: string): string {
	return `!${value}.matches(${celPattern(`^\\s*until=\\s*${dayForm}\\s+(reason|owner|ticket)=`)}) ||
    ${value}.matches(${celPattern(`(^|\\s)${fieldNames}(\\s+${fieldNames}|\\s*$)`)}) ||
    [${value}.findAll(${celPattern(`(^|\\s)${fieldNames}`)}).map(f, f.trim())].exists(l,
      !('reason=' in l) || l.exists(f, l.filter(g, g == f).size() > 1))`;
}

/** Annotations of ours that cannot be read, of `variables.annotations`. */
export function malformedWords(namespace: string): readonly CelVariable[] {
	const value = "variables.annotations[k]";
	const tests = Object.entries(misreadings(value, namespace)).map(
		([name, test]) => `k == ${celText(annotationPrefix + name)} ? ${test}`,
	);
	return [
		{
			name: "malformed",
			expression: `variables.annotations.map(k, k).filter(k, k.startsWith(${celText(annotationPrefix)}) && (
  ${tests.join("\n  : ")}
  : !k.startsWith(${celText(annotationPrefix + exemptionPrefix)}) ||
    ${isBadExemption(value)}))`,
		},
	];
}

/** What follows from a finding in the namespace. */
export function modeWord(settings: Settings): CelVariable {
	return { name: "mode", expression: wordOf("mode", modes, settings.defaults.mode) };
}

/** Whether sidecar-style egress and the opt-out are errors in the namespace. */
export function ambientWord(settings: Settings): CelVariable {
	const byLabels = `variables.labels[?'istio.io/dataplane-mode'].orValue('') == 'ambient' &&
  variables.labels[?'istio-injection'].orValue('') != 'enabled' &&
  variables.labels[?'istio.io/rev'].orValue('') == ''`;
	const otherwise =
		settings.defaults.ambient === undefined ? byLabels : String(settings.defaults.ambient === "enforced");
	return {
		name: "ambient",
		// A waypoint that is named shall hold.
		expression: `{'enforced': true, 'permitted': false}[?${note("ambient")}.orValue('').trim()]
  .orValue(${note("waypoint")}.orValue('').trim().matches(${celPattern(waypointForm)}) &&
    !(${note("waypoint")}.orValue('').trim() == 'none' || ${note("waypoint")}.orValue('').trim().endsWith('/none')) ||
    ${otherwise})`,
	};
}

/** The waypoint that the namespace's policy names, as NAMESPACE/NAME; `none`, or nothing. */
export function waypointWords(settings: Settings): readonly CelVariable[] {
	const { waypoint } = settings.defaults;
	const fallback =
		waypoint === undefined ? "" : waypoint === "none" ? "none" : `${waypoint.namespace}/${waypoint.name}`;
	return [
		{
			// What a policy names, which goes before the label of the namespace.
			name: "named",
			expression: `[${note("waypoint")}.orValue('').trim()].map(w,
  !w.matches(${celPattern(waypointForm)}) || w.endsWith('/none') ? ${celText(fallback)}
  : w == 'none' || w.contains('/') ? w : request.namespace + '/' + w)[0]`,
		},
		{
			// What the label of the namespace asks for, well-formed or not.
			name: "inherited",
			expression: `variables.labels[?${celText(useWaypointLabel)}].orValue('none') == 'none' ? ''
  : variables.labels[?${celText(useWaypointNamespaceLabel)}].orValue(request.namespace) + '/' +
    variables.labels[${celText(useWaypointLabel)}]`,
		},
		{
			name: "wanted",
			expression: `variables.named != '' ? variables.named
  : variables.inherited.endsWith('/') ? '' : variables.inherited`,
		},
	];
}

/** The policy's lists, the cluster's limits before those of the namespace; an empty one allows everything. */
export function listWords(settings: Settings): readonly CelVariable[] {
	const { limits, defaults } = settings;
	return [
		{
			name: "allowedHosts",
			expression: hostLists("allowed-hosts", limits.allowedHosts, defaults.allowedHosts),
		},
		{ name: "deniedHosts", expression: hostLists("denied-hosts", limits.deniedHosts, defaults.deniedHosts) },
		{
			name: "allowedPorts",
			expression: portLists(limits.allowedPorts, defaults.allowedPorts),
		},
		{
			name: "allowedProtocols",
			expression: protocolLists(limits.allowedProtocols, defaults.allowedProtocols),
		},
		{
			// What a host costs that no list names, in characters.
			name: "listLength",
			expression: `variables.allowedHosts.map(l, l.of.size()).sum() + 2 * variables.deniedHosts.map(l, l.of.size()).sum()`,
		},
		{
			// How many patterns a long host is compared with, each of them by itself.
			name: "listPatterns",
			expression: `variables.allowedHosts.map(l, l.of.split(' ').size()).sum() + 2 * variables.deniedHosts.map(l, l.of.split(' ').size()).sum()`,
		},
		{
			name: "wildcardMinimumLabels",
			expression: String(limits.wildcardMinimumLabels),
			isConstant: true,
		},
		{
			// Those that NAT64 reaches are denied with them (RFC 6052).
			name: "deniedAddresses",
			isConstant: true,
			expression: celList(
				limits.deniedAddresses.flatMap(({ text, family, prefix }) => {
					const block = text.includes("/") ? text : `${text}/${prefix}`;
					return family === 6 || text.includes(":")
						? [block]
						: [block, `64:ff9b::${block.slice(0, block.indexOf("/"))}/${prefix + 96}`];
				}),
			),
		},
	];
}

/** Each list with whose word it is: `{'by': …, 'of': ' a.example *.b.example '}`. */
function hostLists(annotation: string, limit: HostList | undefined, byDefault: HostList | undefined): string {
	const said = `[${hostText(`${note(annotation)}.orValue('')`, "request.namespace")}]
  .filter(t, t.size() > 2 && !(${isBad(annotation)}))
  .map(t, ${listOf("namespace", "t")})`;
	return together(limit && constantHosts(limit), said, byDefault && constantHosts(byDefault));
}

/** The list of the cluster, and that of the namespace or, where it says nothing, the default. */
function together(limit: string | undefined, said: string, byDefault: string | undefined): string {
	const cluster = limit === undefined ? "[]" : `[${listOf("cluster", limit)}]`;
	return byDefault === undefined
		? `${cluster} + ${said}`
		: `${cluster} + [${said}].map(l, l.size() > 0 ? l : [${listOf("default", byDefault)}])[0]`;
}

function constantHosts(list: HostList): string {
	const fixed = celText(` ${list.patterns.map((each) => each.text).join(" ")} `);
	return list.placeholders.length === 0
		? fixed
		: hostText(
				celText([...list.patterns.map((each) => each.text), ...list.placeholders].join(" ")),
				"request.namespace",
			);
}

const listOf = (by: Authority, list: string): string =>
	`{'by': dyn(${celText(allows(by))}), 'of': dyn(${list})}`;

const rangeOf = ({ from, to, protocol }: PortRange): string =>
	`{'from': dyn(${from}), 'to': dyn(${to}), 'protocol': dyn(${celText(protocol?.toLowerCase() ?? "")})}`;

function portLists(
	limit: readonly PortRange[] | undefined,
	byDefault: readonly PortRange[] | undefined,
): string {
	const constant = (ranges: readonly PortRange[]): string => `[${ranges.map(rangeOf).join(", ")}]`;
	const said = `[${note("allowed-ports")}.orValue('').lowerAscii().${items}]
  .filter(l, l.size() > 0 && !(${isBad("allowed-ports")}))
  .map(l, ${listOf(
		"namespace",
		`l.map(i, {
    'from': dyn(int(i.split('/')[0].split('-')[0])),
    'to': dyn(int(i.split('/')[0].split('-')[i.split('/')[0].split('-').size() - 1])),
    'protocol': dyn(i.contains('/') ? i.split('/')[1] : '')})`,
	)})`;
	return together(limit && constant(limit), said, byDefault && constant(byDefault));
}

function protocolLists(
	limit: ReadonlySet<string> | undefined,
	byDefault: ReadonlySet<string> | undefined,
): string {
	const constant = (names: ReadonlySet<string>): string =>
		celList([...names].map((name) => name.toLowerCase()));
	const said = `[${note("allowed-protocols")}.orValue('').lowerAscii().${items}]
  .filter(l, l.size() > 0 && !(${isBad("allowed-protocols")}))
  .map(l, ${listOf("namespace", "l")})`;
	return together(limit && constant(limit), said, byDefault && constant(byDefault));
}

/** Whether a host in canonical form lies below one of these domains or is one. */
function celUnder(host: string, domains: readonly string[]): string {
	const below = domains.map((domain) => `${host}.endsWith(${celText(`.${domain}`)})`);
	return domains.length === 0 ? "false" : `(${host} in ${celList(domains)} || ${below.join(" || ")})`;
}

/** Whether a host in canonical form is inside by its name: the counterpart of `isOutsideHost`. */
function celInsideHost(host: string, { clusterDomain, internal }: Settings): string {
	return celUnder(host, ["svc", clusterDomain, ...internal.hosts]);
}

/** A full name that a Service, or a pod of one, may have. */
const serviceForm = celPattern("(^|[.])[^.*][^.]*[.][^.]+[.]svc([.]|$)");

/** Whether a name in canonical form leads out, as far as it alone tells: a Service of that name may lead anywhere. */
function celLeadsOut(name: string, settings: Settings): string {
	return `(!${celUnder(name, settings.internal.hosts)} &&
          (!${celInsideHost(name, settings)} || !${name}.matches(${serviceForm})))`;
}

function celInsideAddress(address: string, { internal }: Settings): string {
	const ranges = internal.addresses.map(({ text, prefix }) =>
		text.includes("/") ? text : `${text}/${prefix}`,
	);
	return ranges.length === 0
		? "false"
		: `${celList(ranges)}.exists(r, isIP(${address}) ? cidr(r).containsIP(${address}) :
        isCIDR(${address}) && cidr(r).containsCIDR(cidr(${address}).masked()))`;
}

/** Whether traffic can leave the cluster by an entry (`leavesCluster`), as far as the entry alone tells. */
function celLeavesCluster(s: string, settings: Settings): string {
	const byWord =
		settings.internal.hosts.length === 0
			? `${s}.external`
			: `${s}.external && ${s}.names.exists(h, !${celUnder("h", settings.internal.hosts)})`;
	return `${byWord} || !${s}.selects && (
      ${s}.names.exists(h, !${celInsideHost("h", settings)}) || ${s}.endpoints.size() > ${mostInternal} ||
      ${s}.endpoints.exists(x, [x.?address.orValue('')].exists(a,
        a != '' && a != 'None' && !a.startsWith('unix://') && (isIP(a) ? !(${celInsideAddress("a", settings)}) :
          [${celCanonicalHost("a")}].exists(h, ${celLeadsOut("h", settings)})))) ||
      (${s}.resolution == 'NONE' ? ${s}.addresses.exists(a, !(${celInsideAddress("a", settings)})) :
        ${s}.endpoints.size() == 0 && ${s}.names.exists(h, ${celLeadsOut("h", settings)})))`;
}

const record = (fields: Readonly<Record<string, string>>): string =>
	`{\n    ${Object.entries(fields)
		.map(([name, expression]) => `'${name}': dyn(${expression})`)
		.join(",\n    ")}}`;

/** Whether an update changes no endpoint and adds no host: it is not judged for a long list of endpoints. */
const keepsEndpoints = `object.?spec.?endpoints == oldObject.?spec.?endpoints &&
        object.?spec.?hosts.orValue([]).all(h, h in oldObject.?spec.?hosts.orValue([]))`;

/** The object and the one that it replaces, with what their fields mean written out. */
export function entryWords(settings: Settings): readonly CelVariable[] {
	const U = celText(useWaypointLabel);
	const N = celText(useWaypointNamespaceLabel);
	const spec = record({
		labels: "o.metadata.?labels.orValue({})",
		hosts: "o.?spec.?hosts.orValue([])",
		names: `o.?spec.?hosts.orValue([]).map(h, ${celCanonicalHost("h")})`,
		ports: "o.?spec.?ports.orValue([])",
		addresses: "o.?spec.?addresses.orValue([])",
		endpoints: "o.?spec.?endpoints.orValue([])",
		resolution: "o.?spec.?resolution.orValue('NONE')",
		selector: "o.?spec.?workloadSelector.?labels.orValue({})",
		external: "o.?spec.?location.orValue('') != 'MESH_INTERNAL'",
		selects: "o.?spec.?workloadSelector.hasValue()",
		// The mark of a gateway: istiod gives such an object no waypoint.
		managed: `o.metadata.?labels[?${celText(managedLabel)}].orValue('') in
      ['istio.io-mesh-controller', 'istio.io-eastwest-controller']`,
		// Where the endpoints are, each between spaces of its own: a search in a text costs CEL next to nothing, a turn of
		// a loop ten microseconds. What a long list replaces is not looked into, so that all of it counts as new.
		text: `[o.?spec.?endpoints.orValue([])].map(l,
      l.size() == 0 || oldObject != null && (o == oldObject || ${keepsEndpoints}) && [object, oldObject].exists(x,
        x.?spec.?endpoints.orValue([]).size() > ${fewEndpoints}) ? '' :
      ' ' + l.map(x, x.?address.orValue('')).join('  ') + ' ')[0]`,
	});
	// What of the endpoints may be denied addresses, and what may be an egress gateway's Service.
	const search = record({
		s: "s",
		doubtful: `s.text == '' || s.text.size() > ${mostPlaces} ? [] :
      [s.text.findAll(r' [0-9a-fA-F:.]+(?:[/%][^ ]*)? ')].map(l, l.size() == 0 ? [] :
        l.join('').findAll(${celPattern(deniedForm(settings.limits.deniedAddresses))}, ${celMostDoubtful + 1}).map(a, a.trim()))[0]`,
		gateways: `s.text == '' || s.text.size() > ${mostPlaces} || !variables.ambient ? [] :
      s.text.findAll(${celPattern(egressForm(settings))}, ${celMostDoubtful + 1}).map(a, a.trim())`,
	});
	const binding = record({
		found: "f",
		s: "f.s",
		refuses: `f.s.managed || f.s.labels[?${U}].orValue('') == 'none'`,
		own: `f.s.managed || f.s.labels[?${U}].orValue('none') == 'none' ? ''
      : f.s.labels[?${N}].orValue(request.namespace) + '/' + f.s.labels[${U}]`,
		leaves: celLeavesCluster("f.s", settings),
		// The endpoints that have ports; of a long list, the first of them and those that have others.
		portMaps: `variables.allowedPorts.size() == 0 || f.s.text == '' ? [] :
      [f.s.endpoints.filter(x, x.?ports.orValue({}).size() > 0)].map(l,
        l.size() > ${fewEndpoints} ? l.filter(x, x.ports != l[0].ports) + [l[0]] : l)[0]`,
		// Endpoints by a name outside the cluster, for the lists of hosts, in canonical form.
		ends: `f.s.text == '' || f.s.text.size() > ${mostPlaces} ||
      variables.allowedHosts.size() + variables.deniedHosts.size() == 0 ? [] :
      f.s.text.replace(' None ', ' ').lowerAscii().replace('. ', ' ').split(' ').filter(a,
        a != '' && !isIP(a) && !a.contains(':') && !${celInsideHost("a", settings)})`,
		readable: `f.s.labels[?${U}].orValue('a').matches(${celPattern(nameForm)}) &&
      f.s.labels[?${N}].orValue('a').matches(${celPattern(namespaceForm)})`,
		hasOutsideName: `f.s.names.exists(h, !${celInsideHost("h", settings)})`,
	});
	const expectedWaypoint = "b.leaves && variables.wanted.contains('/') ? variables.wanted : ''";
	const whole = record({
		...Object.fromEntries(
			[
				"labels",
				"hosts",
				"names",
				"ports",
				"addresses",
				"endpoints",
				"resolution",
				"selector",
				"external",
				"managed",
			].map((name) => [name, `b.s.${name}`]),
		),
		// How much there is, where it is too much to be looked into.
		extent: "b.s.text.size()",
		doubtful: "b.found.doubtful",
		gateways: "b.found.gateways",
		ends: "b.ends",
		portMaps: "b.portMaps",
		refuses: "b.refuses",
		own: "b.own",
		asked: "b.refuses ? '' : b.own != '' ? b.own : variables.inherited",
		leaves: "b.leaves",
		expected: expectedWaypoint,
		readable: "b.readable",
		governed: "b.leaves || b.hasOutsideName",
		target: `b.refuses ? '' : b.own != '' ? b.own : b.leaves && variables.wanted.contains('/') ? variables.wanted
      : variables.inherited`,
		// The author named the policy's waypoint without its namespace.
		omitsNamespace: `b.own != '' && b.leaves && variables.wanted.contains('/') && !(${N} in b.s.labels) &&
      b.own != variables.wanted && variables.wanted.endsWith('/' + b.s.labels[?${U}].orValue(''))`,
	});
	return [
		// Several words, since an expression may cost so much and no more.
		{ name: "objects", expression: `[object, oldObject].filter(o, o != null)\n  .map(o, ${spec})` },
		{ name: "searched", expression: `variables.objects.map(s, ${search})` },
		{ name: "entries", expression: `variables.searched.map(f, ${binding})\n  .map(b, ${whole})` },
		{
			// What was wrong with an entry is wrong for each host that an update adds.
			name: "addsHosts",
			expression: `variables.entries.size() == 2 && [variables.entries].exists(x,
  x[0].names.exists(n, !(n in x[1].names)))`,
		},
		{
			// An update that adds something to reach takes old mistakes of the whole object along: an old opt-out is no way
			// out for other hosts. Of a long list of endpoints, any change counts as an addition.
			name: "widensEgress",
			expression: `variables.entries.size() == 2 && [variables.entries].exists(x,
  x[0].names.exists(n, !(n in x[1].names)) ||
  x[0].addresses.exists(a, !(a in x[1].addresses)) ||
  x[0].endpoints != x[1].endpoints && (x[0].endpoints.size() > ${fewEndpoints} || x[1].endpoints.size() > ${fewEndpoints} ||
    x[0].endpoints.exists(a, !x[1].endpoints.exists(b,
      a.?address == b.?address && a.?ports.orValue({}) == b.?ports.orValue({})))) ||
  [x.map(e, e.ports.map(p, string(p.?number.orValue(0)) + ' ' + string(p.?targetPort.orValue(0))))].exists(k,
    k[0].exists(p, !(p in k[1]))))`,
		},
	];
}

/**
 * The common case, told cheaply, which has nothing to find: everything else is worked out for the verdict and again for its
 * message. Undefined where the configuration leaves none that would be cheap to tell.
 */
export function plainEntry(settings: Settings): string | undefined {
	return hasCommonCase(settings) ? commonCase(settings) : undefined;
}

/** With other lists than of hosts there is no common case that would be cheap to tell. */
function hasCommonCase({ limits, defaults }: Settings): boolean {
	return (
		defaults.mode === "enforce" &&
		[limits, defaults].every(
			(lists) =>
				lists.deniedHosts === undefined &&
				lists.allowedPorts === undefined &&
				lists.allowedProtocols === undefined,
		)
	);
}

function commonCase(settings: Settings): string {
	const { limits, defaults } = settings;
	const A = (name: string): string => celText(annotationPrefix + name);
	const U = celText(useWaypointLabel);
	const N = celText(useWaypointNamespaceLabel);
	const fallback =
		defaults.waypoint === undefined || defaults.waypoint === "none"
			? "-"
			: `${defaults.waypoint.namespace}/${defaults.waypoint.name}`;
	const byCluster =
		limits.allowedHosts === undefined ? "" : ` &&\n  ${celCovers(constantHosts(limits.allowedHosts), "h")}`;
	const known = [A("waypoint"), A("allowed-hosts")].map((name) => `(${name} in a ? 1 : 0)`);
	// The annotations of the namespace are no word of the policy here: to work one out costs as much as half of this.
	return `has(object.metadata.labels) &&
(object.metadata.labels.size() == 2 ||
  object.metadata.labels.all(k, !k.contains('istio.io/') || k in [${U}, ${N}])) &&
object.spec.?location.orValue('') != 'MESH_INTERNAL' && object.spec.?resolution.orValue('') == 'DNS' &&
!has(object.spec.endpoints) && !has(object.spec.addresses) && !has(object.spec.workloadSelector) &&
object.spec.?ports.orValue([]).all(p,
  p.?protocol.orValue('') in ['TLS', 'HTTPS', 'HTTP', 'HTTP2', 'GRPC']) &&
object.spec.hosts.all(h,
  h.size() < 254 && h.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?){0,7}[.][a-z][a-z0-9-]*$') &&
  !${celInsideHost("h", settings)}${byCluster}) &&
[namespaceObject.metadata.?annotations.orValue({})].exists(a,
  [object.metadata.labels[?${N}].orValue('') + '/' + object.metadata.labels[?${U}].orValue('')].exists(w,
    (w == a[?${A("waypoint")}].orValue(${celText(fallback)}) ||
     w == request.namespace + '/' + a[?${A("waypoint")}].orValue('')) &&
    w.matches(${celPattern(waypointForm)}) && !w.endsWith('/none')) &&
  (a.size() == ${known.join(" + ")} || !a.exists(k, k.startsWith(${celText(annotationPrefix)}) &&
    !(k in [${A("waypoint")}, ${A("allowed-hosts")}]) &&
    !(k == ${A("ambient")} && a[k] in ${celList(ambientStances)}))) &&
  ${plainHosts(settings)})`;
}

/** Whether the list of the namespace whose annotations are `a` allows every host of a plain entry, and can be read. */
function plainHosts({ defaults }: Settings): string {
	const list = `a[?${celText(`${annotationPrefix}allowed-hosts`)}]`;
	const said = hostText(`${list}.orValue('')`, "request.namespace");
	if (defaults.allowedHosts === undefined) {
		return `(!${list}.hasValue() || [${said}].exists(l,
    !${isBadHostText("l")} && (l.size() == 2 || object.spec.hosts.all(h, ${celCoversShort("l", "h")}))))`;
	}
	return `[${said}].map(l, l.size() > 2 ? l : ${constantHosts(defaults.allowedHosts)}).exists(l,
    !${isBadHostText("l")} && object.spec.hosts.all(h, ${celCoversShort("l", "h")}))`;
}

/** What the namespace's lists say against a host in canonical form; for the rules about hosts and endpoints. */
export const hostQuestions = {
	denied: (host: string): string => `variables.deniedHosts.exists(l, ${celOverlaps("l.of", host)})`,
	notAllowed: (host: string): string => `variables.allowedHosts.filter(l, !${celCovers("l.of", host)})`,
};

/** What the table says of the waypoint that each entry asks for, or that its policy wants. */
export function tableWords({ defaults }: Settings): CelVariable {
	const source =
		defaults.waypoint === undefined
			? "'annotation'"
			: `${note("waypoint")}.hasValue() && !(${isBad("waypoint")}) ? 'annotation' : 'cluster default'`;
	return {
		name: "bound",
		expression: `variables.entries.map(e, {
    'e': dyn(e),
    'looked': dyn(e.omitsNamespace || !e.readable ? '' : e.target),
    'origin': dyn(e.own != '' ? 'its label names' : e.expected != '' && variables.named != ''
      ? 'the policy of this namespace (' + (${source}) + ') names' : 'the label of its namespace names')})
  .map(b, {
    'labels': dyn(b.e.labels),
    'looked': dyn(b.looked),
    'origin': dyn(b.origin),
    'exists': dyn(b.looked in params.spec.?waypoints.orValue({})),
    'faults': dyn(params.spec.?waypoints[?b.looked].?faults.orValue([])),
    // The waypoint's allowedRoutes are asked of the namespace as it is now: its new label needs no controller.
    'admitted': dyn([dyn(params.spec.?waypoints[?b.looked].orValue(dyn({})))].exists(w,
      w.?from.orValue('') == 'All' ||
      w.?from.orValue('') == 'Same' && b.looked.startsWith(request.namespace + '/') ||
      w.?from.orValue('') == 'Selector' &&
        w.?matchLabels.orValue({}).all(k, variables.labels[?k].orValue('') == w.matchLabels[k] && k in variables.labels) &&
        w.?matchExpressions.orValue([]).all(x,
          x.operator == 'In' ? variables.labels[?x.key].hasValue() && variables.labels[x.key] in x.values :
          x.operator == 'NotIn' ? !(variables.labels[?x.key].hasValue() && variables.labels[x.key] in x.values) :
          (x.operator == 'Exists') == (x.key in variables.labels))))})`,
	};
}

/**
 * The common case, told by the object and the table alone: a waypoint that takes everybody and has nothing wrong with it.
 * A match condition asks for it, so that nothing of the policy is begun.
 */
export const plainBinding: string = `has(object.metadata.labels) && !('istio.io/rev' in object.metadata.labels) &&
  [object.metadata.labels[?${celText(useWaypointNamespaceLabel)}].orValue('') + '/' +
    object.metadata.labels[?${celText(useWaypointLabel)}].orValue('')].exists(w,
    params.spec.?waypoints[?w].?from.orValue('') == 'All' && !has(params.spec.waypoints[w].faults))`;

/** What the configuration says of egress gateways, beside what their names and labels say. */
export function gatewayWords(settings: Settings): readonly CelVariable[] {
	const { labels, services } = settings.egressGateways;
	const sets = labels.map(
		(set) =>
			`{${Object.entries(set)
				.map(([key, value]) => `${celText(key)}: ${celText(value)}`)
				.join(", ")}}`,
	);
	return [
		{
			name: "egressLabels",
			isConstant: true,
			expression: sets.length === 0 ? "[{'': ''}].filter(s, false)" : `[${sets.join(", ")}]`,
		},
		{ name: "egressServices", expression: celList(services), isConstant: true },
	];
}

/** What has the name of such a Service for its first label, between spaces. */
function egressForm({ egressGateways }: Settings): string {
	const names = egressGateways.services.map((each) => each.slice(each.indexOf("/") + 1));
	return `(?i) (?:${["istio-egressgateway", ...names].map(literally).join("|")})(?:[.][^ ]*)? `;
}

/** What a regular expression matches a text with and nothing else; the form is RE2's. */
function literally(text: string): string {
	return text.replaceAll(/[^\w-]/gu, (each) => `\\x{${each.codePointAt(0)?.toString(16)}}`);
}

const routesOf = (kind: string): string => `o.?spec.?${kind}.orValue([])`;
const destinations = (list: string): string => `${list}.map(y, y.?destination.?host.orValue('')).join(' ')`;
const matchedGateways = (kind: string): string =>
	`${routesOf(kind)}.map(x, x.?match.orValue([]).map(m, m.?gateways.orValue([]).join(' ')).join(' ')).join(' ')`;

/** Objects of sidecar-style egress: the pods that they select, the hosts that they lead to, the Gateways that they name. */
export const sidecarWords: readonly CelVariable[] = [
	{ name: "kind", expression: "request.kind.kind" },
	{
		name: "entries",
		// CEL cannot make one list of many, but of texts it can: no host has a space in it.
		expression: `[object, oldObject].filter(o, o != null).map(o, {
    'pods': dyn(variables.kind == 'Gateway' ? o.?spec.?selector.orValue({}) :
      variables.kind == 'DestinationRule' ? o.?spec.?workloadSelector.?matchLabels.orValue({}) : {}),
    'hosts': dyn((variables.kind == 'DestinationRule' ? o.?spec.?host.orValue('') :
      variables.kind == 'Sidecar' ? o.?spec.?outboundTrafficPolicy.?egressProxy.?host.orValue('') :
      variables.kind == 'VirtualService' ?
        ${routesOf("http")}.map(x, ${destinations("x.?route.orValue([])")} + ' ' +
          x.?mirror.?host.orValue('') + ' ' + ${destinations("x.?mirrors.orValue([])")}).join(' ') + ' ' +
        ${["tls", "tcp"].map((kind) => `${routesOf(kind)}.map(x, ${destinations("x.?route.orValue([])")}).join(' ')`).join(" + ' ' +\n        ")} :
      variables.kind == 'ASMEgressTrafficPolicy' ? o.?spec.?byEgressGateway.?name.orValue(
        o.?spec.?egressRules.orValue([]).map(r,
          r.?to.orValue([]).map(t, t.?byEgressGateway.?name.orValue('')).join(' ')).join(' ')) :
      variables.kind.endsWith('Route') ? o.?spec.?rules.orValue([]).map(r,
        (r.?backendRefs.orValue([]) + r.?filters.orValue([])
            .map(f, f.?requestMirror.?backendRef.orValue({'kind': 'None'})))
          .filter(b, b.?group.orValue('') == '' && b.?kind.orValue('Service') == 'Service')
          .map(b, b.name + '.' + b.?namespace.orValue(request.namespace) + '.svc').join(' ')).join(' ') : '')
      .split(' ').filter(h, h != '')),
    'gateways': dyn(variables.kind != 'VirtualService' ? [] :
      (o.?spec.?gateways.orValue([]).join(' ') + ' ' + ${["http", "tls", "tcp"].map(matchedGateways).join(" + ' ' +\n        ")})
      .split(' ').filter(g, g != '' && g != 'mesh')
      .map(g, g.startsWith('./') ? request.namespace + g.substring(1) : g.startsWith('/') ? request.namespace + g :
        g.contains('/') ? g : g.contains('.') ? g.split('.')[1] + '/' + g.split('.')[0] : request.namespace + '/' + g))})`,
	},
];

/**
 * The JSON Patch that binds an unbound entry which is not MESH_INTERNAL to the waypoint that the policy names; empty where it
 * names none, since the label of the namespace does it by itself. One expression, without a word and without a condition
 * before it: for each, the API server prepares the whole evaluation anew.
 */
export function injectionPatch(settings: Settings): string {
	const U = celText(useWaypointLabel);
	const N = celText(useWaypointNamespaceLabel);
	const [named] = waypointWords(settings);
	// In mode warn, a label that names nothing would outvote the one of the namespace that works.
	const isEnforced =
		settings.defaults.mode === "enforce"
			? `!(${note("mode")}.orValue('').trim() in ${celList(modes.filter((mode) => mode !== "enforce"))})`
			: `${note("mode")}.orValue('').trim() == 'enforce'`;
	// Labels would hide that an author calls internal what is not; whether it is, only Waymark tells.
	const expression = `object.?spec.?location.orValue('') == 'MESH_INTERNAL' || has(object.metadata.deletionTimestamp) ||
has(object.metadata.labels) && (${U} in object.metadata.labels ||
  object.metadata.labels[?${celText(managedLabel)}].orValue('') in ['istio.io-mesh-controller', 'istio.io-eastwest-controller'])
? [] : [${named?.expression}].map(w,
  !w.contains('/') || !(${isEnforced}) || has(object.metadata.labels) &&
    object.metadata.labels[?${N}].orValue(w.split('/')[0]) != w.split('/')[0]${staysByConfiguration(settings)} ? []
  : has(object.metadata.labels)
  ? [JSONPatch{op: "add", path: "/metadata/labels/istio.io~1use-waypoint", value: w.split('/')[1]},
     JSONPatch{op: "add", path: "/metadata/labels/istio.io~1use-waypoint-namespace", value: w.split('/')[0]}]
  : [JSONPatch{op: "add", path: "/metadata/labels",
      value: {${U}: w.split('/')[1], ${N}: w.split('/')[0]}}])[0]`;
	return expression.replaceAll("variables.annotations", "namespaceObject.metadata.?annotations.orValue({})");
}

/** What is not called MESH_INTERNAL leaves the cluster, unless the configuration calls its hosts internal. */
function staysByConfiguration(settings: Settings): string {
	return settings.internal.hosts.length === 0
		? ""
		: ` ||
![{
    'external': dyn(true),
    'selects': dyn(object.?spec.?workloadSelector.hasValue()),
    'names': dyn(object.?spec.?hosts.orValue([]).map(h, ${celCanonicalHost("h")})),
    'addresses': dyn(object.?spec.?addresses.orValue([])),
    'endpoints': dyn(object.?spec.?endpoints.orValue([])),
    'resolution': dyn(object.?spec.?resolution.orValue('NONE'))}].exists(s,
  ${celLeavesCluster("s", settings)})`;
}

/** The annotations of the Namespace that is written, and what of ours changes in it. */
export const ownAnnotationWords: readonly CelVariable[] = [
	{ name: "annotations", expression: "object.metadata.?annotations.orValue({})" },
	{ name: "before", expression: "oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})" },
	{
		name: "changed",
		expression: `(variables.annotations.map(k, k) + variables.before.map(k, k).filter(k, !(k in variables.annotations)))
  .filter(k, k.startsWith(${celText(annotationPrefix)}) && variables.annotations[?k] != variables.before[?k])`,
	},
	{
		// How long an item of a list of hosts is, which only a loop can tell.
		name: "tooLong",
		expression: `variables.changed.filter(k, k in variables.annotations &&
  k in ${celList(["allowed-hosts", "denied-hosts"].map((name) => annotationPrefix + name))} &&
  variables.annotations[k].${items}.exists(i,
    i.size() > 254 || i.split('.').exists(l, l.size() > 63 && !l.contains('\${namespace}'))))`,
	},
];

/**
 * The labels of a Namespace that change and from which its policy is derived, where it had one to loosen: the part of rule
 * namespace-label that needs no other object.
 */
export function labelWords({ defaults }: Settings): readonly CelVariable[] {
	const isAmbient = `variables.labelsBefore[?'istio.io/dataplane-mode'].orValue('') == 'ambient' &&
  variables.labelsBefore[?'istio-injection'].orValue('') != 'enabled' &&
  variables.labelsBefore[?'istio.io/rev'].orValue('') == ''`;
	const stance = defaults.ambient === undefined ? isAmbient : String(defaults.ambient === "enforced");
	const named = `!(variables.labelsBefore[?${celText(useWaypointLabel)}].orValue('none') in ['', 'none'])`;
	return [
		{
			name: "labelsBefore",
			expression: "oldObject == null ? {} : oldObject.metadata.?labels.orValue({})",
		},
		{
			name: "labels",
			expression: "object.metadata.?labels.orValue({})",
		},
		{
			name: "isProtected",
			expression: `oldObject != null && (variables.before.exists(k, k.startsWith(${celText(annotationPrefix)})) ||
  ${stance}${defaults.waypoint === undefined ? ` || ${named}` : ""})`,
		},
		{
			name: "relabelled",
			expression: `!variables.isProtected ? [] :
  (variables.labels.map(k, k) + variables.labelsBefore.map(k, k).filter(k, !(k in variables.labels)))
    .filter(k, (k in ${celList(stanceLabels)} || k.startsWith(${celText(useWaypointLabel)})) &&
      variables.labels[?k] != variables.labelsBefore[?k])`,
		},
	];
}
