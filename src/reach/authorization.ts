import { parseAddressRange, rangeContains } from "../core/address-range.ts";
import { targetRefsOf } from "../core/indexes.ts";
import type { Inventory } from "../core/inventory.ts";
import type {
	AuthorizationCondition,
	AuthorizationOperation,
	AuthorizationPolicy,
	AuthorizationRule,
	AuthorizationSource,
} from "../core/kinds.ts";
import { isOnTrial, namesHttp } from "../istio/attachment/authorization.ts";
import { waypointClass } from "../istio/attachment/targets.ts";
import type { Bits } from "./bits.ts";
import { either, except, noBits } from "./bits.ts";
import type { Clients, Match } from "./sources.ts";
import { andMatch, notMatch, orMatch } from "./sources.ts";

/** Where the connection stands when policies are asked: at a waypoint, for a port of one host of one ServiceEntry. */
export interface Crossing {
	/** The waypoint, `NAMESPACE/NAME`. */
	readonly waypoint: string;
	readonly entry: { readonly namespace: string; readonly name: string };
	readonly port: number;
	/** Whether the waypoint reads HTTP on the port; `sniffed`: where it sees HTTP. */
	readonly http: boolean | "sniffed";
	/** The addresses by which ztunnel knows the host; empty where nobody knows them yet. */
	readonly addresses: readonly string[];
}

/** What the waypoint's AuthorizationPolicies do to connections of clients. */
export interface Ruling {
	/** Clients whose every connection is refused. */
	readonly refused: Bits;
	/** Clients of which some connections are refused, or some requests. */
	readonly partly: Bits;
	/** Clients about whom a CUSTOM policy's provider decides. */
	readonly unknown: Bits;
	/** Policies that refuse, `NAMESPACE/NAME`, with the clients that each refuses for certain. */
	readonly by: readonly {
		readonly policy: string;
		readonly action: "DENY" | "ALLOW";
		readonly refused: Bits;
	}[];
}

/** The AuthorizationPolicies of a world by what they target. */
export interface PolicyIndex {
	/** Those that a waypoint has for an entry (Istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy). */
	attachedTo(crossing: Pick<Crossing, "waypoint" | "entry">): readonly AuthorizationPolicy[];
}

/** Sorts the AuthorizationPolicies of a world by their targets; those with a selector never hold at a waypoint. */
export function indexPolicies(inventory: Inventory): PolicyIndex {
	const byTarget = new Map<string, AuthorizationPolicy[]>();
	for (const policy of inventory.all("AuthorizationPolicy")) {
		for (const target of new Set(targetsOf(policy, inventory))) {
			const list = byTarget.get(target) ?? [];
			list.push(policy);
			byTarget.set(target, list);
		}
	}
	return {
		attachedTo({ waypoint, entry }) {
			const found = [
				...(byTarget.get("class") ?? []),
				...(byTarget.get(`gateway ${waypoint}`) ?? []),
				...(byTarget.get(`entry ${entry.namespace}/${entry.name}`) ?? []),
			];
			return found.length < 2 ? found : [...new Set(found)];
		},
	};
}

function targetsOf(policy: AuthorizationPolicy, inventory: Inventory): readonly string[] {
	const namespace = policy.metadata?.namespace ?? "";
	return targetRefsOf(policy).flatMap(({ group, kind, name, namespace: other }) => {
		if (group === "networking.istio.io" && kind === "ServiceEntry") {
			return [`entry ${namespace}/${name}`];
		}
		if (group !== "gateway.networking.k8s.io") {
			return [];
		}
		if (kind === "GatewayClass") {
			return name === waypointClass && namespace === inventory.mesh.rootNamespace ? ["class"] : [];
		}
		const isHere = (other ?? "") === "" || other === namespace;
		return kind === "Gateway" && isHere ? [`gateway ${namespace}/${name}`] : [];
	});
}

/** What policies do at a crossing: DENY before ALLOW, of which one must let a connection in, and CUSTOM unknown. */
export function rule(policies: readonly AuthorizationPolicy[], crossing: Crossing, clients: Clients): Ruling {
	if (crossing.http !== "sniffed") {
		return ruleChain(policies, crossing, crossing.http, clients);
	}
	const asTcp = ruleChain(policies, crossing, false, clients);
	const asHttp = ruleChain(policies, crossing, true, clients);
	const refused = noBits(clients.all.length).map(
		(_, index) => (asTcp.refused[index] ?? 0) & (asHttp.refused[index] ?? 0),
	);
	const touched = [asTcp.refused, asHttp.refused, asTcp.partly, asHttp.partly].reduce(either);
	return {
		refused,
		partly: except(touched, refused),
		unknown: either(asTcp.unknown, asHttp.unknown),
		by: asTcp.by,
	};
}

function ruleChain(
	policies: readonly AuthorizationPolicy[],
	crossing: Crossing,
	http: boolean,
	clients: Clients,
): Ruling {
	const none = clients.nobody.certain;
	let denied = clients.nobody;
	let allowed: Match | undefined;
	let custom = none;
	const by: { readonly policy: string; readonly action: "DENY" | "ALLOW"; readonly refused: Bits }[] = [];
	const allowing: string[] = [];
	for (const policy of policies) {
		if (isOnTrial(policy)) {
			continue;
		}
		const action = policy.spec?.action ?? "ALLOW";
		const name = `${policy.metadata?.namespace ?? ""}/${policy.metadata?.name ?? ""}`;
		const match = policyMatch(policy, action, crossing, http, clients);
		if (action === "DENY") {
			denied = orMatch(denied, match);
			by.push({ policy: name, action, refused: match.certain });
		} else if (action === "ALLOW") {
			allowed = allowed === undefined ? match : orMatch(allowed, match);
			allowing.push(name);
		} else if (action === "CUSTOM") {
			custom = either(custom, match.possible);
		}
	}
	const shutOut = allowed === undefined ? clients.nobody : notMatch(allowed, clients.everyone);
	by.push(...allowing.map((policy) => ({ policy, action: "ALLOW" as const, refused: shutOut.certain })));
	const refused = either(denied.certain, shutOut.certain);
	return {
		refused,
		partly: except(either(denied.possible, shutOut.possible), refused),
		unknown: except(custom, refused),
		by,
	};
}

/** Whether some rule matches; a policy without rules never does (security/authz/builder: rbacPolicyMatchNever). */
function policyMatch(
	policy: AuthorizationPolicy,
	action: string,
	crossing: Crossing,
	http: boolean,
	clients: Clients,
): Match {
	const asked: Asked = {
		crossing,
		http,
		clients,
		widens: action !== "ALLOW",
		namespace: policy.metadata?.namespace ?? "",
	};
	return (policy.spec?.rules ?? []).map((each) => ruleMatch(each, asked)).reduce(orMatch, clients.nobody);
}

interface Asked {
	readonly crossing: Crossing;
	readonly http: boolean;
	readonly clients: Clients;
	/** What a TCP chain cannot read narrows an ALLOW to nothing, and is left out of any other rule (model.go: checkError). */
	readonly widens: boolean;
	readonly namespace: string;
}

function ruleMatch(each: AuthorizationRule, asked: Asked): Match {
	const { everyone } = asked.clients;
	const from = each.from ?? [];
	const to = each.to ?? [];
	const sources =
		from.length === 0
			? everyone
			: from.map(({ source }) => sourceMatch(source ?? {}, asked)).reduce(orMatch, asked.clients.nobody);
	const operations =
		to.length === 0
			? everyone
			: to
					.map(({ operation }) => operationMatch(operation ?? {}, asked))
					.reduce(orMatch, asked.clients.nobody);
	const conditions = (each.when ?? []).map((condition) => conditionMatch(condition, asked));
	const isUnreadable = !asked.http && !asked.widens && namesHttp(each);
	return isUnreadable ? asked.clients.nobody : [sources, operations, ...conditions].reduce(andMatch);
}

type Texts = readonly string[] | null | undefined;

/** Some of the values, and none of the others; a field that is empty says nothing. */
function listsMatch(
	values: Texts,
	notValues: Texts,
	ofSome: (values: readonly string[]) => Match,
	clients: Clients,
): Match {
	const some = (values ?? []).length === 0 ? clients.everyone : ofSome(values ?? []);
	return (notValues ?? []).length === 0
		? some
		: andMatch(some, notMatch(ofSome(notValues ?? []), clients.everyone));
}

function valuesMatch(values: Texts, notValues: Texts, of: (value: string) => Match, clients: Clients): Match {
	return listsMatch(values, notValues, (list) => list.map(of).reduce(orMatch), clients);
}

/** A field about requests: unclear where requests are read, and left out where they are not. */
function requestField(values: Texts, notValues: Texts, { http, clients }: Asked): Match {
	const isSet = (values ?? []).length > 0 || (notValues ?? []).length > 0;
	return isSet && http ? clients.unclear : clients.everyone;
}

function sourceMatch(source: AuthorizationSource, asked: Asked): Match {
	const { clients, namespace } = asked;
	const unclear = (): Match => clients.unclear;
	return [
		listsMatch(source.namespaces, source.notNamespaces, clients.ofNamespaces, clients),
		valuesMatch(source.principals, source.notPrincipals, clients.ofPrincipal, clients),
		valuesMatch(
			source.serviceAccounts,
			source.notServiceAccounts,
			(value) => clients.ofServiceAccount(value, namespace),
			clients,
		),
		valuesMatch(source.ipBlocks, source.notIpBlocks, unclear, clients),
		valuesMatch(source.remoteIpBlocks, source.notRemoteIpBlocks, unclear, clients),
		valuesMatch(source.trustDomains, source.notTrustDomains, trustDomain(clients), clients),
		requestField(source.requestPrincipals, source.notRequestPrincipals, asked),
	].reduce(andMatch);
}

function trustDomain(clients: Clients): (value: string) => Match {
	return (value) => (value === "*" ? clients.everyone : clients.unclear);
}

function operationMatch(operation: AuthorizationOperation, asked: Asked): Match {
	const { clients, crossing } = asked;
	return [
		valuesMatch(
			operation.ports,
			operation.notPorts,
			(value) => (Number(value) === crossing.port ? clients.everyone : clients.nobody),
			clients,
		),
		requestField(operation.hosts, operation.notHosts, asked),
		requestField(operation.methods, operation.notMethods, asked),
		requestField(operation.paths, operation.notPaths, asked),
	].reduce(andMatch);
}

function conditionMatch({ key, values, notValues }: AuthorizationCondition, asked: Asked): Match {
	const { clients, crossing } = asked;
	const some = (of: (value: string) => Match): Match => valuesMatch(values, notValues, of, clients);
	switch (key) {
		case "source.namespace":
			return listsMatch(values, notValues, clients.ofNamespaces, clients);
		case "source.principal":
			return some(clients.ofPrincipal);
		case "source.serviceAccount":
			return some((value) => clients.ofServiceAccount(value, asked.namespace));
		case "source.trustDomain":
			return some(trustDomain(clients));
		case "destination.port":
			return some((value) => (Number(value) === crossing.port ? clients.everyone : clients.nobody));
		case "destination.ip":
			return listsMatch(values, notValues, (blocks) => addressesMatch(blocks, asked), clients);
		default:
			return (key ?? "").startsWith("request.")
				? requestField(values, notValues, asked)
				: some(() => clients.unclear);
	}
}

/** Certain where every address of the host lies in one of the blocks, or none does. */
function addressesMatch(blocks: readonly string[], { clients, crossing }: Asked): Match {
	const ranges = blocks.flatMap((text) => parseAddressRange(text) ?? []);
	const inside = crossing.addresses.map((text) => {
		const address = parseAddressRange(text);
		return address !== undefined && ranges.some((range) => rangeContains(range, address));
	});
	if (inside.length > 0 && !inside.includes(false)) {
		return clients.everyone;
	}
	return inside.length > 0 && !inside.includes(true) ? clients.nobody : clients.unclear;
}
