import assert from "node:assert/strict";
import type { ConfigDump } from "./ads.ts";

/** A connection as the RBAC filters of a waypoint see it. */
export interface Peer {
	/** The identity: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`. */
	readonly principal: string;
	/** Where the client connected to. */
	readonly address: string;
	readonly port: number;
}

type Json = Readonly<Record<string, unknown>>;

/** A filter chain of a waypoint. */
export interface Chain {
	/** Its RBAC filters, in order. */
	readonly filters: readonly Json[];
	/** The addresses for which the listener takes it. */
	readonly addresses: readonly string[];
}

/** The filter chains of a waypoint by their names, `inbound-vip|PORT|tcp or http|HOST`. */
export function rbacChains(dump: ConfigDump): ReadonlyMap<string, Chain> {
	const { dynamicListeners = [] } = (dump.get("ListenersConfigDump") ?? {}) as {
		readonly dynamicListeners?: readonly { readonly activeState: { readonly listener: Json } }[];
	};
	const main = dynamicListeners.find(({ activeState }) => activeState.listener.name === "main_internal");
	assert.ok(main, "the waypoint has no listener main_internal");
	const chains = main.activeState.listener.filterChains as readonly {
		readonly name: string;
		readonly filters: readonly Filter[];
	}[];
	const ranges = rangesOf(main.activeState.listener.filterChainMatcher);
	return new Map(
		chains.map(({ name, filters }) => [
			name,
			{
				filters: filters.flatMap(rbacOf),
				addresses: ranges
					.filter(({ chains: own }) => own.includes(`"${name}"`))
					.flatMap((each) => each.addresses),
			},
		]),
	);
}

/** The ranges of the listener's matcher, each with the JSON of what it leads to. */
function rangesOf(
	matcher: unknown,
): readonly { readonly addresses: readonly string[]; readonly chains: string }[] {
	if (typeof matcher !== "object" || matcher === null) {
		return [];
	}
	const { ranges, onMatch } = matcher as {
		readonly ranges?: readonly { readonly addressPrefix: string }[];
		readonly onMatch?: unknown;
	};
	return ranges === undefined
		? Object.values(matcher).flatMap(rangesOf)
		: [{ addresses: ranges.map((range) => range.addressPrefix), chains: JSON.stringify(onMatch) }];
}

interface Filter {
	readonly name: string;
	readonly typedConfig: Json;
}

function rbacOf({ name, typedConfig }: Filter): readonly Json[] {
	if (name === "envoy.filters.network.http_connection_manager") {
		return (typedConfig.httpFilters as readonly Filter[]).flatMap(rbacOf);
	}
	return name === "envoy.filters.network.rbac" || name === "envoy.filters.http.rbac" ? [typedConfig] : [];
}

/** Whether the filters of a chain let a connection through, as Envoy evaluates them (envoy.config.rbac.v3). */
export function lets(filters: readonly Json[], peer: Peer): boolean {
	return filters.every(({ rules }) => {
		if (rules === undefined) {
			return true;
		}
		const { action = "ALLOW", policies = {} } = rules as {
			readonly action?: string;
			readonly policies?: Readonly<
				Record<string, { readonly permissions: Json[]; readonly principals: Json[] }>
			>;
		};
		const hit = Object.values(policies).some(
			({ permissions, principals }) =>
				permissions.some((each) => holds(each, peer)) && principals.some((each) => holds(each, peer)),
		);
		return action === "LOG" || (action === "DENY" ? !hit : hit);
	});
}

/** One permission or principal; an unknown one fails the test. */
function holds(tree: Json, peer: Peer): boolean {
	const [[kind, value] = ["nothing", undefined]] = Object.entries(tree);
	switch (kind) {
		case "any":
			return value === true;
		case "andRules":
			return (value as { readonly rules: readonly Json[] }).rules.every((each) => holds(each, peer));
		case "orRules":
			return (value as { readonly rules: readonly Json[] }).rules.some((each) => holds(each, peer));
		case "andIds":
			return (value as { readonly ids: readonly Json[] }).ids.every((each) => holds(each, peer));
		case "orIds":
			return (value as { readonly ids: readonly Json[] }).ids.some((each) => holds(each, peer));
		case "notRule":
		case "notId":
			return !holds(value as Json, peer);
		case "destinationPort":
			return value === peer.port;
		case "destinationIp":
			return (value as { readonly addressPrefix: string }).addressPrefix === peer.address;
		case "filterState": {
			const { key, stringMatch } = value as { readonly key: string; readonly stringMatch: Json };
			assert.equal(key, "io.istio.peer_principal");
			return matchesText(stringMatch, peer.principal);
		}
		default:
			throw new Error(`Cannot evaluate ${kind} of an RBAC filter`);
	}
}

function matchesText(match: Json, text: string): boolean {
	const [[kind, value] = ["nothing", undefined]] = Object.entries(match);
	switch (kind) {
		case "exact":
			return text === value;
		case "prefix":
			return text.startsWith(String(value));
		case "suffix":
			return text.endsWith(String(value));
		case "safeRegex":
			return new RegExp(`^(?:${(value as { readonly regex: string }).regex})$`).test(text);
		default:
			throw new Error(`Cannot evaluate the string match ${kind} of an RBAC filter`);
	}
}
