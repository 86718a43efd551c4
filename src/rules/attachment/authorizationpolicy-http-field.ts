import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { AuthorizationPolicy, AuthorizationRule, ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { isOnTrial, namesHttp } from "../../istio/attachment/authorization.ts";
import {
	entryKey,
	targetedEntries,
	targetedWaypoints,
	targetingConfirms,
	targetingReads,
} from "../../istio/attachment/targets.ts";
import type { EntryPort } from "../../istio/entry/entry.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { entriesAskingFor } from "../../istio/waypoint/losses.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { toEntry } from "./examples.ts";

function reading(operation: object): AuthorizationPolicy {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry("payments")], action: "ALLOW", rules: [{ to: [{ operation }] }] },
	};
}

/** An AuthorizationPolicy says nothing of requests on a port whose requests the waypoint cannot read. */
export const authorizationpolicyHttpField: Rule<"AuthorizationPolicy"> = {
	id: "authorizationpolicy-http-field",
	kind: "AuthorizationPolicy",
	family: "attachment",
	severity: "warning",
	reads: [...targetingReads, "AuthorizationPolicy"],
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary: "An AuthorizationPolicy should say nothing of requests for a port that passes as TCP",
		why: "On a port of protocol TLS, HTTPS or TCP the waypoint sees connections and no requests. A rule of an ALLOW policy that names methods, paths, hosts or tokens is left out there, so that nothing is let through. A DENY policy keeps the rest of the rule, so that it refuses more than was meant.",
		fix: "Limit the rule to HTTP ports by operation.ports, let the waypoint originate TLS so that it reads requests, or say for the port who may connect: principals, namespaces, connection.sni.",
		sources: [
			"istio/istio pilot/pkg/security/authz/model/model.go: Generate",
			"istio.io docs: reference/config/security/authorization-policy",
		],
		since: "0.1.0",
		good: reading({ ports: ["443"] }),
		bad: reading({ methods: ["GET"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
	},
	*check(policy, context) {
		const action = policy.spec?.action ?? "ALLOW";
		const rules = policy.spec?.rules ?? [];
		if (!rules.some(namesHttp) || isOnTrial(policy) || (action !== "ALLOW" && action !== "DENY")) {
			return;
		}
		const entry = entryWithConnections(policy, context);
		if (entry === undefined) {
			return;
		}
		for (const port of connectionPorts(entry)) {
			if (action === "DENY") {
				yield* widened(rules, port, entry);
			} else if (letsNothingThrough(policy, rules, port, entry, context)) {
				yield {
					path: ["spec", "rules"],
					message: `${nameOf(port, entry)} passes as TCP, where no rule can read requests: each that names something of them is left out, so nothing is let through`,
					hint: "Add a rule for this port without methods, paths, hosts and tokens, or let the waypoint originate TLS",
				};
			}
		}
	},
};

/** The first entry at which the policy holds that has ports on which no requests are read. */
function entryWithConnections(policy: AuthorizationPolicy, context: RuleContext): ServiceEntry | undefined {
	const { namespace, inventory } = context;
	for (const { entry } of targetedEntries(policy, context)) {
		if (connectionPorts(entry).length > 0) {
			return entry;
		}
	}
	for (const { target } of targetedWaypoints(policy, context)) {
		for (const entry of entriesAskingFor({ namespace, name: target.name }, inventory)) {
			if (connectionPorts(entry).length > 0) {
				return entry;
			}
		}
	}
	return undefined;
}

function connectionPorts(entry: ServiceEntry): readonly EntryPort[] {
	return specOf(entry).ports.filter(({ protocol }) => isProtocolOf("tcp", protocol));
}

function* widened(
	rules: readonly AuthorizationRule[],
	port: EntryPort,
	entry: ServiceEntry,
): Iterable<Problem> {
	for (const [index, rule] of rules.entries()) {
		if (namesHttp(rule) && isForPort(rule, port.number)) {
			yield {
				path: ["spec", "rules", index],
				message: `${nameOf(port, entry)} passes as TCP, where requests cannot be read: what the rule says of them is left out there, so it refuses every connection that the rest of it is about`,
				hint: "Limit the rule to HTTP ports by operation.ports, or let the waypoint originate TLS",
			};
		}
	}
}

function letsNothingThrough(
	policy: AuthorizationPolicy,
	rules: readonly AuthorizationRule[],
	port: EntryPort,
	{ metadata }: ServiceEntry,
	{ inventory }: RuleContext,
): boolean {
	const isMeant = rules.some((rule) => namesHttp(rule) && isForPort(rule, port.number));
	const opens = (rule: AuthorizationRule): boolean => !namesHttp(rule) && isForPort(rule, port.number);
	if (!isMeant || rules.some(opens)) {
		return false;
	}
	const key = entryKey(metadata?.namespace ?? "", metadata?.name ?? "");
	for (const other of inventory.lookup("authorizationPolicyByTarget", key)) {
		const isAllow = (other.spec?.action ?? "ALLOW") === "ALLOW" && !isOnTrial(other);
		if (other.metadata?.name !== policy.metadata?.name && isAllow && (other.spec?.rules ?? []).some(opens)) {
			return false;
		}
	}
	return true;
}

/** Whether a rule is about a port: some operation names it, or none names ports. */
function isForPort({ to }: AuthorizationRule, number: number): boolean {
	const operations = to ?? [];
	return (
		operations.length === 0 ||
		operations.some(({ operation }) => {
			const ports = operation?.ports ?? [];
			return (
				(ports.length === 0 || ports.includes(String(number))) &&
				!(operation?.notPorts ?? []).includes(String(number))
			);
		})
	);
}

function nameOf({ number, protocol }: EntryPort, { metadata }: ServiceEntry): string {
	return `Port ${number} (${mention(protocol)}) of ServiceEntry ${mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`)}`;
}
