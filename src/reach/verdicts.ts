import type { HostPattern } from "../core/host-pattern.ts";
import { canonicalHost, covers, overlaps } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { HostAllowance, Policy } from "../core/policy.ts";
import type { Settings } from "../core/settings.ts";
import type { Stepwise } from "../core/stepwise.ts";
import type { Bits } from "./bits.ts";
import {
	allBits,
	both,
	either,
	except,
	hasBit,
	isEmpty,
	noBits,
	numbersOf,
	rememberSets,
	setBit,
} from "./bits.ts";
import { portRefusal, weightOf } from "./word.ts";

/** What the policies of all namespaces say of one destination. */
export interface Verdict {
	/** Namespaces whose policy allows it, by their places in the list. */
	readonly may: Bits;
	/** Namespaces that are to be refused: their policy forbids it, and is enforced. */
	readonly refuse: Bits;
}

/** Answers what the policies of a list of namespaces say. */
export interface Verdicts {
	of(host: string, port: number, protocol: string): Verdict;
}

/** A policy of several namespaces that say the same. */
interface Group {
	/** As the policy is written; nothing is forbidden where nobody asks it. */
	readonly spoken: Policy;
	/** What of it is enforced. */
	readonly enforced: Policy;
	readonly members: Bits;
}

/**
 * Reads the policies of namespaces for a list of hosts, in steps. Namespaces that say the same are read once, and each pattern is
 * looked up among the hosts instead of being tried on every one, so that a cluster of thousands of both takes seconds.
 */
export function* walkVerdicts(
	namespaces: readonly string[],
	hosts: readonly string[],
	inventory: Inventory,
	today: string,
): Stepwise<Verdicts> {
	const groups = yield* groupPolicies(namespaces, inventory, today);
	const index = indexHosts(hosts);
	const spoken = yield* judgeHosts(groups, index, (group) => group.spoken);
	const enforced = yield* judgeHosts(groups, index, (group) => group.enforced);
	const members = memberReader(groups, namespaces.length);
	const places = new Map(hosts.map((host, place) => [host, place]));
	const spokenPorts = portReader(groups, (group) => group.spoken);
	const enforcedPorts = portReader(groups, (group) => group.enforced);
	const everyGroup = allBits(groups.length);
	return {
		of(host, port, protocol) {
			const place = places.get(host) ?? -1;
			const may = both(spoken[place] ?? everyGroup, spokenPorts(port, protocol));
			const pass = both(enforced[place] ?? everyGroup, enforcedPorts(port, protocol));
			return { may: members(may), refuse: members(except(everyGroup, pass)) };
		},
	};
}

/** A policy without the lists that are not enforced on a day. */
export function enforcedPart(policy: Policy, settings: Settings, today: string): Policy {
	if (weightOf(policy, settings) !== "enforced") {
		return withoutLists(policy);
	}
	const isExempt = (rule: string): boolean => today <= (policy.exemptions.get(rule)?.until ?? "");
	const hosts = isExempt("serviceentry-policy-host");
	return {
		...policy,
		allowedHosts: hosts ? [] : policy.allowedHosts,
		deniedHosts: hosts ? [] : policy.deniedHosts,
		allowedPorts: isExempt("serviceentry-policy-port") ? [] : policy.allowedPorts,
		allowedProtocols: isExempt("serviceentry-policy-protocol") ? [] : policy.allowedProtocols,
	};
}

/** A policy as far as anybody asks it: one that is off, or of an exempt namespace, forbids nothing. */
export function spokenPart(policy: Policy, settings: Settings): Policy {
	return weightOf(policy, settings) === "ignored" ? withoutLists(policy) : policy;
}

function withoutLists(policy: Policy): Policy {
	return { ...policy, allowedHosts: [], deniedHosts: [], allowedPorts: [], allowedProtocols: [] };
}

function* groupPolicies(
	namespaces: readonly string[],
	inventory: Inventory,
	today: string,
): Stepwise<readonly Group[]> {
	const groups = new Map<string, Group>();
	for (const [place, namespace] of namespaces.entries()) {
		yield;
		const policy = inventory.policy(namespace);
		const spoken = spokenPart(policy, inventory.settings);
		const enforced = enforcedPart(policy, inventory.settings, today);
		const key = `${listsText(spoken)}\n${listsText(enforced)}`;
		const group = groups.get(key) ?? { spoken, enforced, members: noBits(namespaces.length) };
		setBit(group.members, place);
		groups.set(key, group);
	}
	return [...groups.values()];
}

function listsText({ allowedHosts, deniedHosts, allowedPorts, allowedProtocols }: Policy): string {
	const hosts = (lists: readonly HostAllowance[]): string =>
		lists.map(({ patterns }) => patterns.map(({ text }) => text).join(" ")).join("|");
	const ports = allowedPorts.map(({ ranges }) => ranges.map(({ text }) => text).join(" ")).join("|");
	const protocols = allowedProtocols.map((list) => [...list.protocols].join(" ")).join("|");
	return [hosts(allowedHosts), hosts(deniedHosts), ports, protocols].join(";");
}

/** Which hosts a pattern covers, and which it has a name in common with; answers are remembered by its text. */
interface HostIndex {
	readonly size: number;
	covered(pattern: HostPattern): Bits;
	overlapped(pattern: HostPattern): Bits;
}

function indexHosts(hosts: readonly string[]): HostIndex {
	const bySuffix = new Map<string, number[]>();
	const byName = new Map<string, number[]>();
	const wildcards: number[] = [];
	for (const [place, host] of hosts.entries()) {
		const name = canonicalHost(host);
		if (name.startsWith("*")) {
			wildcards.push(place);
			continue;
		}
		add(byName, name, place);
		for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
			add(bySuffix, name.slice(dot), place);
		}
	}
	const plain = ({ text, suffix }: HostPattern): readonly number[] =>
		(suffix === undefined ? byName.get(text) : bySuffix.get(suffix)) ?? [];
	const finder = (matches: (pattern: HostPattern, host: string) => boolean) => {
		const known = new Map<string, Bits>();
		return (pattern: HostPattern): Bits => {
			const found = known.get(pattern.text) ?? noBits(hosts.length);
			if (!known.has(pattern.text)) {
				known.set(pattern.text, found);
				for (const place of plain(pattern)) {
					setBit(found, place);
				}
				for (const place of wildcards) {
					if (matches(pattern, hosts[place] ?? "")) {
						setBit(found, place);
					}
				}
			}
			return found;
		};
	};
	return { size: hosts.length, covered: finder(covers), overlapped: finder(overlaps) };
}

function add(map: Map<string, number[]>, key: string, place: number): void {
	const list = map.get(key);
	if (list === undefined) {
		map.set(key, [place]);
	} else {
		list.push(place);
	}
}

/** For each host, the groups whose lists of hosts allow it. */
function* judgeHosts(
	groups: readonly Group[],
	index: HostIndex,
	policyOf: (group: Group) => Policy,
): Stepwise<readonly Bits[]> {
	const every = allBits(index.size);
	const allowing = Array.from({ length: index.size }, () => noBits(groups.length));
	for (const [place, group] of groups.entries()) {
		yield;
		const { allowedHosts, deniedHosts } = policyOf(group);
		const union = (lists: HostAllowance, find: (pattern: HostPattern) => Bits): Bits =>
			lists.patterns.map(find).reduce(either, noBits(index.size));
		const allowed = allowedHosts.map((list) => union(list, index.covered)).reduce(both, every);
		const denied = deniedHosts
			.map((list) => union(list, index.overlapped))
			.reduce(either, noBits(index.size));
		for (const host of numbersOf(except(allowed, denied))) {
			const bits = allowing[host];
			if (bits !== undefined) {
				setBit(bits, place);
			}
		}
	}
	return allowing;
}

function portReader(
	groups: readonly Group[],
	policyOf: (group: Group) => Policy,
): (port: number, protocol: string) => Bits {
	const known = new Map<string, Bits>();
	return (port, protocol) => {
		const key = `${port}/${protocol}`;
		const found = known.get(key) ?? noBits(groups.length);
		if (!known.has(key)) {
			known.set(key, found);
			for (const [place, group] of groups.entries()) {
				if (portRefusal(policyOf(group), { port, protocol }) === undefined) {
					setBit(found, place);
				}
			}
		}
		return found;
	};
}

/** Turns groups into their namespaces; equal sets of groups become one and the same set of namespaces. */
function memberReader(groups: readonly Group[], size: number): (groups: Bits) => Bits {
	const groupOf = new Uint32Array(size);
	for (const [place, { members }] of groups.entries()) {
		for (const member of numbersOf(members)) {
			groupOf[member] = place;
		}
	}
	const nobody = noBits(size);
	return rememberSets((chosen) => {
		if (isEmpty(chosen)) {
			return nobody;
		}
		const found = noBits(size);
		for (let member = 0; member < size; member++) {
			if (hasBit(chosen, groupOf[member] ?? 0)) {
				setBit(found, member);
			}
		}
		return found;
	});
}
