import type { Inventory } from "../core/inventory.ts";
import type { Policy } from "../core/policy.ts";
import { specOf } from "../istio/entry/entry.ts";
import type { Followed, Route, RouteQuestion } from "../trace/route.ts";
import { followRoute } from "../trace/route.ts";
import type { Step } from "../trace/steps.ts";
import type { Ruling } from "./authorization.ts";
import { indexPolicies, rule } from "./authorization.ts";
import { hasBit } from "./bits.ts";
import { crossingOf } from "./reach.ts";
import { listClients } from "./sources.ts";
import { spokenPart } from "./verdicts.ts";
import type { PolicyLine } from "./word.ts";
import { allowanceOf, lineText, refusalOf, weightOf } from "./word.ts";

/** Whose pods of the namespace ask; undefined: any. */
export interface ReachQuestion extends RouteQuestion {
	readonly serviceAccount: string | undefined;
}

/** The way of a connection, with what the client's policy says of it and what the waypoint makes of that. */
export function traceReach(question: ReachQuestion, inventory: Inventory, today: string): Route {
	const followed = followRoute(question, inventory);
	const { route } = followed;
	if (followed.isInside) {
		return route;
	}
	const guard = guardOf(question, followed, inventory);
	const word = wordOf(question, followed, inventory, today);
	const steps = [...route.steps, ...policySteps(question, followed, word, guard)];
	const isRefused = route.outcome.kind === "waypoint" && guard?.verdict === "refused";
	return isRefused
		? {
				...route,
				steps,
				outcome: {
					kind: "refused",
					waypoint: route.outcome.waypoint,
					text: `refused at ${route.outcome.waypoint}`,
				},
			}
		: { ...route, steps };
}

/** What the client's policy says. */
interface Word {
	readonly policy: Policy;
	readonly refusal: PolicyLine | undefined;
	/** The refusal is about the service account. */
	readonly isAccount: boolean;
	/** What is refused: the host, with the port where that is the reason. */
	readonly text: string;
	readonly isWatched: boolean;
}

function wordOf(
	{ from, serviceAccount, port }: ReachQuestion,
	{ route, answer }: Followed,
	inventory: Inventory,
	today: string,
): Word {
	const policy = inventory.policy(from);
	const spoken = spokenPart(policy, inventory.settings);
	const declared = answer === undefined ? undefined : specOf(answer.entry).ports;
	const protocol = declared?.find((each) => each.number === port)?.protocol;
	const destination = {
		host: route.host,
		port: protocol === undefined ? undefined : port,
		protocol: protocol ?? "",
	};
	const refusal = refusalOf(spoken, destination);
	const accounts = policy.allowedServiceAccounts;
	const isAccount =
		refusal === undefined &&
		serviceAccount !== undefined &&
		accounts !== undefined &&
		!accounts.includes(serviceAccount) &&
		weightOf(policy, inventory.settings) !== "ignored";
	const exemption = refusal === undefined ? undefined : policy.exemptions.get(ruleOf(refusal));
	return {
		policy,
		refusal,
		isAccount,
		text:
			refusal === undefined || refusal.list.endsWith("-hosts") ? route.host : `${route.host}:${route.port}`,
		isWatched:
			weightOf(policy, inventory.settings) === "watched" ||
			(exemption !== undefined && today <= exemption.until),
	};
}

function ruleOf({ list }: PolicyLine): string {
	return list.endsWith("-hosts")
		? "serviceentry-policy-host"
		: list === "allowed-ports"
			? "serviceentry-policy-port"
			: "serviceentry-policy-protocol";
}

/** What the waypoint's AuthorizationPolicies do to the connection. */
interface Guard {
	readonly verdict: "open" | "refused" | "partly" | "undecided";
	/** The policies behind it. */
	readonly policies: readonly string[];
}

function guardOf(
	{ from, serviceAccount, port }: ReachQuestion,
	{ route, answer }: Followed,
	inventory: Inventory,
): Guard | undefined {
	const { waypoint } = route.outcome;
	if (answer === undefined || waypoint === null || route.outcome.kind !== "waypoint") {
		return undefined;
	}
	const clients = listClients([{ namespace: from, serviceAccount }], inventory.mesh.trustDomains);
	const policies = indexPolicies(inventory);
	const place = { namespace: answer.namespace, name: answer.name };
	const attached = policies.attachedTo({ waypoint, entry: place });
	const ports = specOf(answer.entry).ports.filter((each) => port === undefined || each.number === port);
	const rulings = ports.map((each) =>
		rule(
			attached,
			crossingOf({ entry: answer.entry, declaredBy: place, capture: answer.capture }, each, waypoint),
			clients,
		),
	);
	return joined(rulings);
}

function joined(rulings: readonly Ruling[]): Guard {
	const isIn = (bits: Ruling["refused"]): boolean => hasBit(bits, 0);
	const refusing = rulings.filter(({ refused }) => isIn(refused));
	const policies = [
		...new Set(
			refusing.flatMap(({ by }) => by.filter(({ refused }) => isIn(refused)).map(({ policy }) => policy)),
		),
	];
	if (refusing.length > 0 && refusing.length === rulings.length) {
		return { verdict: "refused", policies };
	}
	if (refusing.length > 0 || rulings.some(({ partly }) => isIn(partly))) {
		return { verdict: "partly", policies };
	}
	return { verdict: rulings.some(({ unknown }) => isIn(unknown)) ? "undecided" : "open", policies };
}

function* policySteps(
	{ from, serviceAccount }: ReachQuestion,
	{ route, answer }: Followed,
	word: Word,
	guard: Guard | undefined,
): Iterable<Step> {
	const isForbidden = word.refusal !== undefined || word.isAccount;
	const isClosed = guard?.verdict === "refused" || route.outcome.kind === "blocked";
	if (isForbidden && !isClosed) {
		yield {
			mark: "bad",
			text: word.isAccount
				? `${from}'s policy does not allow service account ${serviceAccount} to reach ${word.text}, and nothing enforces it`
				: `${from}'s policy does not allow ${word.text}, and nothing enforces it`,
			details: [...because(word), ...whatWouldEnforce(route, answer !== undefined)],
		};
	} else if (isForbidden) {
		yield { mark: "good", text: `${from}'s policy does not allow ${word.text}`, details: because(word) };
	} else {
		yield allowed(from, route.host, word);
	}
	yield* guardSteps(from, guard, isForbidden);
}

function because({ refusal, isWatched, policy }: Word): readonly string[] {
	const line =
		refusal === undefined
			? "The annotation allowed-service-accounts does not name it"
			: refusal.item === undefined
				? `It is not in ${lineText(refusal)}`
				: `${lineText(refusal)} forbids it`;
	return isWatched
		? [
				line,
				`The policy is only watched there: ${policy.mode === "enforce" ? "an exemption holds" : `mode ${policy.mode}`}`,
			]
		: [line];
}

function whatWouldEnforce(route: Route, isAnswered: boolean): readonly string[] {
	if (route.outcome.kind === "waypoint") {
		return ["An AuthorizationPolicy at the waypoint would: waymark export authorization-policies writes it"];
	}
	return [
		isAnswered
			? "No waypoint is on the way: only a NetworkPolicy or a firewall can stop the connection"
			: "The mesh does not know the connection: only a NetworkPolicy or a firewall can stop it",
	];
}

function allowed(from: string, host: string, { policy }: Word): Step {
	const line = allowanceOf(policy, host);
	return line === undefined
		? { mark: "note", text: `No list of ${from}'s policy limits which hosts it reaches`, details: [] }
		: { mark: "good", text: `${from}'s policy allows ${host}: ${lineText(line)}`, details: [] };
}

function* guardSteps(from: string, guard: Guard | undefined, isForbidden: boolean): Iterable<Step> {
	const names = guard?.policies.slice(0, 4).join(", ") ?? "";
	if (guard?.verdict === "refused") {
		yield {
			mark: isForbidden ? "good" : "bad",
			text: `${from} is refused at the waypoint by AuthorizationPolicy ${names}`,
			details: isForbidden ? [] : [`${from}'s policy allows it`],
		};
	} else if (guard?.verdict === "partly") {
		yield {
			mark: "note",
			text: `AuthorizationPolicies at the waypoint refuse some of it${names === "" ? "" : `: ${names}`}`,
			details: ["It depends on the port, the request, the service account or the address"],
		};
	} else if (guard?.verdict === "undecided") {
		yield {
			mark: "note",
			text: "A CUSTOM AuthorizationPolicy at the waypoint asks its provider, which decides",
			details: [],
		};
	}
}
