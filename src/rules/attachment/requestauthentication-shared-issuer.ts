import { mention, quote } from "../../core/finding.ts";
import type { AnyObject, AuthorizationPolicy, RequestAuthentication } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import {
	entriesAtSharedWaypoint,
	targetingConfirms,
	targetingReads,
	waypointKeys,
} from "../../istio/attachment/targets.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { developer, editors, sharedWaypoint, toEgress, toEntry } from "./examples.ts";
import { severityForTenants } from "./tenants.ts";

function trusting(jwtRules: readonly object[]): RequestAuthentication {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "RequestAuthentication",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry("payments")], jwtRules },
	} as RequestAuthentication;
}

const tokensOnly: AnyObject = {
	apiVersion: "security.istio.io/v1",
	kind: "AuthorizationPolicy",
	metadata: { name: "tokens-only", namespace: "istio-egress" },
	spec: {
		targetRefs: [toEgress],
		action: "ALLOW",
		rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }],
	},
} as AnyObject;

/** A tenant's issuers of tokens do not count where the policies of a shared waypoint ask for tokens. */
export const requestauthenticationSharedIssuer: Rule<"RequestAuthentication"> = {
	id: "requestauthentication-shared-issuer",
	kind: "RequestAuthentication",
	family: "attachment",
	severity: "error",
	reads: [...targetingReads, "AuthorizationPolicy", "RequestAuthentication"],
	confirms: targetingConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary:
			"A RequestAuthentication must not add issuers of tokens to those of a shared waypoint unless a policy editor writes it",
		why: "The issuers of all RequestAuthentications that hold for a host are joined. A team that adds one for its own ServiceEntry signs the tokens itself by which the policies of the waypoint decide. Refused is who is no policy editor; where the configuration names none, it is a warning.",
		fix: "Ask the security team to trust the issuer.",
		sources: ["istio/istio pilot/pkg/model/authentication.go: getConfigsForWorkload"],
		since: "0.1.0",
		good: trusting([]),
		bad: trusting([{ issuer: "https://issuer.example.com" }]),
		given: [...sharedWaypoint, tokensOnly],
		settings: editors,
		requester: developer,
	},
	*check(object, context) {
		const severity = severityForTenants(context, object);
		const [rule] = object.spec?.jwtRules ?? [];
		if (severity === undefined || rule === undefined) {
			return;
		}
		for (const { target, entry, waypoint } of entriesAtSharedWaypoint(object, context)) {
			const other = readerOfTokens(waypoint, context);
			if (other !== undefined) {
				yield {
					path: target.path,
					severity,
					message: `Tokens of issuer ${quote(rule.issuer ?? "")} would count at ${formatWaypoint(waypoint)} for ServiceEntry ${mention(entry.metadata?.name ?? "")}, where ${other} decides by tokens`,
					hint: "Ask the security team to trust the issuer",
				};
			}
		}
	},
};

/** What of the waypoint's own asks for tokens: its issuers, or a policy that reads them. */
function readerOfTokens(waypoint: WaypointReference, { inventory }: RuleContext): string | undefined {
	for (const key of waypointKeys(waypoint, inventory)) {
		for (const { metadata } of inventory.lookup("requestAuthenticationByTarget", key)) {
			return `RequestAuthentication ${mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`)}`;
		}
		for (const policy of inventory.lookup("authorizationPolicyByTarget", key)) {
			if (readsTokens(policy)) {
				const { metadata } = policy;
				return `AuthorizationPolicy ${mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`)}`;
			}
		}
	}
	return undefined;
}

function readsTokens({ spec }: AuthorizationPolicy): boolean {
	return (spec?.rules ?? []).some(
		({ from, when }) =>
			(from ?? []).some(
				({ source }) =>
					(source?.requestPrincipals ?? []).length > 0 || (source?.notRequestPrincipals ?? []).length > 0,
			) || (when ?? []).some(({ key }) => (key ?? "").startsWith("request.auth.")),
	);
}
