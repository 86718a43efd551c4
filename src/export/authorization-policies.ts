import { isExemptNamespace } from "../core/exempt-namespaces.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AuthorizationPolicy, AuthorizationRule, AuthorizationSource } from "../core/kinds.ts";
import type { Stepwise } from "../core/stepwise.ts";
import { finish } from "../core/stepwise.ts";
import { captureOf } from "../istio/capture/capture.ts";
import type { Bits } from "../reach/bits.ts";
import { both, except, hasBit, isEmpty, numbersOf, rememberSets } from "../reach/bits.ts";
import type { ObjectName, Outlet, Reach } from "../reach/reach.ts";
import { addressesOf, limitedAccounts } from "../reach/reach.ts";
import { enforcedPart } from "../reach/verdicts.ts";
import { refusalOf } from "../reach/word.ts";

/** The label of what Waymark generates; its value names the ServiceEntry, as far as a label can. */
export const generatedLabel = "egress.waymark.dev/generated-from";

/** What a policy forbids and no generated AuthorizationPolicy can refuse. */
export interface Remainder {
	readonly entry: ObjectName;
	readonly host: string;
	readonly reason: string;
}

/** A policy that is left out because it, or all of them together, would be too large. */
export interface Oversized {
	readonly entry: ObjectName;
	/** Bytes of its lists of namespaces and accounts. */
	readonly bytes: number;
}

/** What makes the policies of all namespaces hold at the waypoints. */
export interface GeneratedPolicies {
	/** Ordered by namespace and name. */
	readonly policies: readonly AuthorizationPolicy[];
	readonly remainders: readonly Remainder[];
	/** The largest first. */
	readonly oversized: readonly Oversized[];
	/** Bytes that all would have together, those left out as well. */
	readonly bytes: number;
}

/** For which entries policies are made: those that a waypoint serves now, or all whose labels ask for one. */
export type GeneratedFor = "bound" | "asking";

/** The most bytes of lists in one policy: etcd takes 1.5 MiB in one request. */
export const mostPolicyBytes: number = 1024 * 1024;

/** The most bytes of lists in all policies together; docs/reach.md says what istiod makes of them. */
export const mostBytes: number = 8 * 1024 * 1024;

/** What is generated of a reach, all at once. */
export function generatePolicies(
	reach: Reach,
	inventory: Inventory,
	today: string,
	whose: GeneratedFor = "bound",
): GeneratedPolicies {
	return finish(walkPolicies(reach, inventory, today, whose));
}

/**
 * For each ServiceEntry that is bound to a waypoint, one AuthorizationPolicy that denies it to the namespaces, and to
 * the service accounts, that their policies do not allow. DENY is asked before any ALLOW, so that no tenant's policy
 * undoes it. Nothing is written where nothing is forbidden, and never a rule without a source. Where all together would be
 * too large, the largest are left out. In steps.
 */
export function* walkPolicies(
	reach: Reach,
	inventory: Inventory,
	today: string,
	whose: GeneratedFor,
): Stepwise<GeneratedPolicies> {
	const remainders: Remainder[] = [];
	const denials = denialReader(reach, inventory, today);
	const sizeOf = sizeReader();
	const isCovered = ({ boundTo, asksForWaypoint }: Outlet): boolean =>
		boundTo !== undefined || (whose === "asking" && asksForWaypoint);
	const entries = Map.groupBy(
		reach.outlets.filter((outlet) => isCovered(outlet) && outlet.protocol !== "UDP"),
		({ entry }) => entry,
	);
	const made: Made[] = [];
	for (const outlets of entries.values()) {
		yield;
		const rules = rulesOf(outlets, denials, inventory, remainders);
		const entry = outlets[0]?.declaredBy;
		if (rules.length > 0 && entry !== undefined) {
			made.push({ entry, policy: policyOf(entry, rules), bytes: sizeOf(rules) });
		}
	}
	for (const outlet of reach.outlets) {
		const { refuse, declaredBy, host } = outlet;
		if (!isCovered(outlet) && !isEmpty(refuse)) {
			remainders.push({
				entry: declaredBy,
				host,
				reason: "no waypoint is on the way, so nothing in the mesh can refuse it",
			});
		}
	}
	const { kept, oversized } = within(made);
	return {
		policies: kept.map(({ policy }) => policy).toSorted(byName),
		remainders: distinct(remainders),
		oversized,
		bytes: made.reduce((sum, { bytes }) => sum + bytes, 0),
	};
}

interface Made {
	readonly entry: ObjectName;
	readonly policy: AuthorizationPolicy;
	readonly bytes: number;
}

/** As many policies as may be, the small ones first: so most entries are governed. */
function within(made: readonly Made[]): {
	readonly kept: readonly Made[];
	readonly oversized: readonly Oversized[];
} {
	let room = mostBytes;
	const kept: Made[] = [];
	const oversized: Oversized[] = [];
	const text = ({ entry }: Made): string => `${entry.namespace}/${entry.name}`;
	const smallFirst = made.toSorted(
		(one, other) => one.bytes - other.bytes || (text(one) < text(other) ? -1 : 1),
	);
	for (const each of smallFirst) {
		if (each.bytes > mostPolicyBytes || each.bytes > room) {
			oversized.unshift({ entry: each.entry, bytes: each.bytes });
		} else {
			room -= each.bytes;
			kept.push(each);
		}
	}
	return { kept, oversized };
}

/** Bytes of the lists in rules; lists that many policies share are measured once. */
function sizeReader(): (rules: readonly AuthorizationRule[]) => number {
	const known = new Map<readonly string[], number>();
	const listSize = (list: readonly string[] | null | undefined): number => {
		if (list === null || list === undefined) {
			return 0;
		}
		const size = known.get(list) ?? list.reduce((sum, item) => sum + item.length + 3, 0);
		known.set(list, size);
		return size;
	};
	return (rules) =>
		rules
			.flatMap(({ from }) => from ?? [])
			.reduce(
				(sum, { source }) =>
					sum +
					listSize(source?.namespaces) +
					listSize(source?.notNamespaces) +
					listSize(source?.notPrincipals),
				0,
			);
}

/** Who is denied something, in the form in which it is written. */
interface Denial {
	/** Namespaces that are denied it. */
	readonly refuse: Bits;
	/** Whether one of which nothing is known is denied it, too: then the others are listed. */
	readonly isClosed: boolean;
}

interface Denials {
	of(outlet: Outlet): Denial;
	/** What is denied by each of them. */
	common(denials: readonly Denial[]): Denial;
	sourcesOf(denial: Denial): readonly AuthorizationSource[];
}

function denialReader(reach: Reach, inventory: Inventory, today: string): Denials {
	const { namespaces } = reach;
	const stranger = enforcedPart(inventory.policy(""), inventory.settings, today);
	const accounts = accountSources(namespaces, inventory);
	const exempt = [...inventory.settings.exemptNamespaces].filter((name) => !namespaces.includes(name));
	const write = (refuse: Bits, isClosed: boolean): readonly AuthorizationSource[] => [
		...listed(refuse, isClosed, namespaces, exempt),
		...accounts.filter(({ place }) => !hasBit(refuse, place)).map(({ source }) => source),
	];
	const open = rememberSets((refuse) => write(refuse, false));
	const closed = rememberSets((refuse) => write(refuse, true));
	return {
		of: ({ refuse, host, port, protocol }) => ({
			refuse,
			isClosed: refusalOf(stranger, { host, port, protocol }) !== undefined,
		}),
		common: (denials) => ({
			refuse: denials.map(({ refuse }) => refuse).reduce(both),
			isClosed: denials.every(({ isClosed }) => isClosed),
		}),
		sourcesOf: ({ refuse, isClosed }) => (isClosed ? closed(refuse) : open(refuse)),
	};
}

/** The denied namespaces by name; or, where strangers are denied as well, all but the allowed ones. */
function listed(
	refuse: Bits,
	isClosed: boolean,
	namespaces: readonly string[],
	exempt: readonly string[],
): readonly AuthorizationSource[] {
	if (!isClosed) {
		const denied = [...numbersOf(refuse)].map((place) => namespaces[place] ?? "");
		return denied.length === 0 ? [] : [{ namespaces: denied }];
	}
	const allowed = namespaces.filter((_, place) => !hasBit(refuse, place));
	const notNamespaces = [...allowed, ...exempt].toSorted();
	// A source needs a field; nobody is left out, so that every identity is meant.
	return notNamespaces.length === 0 ? [{ namespaces: ["*"] }] : [{ notNamespaces }];
}

/** Of namespaces that allow some service accounts only: everybody else in them. */
function accountSources(
	namespaces: readonly string[],
	inventory: Inventory,
): readonly { readonly place: number; readonly source: AuthorizationSource }[] {
	return namespaces.flatMap((namespace, place) => {
		const accounts = limitedAccounts(namespace, inventory);
		if (accounts === undefined) {
			return [];
		}
		// The trust domain is left open; istiod does not let serviceAccounts stand beside namespaces.
		const notPrincipals = [...new Set(accounts)].toSorted().map((name) => `*/ns/${namespace}/sa/${name}`);
		return isExemptNamespace(namespace, inventory.settings)
			? []
			: [{ place, source: { namespaces: [namespace], notPrincipals } }];
	});
}

function rulesOf(
	outlets: readonly Outlet[],
	denials: Denials,
	inventory: Inventory,
	remainders: Remainder[],
): readonly AuthorizationRule[] {
	const byPort = [...Map.groupBy(outlets, ({ port }) => port)].toSorted(([one], [other]) => one - other);
	const whole = new Map<readonly AuthorizationSource[], number[]>();
	const single: AuthorizationRule[] = [];
	for (const [port, hosts] of byPort) {
		const alike = Map.groupBy(hosts, (outlet) => denials.sourcesOf(denials.of(outlet)));
		if (alike.size > 1 && areDistinct(hosts, inventory)) {
			for (const [sources, group] of alike) {
				single.push(...chunked(sources).map((from) => hostRule(from, port, group, inventory)));
			}
			continue;
		}
		if (alike.size > 1) {
			remainders.push(...differences(hosts));
		}
		const sources = denials.sourcesOf(denials.common(hosts.map(denials.of)));
		const ports = whole.get(sources) ?? [];
		whole.set(sources, [...ports, port]);
	}
	const isEverywhere = whole.size === 1 && single.length === 0;
	return [
		...[...whole].flatMap(([sources, ports]) =>
			chunked(sources).map((from): AuthorizationRule => {
				const to = [{ operation: { ports: ports.map(String) } }];
				return isEverywhere ? { from } : { from, to };
			}),
		),
		...single,
	];
}

/** At most 512 sources may stand in one rule (istio.io/api security/v1 authorization_policy.proto). */
const mostSources = 512;

function chunked(
	sources: readonly AuthorizationSource[],
): readonly (readonly { readonly source: AuthorizationSource }[])[] {
	const chunks: { readonly source: AuthorizationSource }[][] = [];
	for (let start = 0; start < sources.length; start += mostSources) {
		chunks.push(sources.slice(start, start + mostSources).map((source) => ({ source })));
	}
	return chunks;
}

/** One host of several: its clients are told apart by the address that they connect to, since they choose the names. */
function hostRule(
	from: readonly { readonly source: AuthorizationSource }[],
	port: number,
	outlets: readonly Outlet[],
	inventory: Inventory,
): AuthorizationRule {
	const values = [...new Set(outlets.flatMap((outlet) => knownAddresses(outlet, inventory)))].toSorted();
	return { from, to: [{ operation: { ports: [String(port)] } }], when: [{ key: "destination.ip", values }] };
}

/** Whether each host of an entry has addresses of its own, and they are known. */
function areDistinct(outlets: readonly Outlet[], inventory: Inventory): boolean {
	const lists = outlets.map((outlet) => knownAddresses(outlet, inventory));
	const all = lists.flat();
	return lists.every((list) => list.length > 0) && new Set(all).size === all.length;
}

function knownAddresses({ entry, declaredBy, host }: Outlet, inventory: Inventory): readonly string[] {
	const capture = captureOf(entry, declaredBy, inventory).find((each) => each.host === host);
	return capture === undefined ? [] : addressesOf(entry, capture);
}

/** The hosts of an entry for which more is forbidden than for all of its hosts together. */
function differences(outlets: readonly Outlet[]): readonly Remainder[] {
	const common = outlets.map(({ refuse }) => refuse).reduce(both);
	return outlets
		.filter(({ refuse }) => !isEmpty(except(refuse, common)))
		.map(({ declaredBy, host, port }) => ({
			entry: declaredBy,
			host,
			reason: `policies differ between the entry's hosts on port ${port}, and no addresses of their own are known that would tell them apart: give each host an entry of its own`,
		}));
}

function policyOf({ namespace, name }: ObjectName, rules: readonly AuthorizationRule[]): AuthorizationPolicy {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: {
			name: shortened(`waymark-reach-${name}`, 253),
			namespace,
			labels: { "app.kubernetes.io/managed-by": "waymark", [generatedLabel]: shortened(name, 63) },
		},
		spec: {
			targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }],
			action: "DENY",
			rules,
		},
	};
}

/** A name of at most so many characters: a longer one ends in a number that its whole text gives. */
function shortened(name: string, most: number): string {
	if (name.length <= most) {
		return name;
	}
	// FNV-1a: stable for ever, and nobody's secret.
	let hash = 0x811c9dc5;
	for (const character of name) {
		hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
	}
	return `${name.slice(0, most - 9).replace(/[^a-z0-9]+$/, "")}-${hash.toString(16).padStart(8, "0")}`;
}

function byName(one: AuthorizationPolicy, other: AuthorizationPolicy): number {
	const text = ({ metadata }: AuthorizationPolicy): string => `${metadata?.namespace}/${metadata?.name}`;
	return text(one) < text(other) ? -1 : text(one) > text(other) ? 1 : 0;
}

function distinct(remainders: readonly Remainder[]): readonly Remainder[] {
	const seen = new Map(
		remainders.map((each) => [
			`${each.entry.namespace}/${each.entry.name} ${each.host} ${each.reason}`,
			each,
		]),
	);
	return [...seen.keys()].toSorted().flatMap((key) => seen.get(key) ?? []);
}
