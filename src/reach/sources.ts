import type { Bits } from "./bits.ts";
import { allBits, both, either, except, noBits, setBit } from "./bits.ts";

/** Pods of a namespace that open connections: those of one service account, or any. */
export interface Client {
	readonly namespace: string;
	/** Undefined: the pods of the namespace whatever their service account. */
	readonly serviceAccount: string | undefined;
}

/** For which clients something holds: for `certain` ones whatever they send, for `possible` ones perhaps. */
export interface Match {
	readonly certain: Bits;
	/** Includes the certain ones. */
	readonly possible: Bits;
	/** Known to be everyone for certain. */
	readonly isEveryone?: boolean;
	/** Known to be nobody. */
	readonly isNobody?: boolean;
}

/** Clients in a fixed order, and what sources of AuthorizationPolicies say of them. */
export interface Clients {
	readonly all: readonly Client[];
	readonly everyone: Match;
	readonly nobody: Match;
	/** Some of the clients by what a condition that is not about clients says. */
	readonly unclear: Match;
	/** Some of a source's `namespaces`; long lists that are equal are read once. */
	ofNamespaces(values: readonly string[]): Match;
	/** A source's `principals` item. */
	ofPrincipal(value: string): Match;
	/** A source's `serviceAccounts` item, of a policy in a namespace. */
	ofServiceAccount(value: string, policyNamespace: string): Match;
}

/** What a policy may call the mesh's own trust domain, whatever its name is. */
const anyOwn = "cluster.local";

/** The mesh's trust domain, then its aliases; undefined where nobody could say. */
export type TrustDomains = readonly string[] | undefined;

/** Makes a list of clients that can be asked about; answers to equal questions are remembered. */
export function listClients(all: readonly Client[], trustDomains: TrustDomains): Clients {
	const size = all.length;
	const nobody: Match = { certain: noBits(size), possible: noBits(size), isNobody: true };
	const everyone: Match = { certain: allBits(size), possible: allBits(size), isEveryone: true };
	const places = Map.groupBy(all.keys(), (index) => all[index]?.namespace ?? "");
	const remembered = new Map<string, Match>();
	const remember = (key: string, answer: () => Match): Match => {
		const known = remembered.get(key);
		if (known !== undefined) {
			return known;
		}
		const match = answer();
		remembered.set(key, match);
		return match;
	};
	return {
		all,
		everyone,
		nobody,
		unclear: { certain: nobody.certain, possible: everyone.possible },
		ofNamespaces: rememberLists((values) => {
			const match = { certain: noBits(size), possible: noBits(size) };
			const wide: Match[] = [];
			for (const value of values) {
				if (value.includes("*") || value.includes("/")) {
					wide.push(remember(`n ${value}`, () => judge(all, (client) => namespaceVerdict(value, client))));
					continue;
				}
				for (const place of places.get(value) ?? []) {
					setBit(match.certain, place);
					setBit(match.possible, place);
				}
			}
			return wide.reduce(orMatch, match);
		}),
		ofPrincipal: (value) =>
			remember(`p ${value}`, () =>
				judge(all, (client) => principalVerdict(asIssued(value, trustDomains), client, trustDomains)),
			),
		ofServiceAccount: (value, policyNamespace) => {
			const slash = value.indexOf("/");
			const namespace = slash < 0 ? policyNamespace : value.slice(0, slash);
			const account = value.slice(slash + 1);
			return judge(all, (client) => accountVerdict(account, client), places.get(namespace) ?? []);
		},
	};
}

/**
 * Answers for lists of texts, of which equal ones get one answer: thousands of generated policies name the same thousands
 * of namespaces. Lists are compared item by item, which costs less than any key that could be made of them.
 */
function rememberLists(answer: (values: readonly string[]) => Match): (values: readonly string[]) => Match {
	const known = new Map<string, { readonly values: readonly string[]; readonly match: Match }[]>();
	return (values) => {
		const key = `${values.length} ${values[0]} ${values[values.length >> 1]} ${values.at(-1)}`;
		const alike = known.get(key) ?? [];
		const found = alike.find((each) => each.values.every((value, index) => value === values[index]));
		if (found !== undefined) {
			return found.match;
		}
		const match = answer(values);
		known.set(key, [...alike.slice(-63), { values, match }]);
		return match;
	};
}

type Verdict = "certain" | "possible" | "never";

function judge(
	all: readonly Client[],
	verdict: (client: Client) => Verdict,
	places: Iterable<number> = all.keys(),
): Match {
	const certain = noBits(all.length);
	const possible = noBits(all.length);
	for (const place of places) {
		const client = all[place];
		const found = client === undefined ? "never" : verdict(client);
		if (found !== "never") {
			setBit(possible, place);
		}
		if (found === "certain") {
			setBit(certain, place);
		}
	}
	return { certain, possible };
}

function accountVerdict(account: string, { serviceAccount }: Client): Verdict {
	return serviceAccount === undefined ? "possible" : serviceAccount === account ? "certain" : "never";
}

/** istiod looks for `/ns/VALUE/` in the identity, with `.*` for each `*` (security/authz/model/generator.go: srcNamespaceGenerator). */
function namespaceVerdict(value: string, { namespace }: Client): Verdict {
	if (value.includes("/")) {
		// It may reach into the service account.
		return "possible";
	}
	return matchesParts(value.split("*"), namespace) ? "certain" : "never";
}

/** Whether a text begins with the first part, ends with the last, and has the others in between, in order. */
function matchesParts(parts: readonly string[], text: string): boolean {
	const first = parts[0] ?? "";
	const last = parts.at(-1) ?? "";
	if (!text.startsWith(first)) {
		return false;
	}
	let from = first.length;
	for (const part of parts.slice(1, -1)) {
		const at = text.indexOf(part, from);
		if (at < 0) {
			return false;
		}
		from = at + part.length;
	}
	return text.length - last.length >= from && text.endsWith(last);
}

/**
 * A principal is exact, a prefix or a suffix (security/authz/matcher/string.go: StringMatcherWithPrefix); the identity is
 * `TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
 */
function principalVerdict(value: string, client: Client, trustDomains: TrustDomains): Verdict {
	const start = `${trustDomains?.[0] ?? anyOwn}/ns/${client.namespace}/sa/`;
	if (value === "*") {
		return "certain";
	}
	if (client.serviceAccount !== undefined) {
		return identityVerdict(value, start + client.serviceAccount);
	}
	if (value.startsWith("*")) {
		return suffixVerdict(value.slice(1), start);
	}
	if (value.endsWith("*")) {
		const prefix = value.slice(0, -1);
		return start.startsWith(prefix)
			? "certain"
			: prefix.startsWith(start)
				? "possible"
				: foreign(value, client, trustDomains);
	}
	return value.startsWith(start) && value.length > start.length
		? "possible"
		: foreign(value, client, trustDomains);
}

function identityVerdict(value: string, identity: string): Verdict {
	const isMatch = value.startsWith("*")
		? identity.endsWith(value.slice(1))
		: value.endsWith("*")
			? identity.startsWith(value.slice(0, -1))
			: identity === value;
	return isMatch ? "certain" : "never";
}

/** Of an identity that begins with `start` and ends in some service account: whether it ends so. */
function suffixVerdict(suffix: string, start: string): Verdict {
	const slash = suffix.lastIndexOf("/");
	if (slash < 0) {
		return "possible";
	}
	return slash + 1 < suffix.length && start.endsWith(suffix.slice(0, slash + 1)) ? "possible" : "never";
}

/**
 * A whole principal of the mesh's trust domain, of an alias or of `cluster.local` as identities have it; what is not whole is
 * compared as it is (Istio pilot/pkg/security/trustdomain/bundle.go: ReplaceTrustDomainAliases, isTrustDomainBeingEnforced).
 */
function asIssued(value: string, trustDomains: TrustDomains): string {
	const [domain = "", ...rest] = value.split("/");
	const isOwn = domain === anyOwn || trustDomains?.includes(domain) === true;
	return isOwn && rest.length === 4 ? [trustDomains?.[0] ?? anyOwn, ...rest].join("/") : value;
}

/** A principal of another trust domain: it may be meant where nothing is known of the mesh's, and is not where it is known. */
function foreign(value: string, { namespace }: Client, trustDomains: TrustDomains): Verdict {
	const at = value.indexOf(`/ns/${namespace}/`);
	return trustDomains === undefined && at > 0 && value.slice(0, at) !== anyOwn ? "possible" : "never";
}

/** What holds where both hold. Most questions are answered for everyone, so that those cost nothing. */
export function andMatch(one: Match, other: Match): Match {
	if (one === other || other.isEveryone === true) {
		return one;
	}
	return one.isEveryone === true
		? other
		: { certain: both(one.certain, other.certain), possible: both(one.possible, other.possible) };
}

/** What holds where either holds. */
export function orMatch(one: Match, other: Match): Match {
	if (one === other || other.isNobody === true) {
		return one;
	}
	return one.isNobody === true
		? other
		: { certain: either(one.certain, other.certain), possible: either(one.possible, other.possible) };
}

/** What holds where it does not. */
export function notMatch(match: Match, everyone: Match): Match {
	return {
		certain: except(everyone.certain, match.possible),
		possible: except(everyone.possible, match.certain),
	};
}
