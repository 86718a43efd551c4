import type { Path, Problem } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import { canonicalHost, covers, parseHostPattern } from "../../core/host-pattern.ts";
import type { DestinationRule, TrafficPolicy } from "../../core/kinds.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { serviceOfHost } from "../../core/service-names.ts";
import { isOutsideHost, outsideName } from "../../istio/entry/border.ts";
import { egressNamespace, egressWaypoint } from "../examples.ts";
import { limitedNamespace } from "./examples.ts";
import { forbiddenHost, forbiddenPort } from "./limits.ts";

function originating(tls: object): DestinationRule {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			host: "api.payments.example.com",
			trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: "SIMPLE", ...tls } }] },
		},
	};
}

/** A DestinationRule for an outside host names no server, tunnel or port that its namespace may not reach. */
export const destinationrulePolicyTls: Rule<"DestinationRule"> = {
	id: "destinationrule-policy-tls",
	kind: "DestinationRule",
	family: "policy",
	severity: "error",
	reads: ["Namespace", "Service"],
	confirms: ["Service"],
	fixable: false,
	docs: {
		summary:
			"A DestinationRule for an outside host must name no server or tunnel that its namespace may not reach, and should check who answers",
		why: "Where a waypoint originates TLS, the SNI decides which of the hosts behind an address answers, so a foreign SNI reaches a host that the policy forbids. A tunnel asks whatever answers to connect to any host and port. A Service that is an alias (ExternalName) of a host outside is such a host. With insecureSkipVerify nobody checks the server's certificate, so anybody on the way can be the server.",
		fix: "Leave sni out, so that the host's own name is sent, and remove tunnel and insecureSkipVerify.",
		sources: [
			"istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIPCluster",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: originating({ sni: "api.payments.example.com" }),
		bad: originating({ sni: "files.example.org" }),
		given: [limitedNamespace, egressNamespace, egressWaypoint],
	},
	check: tlsPolicyProblems,
};

/** What a namespace's policy says of the servers and tunnels that a DestinationRule names. */
export function* tlsPolicyProblems(rule: DestinationRule, context: RuleContext): Generator<Problem> {
	const { policy, requester, inventory } = context;
	const host = rule.spec?.host ?? "";
	const isLimited =
		policy.allowedHosts.length > 0 ||
		policy.deniedHosts.length > 0 ||
		(policy.waypoint !== undefined &&
			policy.waypoint !== "none" &&
			policy.waypointSource !== "namespace label");
	if (!isLimited || staysInside(host, context) || isPolicyEditor(requester, inventory.settings)) {
		return;
	}
	yield* settingsProblems(rule.spec?.trafficPolicy, ["spec", "trafficPolicy"], host, context);
	for (const [index, { trafficPolicy }] of (rule.spec?.subsets ?? []).entries()) {
		yield* settingsProblems(trafficPolicy, ["spec", "subsets", index, "trafficPolicy"], host, context);
	}
}

/** Whether a host is a Service of the cluster that is no alias of a name outside. */
function staysInside(host: string, { namespace, inventory }: RuleContext): boolean {
	const service = serviceOfHost(host, namespace);
	if (service === undefined || (service.partial && isOutsideHost(host, inventory))) {
		return false;
	}
	const full = `${service.name}.${service.namespace}.svc.${inventory.mesh.clusterDomain}`;
	return (
		inventory.get("Service", service.namespace, service.name)?.spec?.type !== "ExternalName" ||
		outsideName(full, inventory) === undefined
	);
}

function* settingsProblems(
	settings: TrafficPolicy | null | undefined,
	base: Path,
	host: string,
	{ policy }: RuleContext,
): Generator<Problem> {
	const levels = settings?.portLevelSettings ?? [];
	for (const { tls, path } of [
		{ tls: settings?.tls, path: [...base, "tls"] },
		...levels.map((level, index) => ({ tls: level.tls, path: [...base, "portLevelSettings", index, "tls"] })),
	]) {
		if (tls?.sni && !isNameOf(tls.sni, host)) {
			yield* forbiddenHost("SNI", canonicalHost(tls.sni), [...path, "sni"], policy);
		}
		if (tls?.insecureSkipVerify === true) {
			yield {
				path: [...path, "insecureSkipVerify"],
				severity: "warning",
				message: `Nobody checks that it is ${quote(host)} that answers, so anybody on the way can`,
				hint: "Remove insecureSkipVerify; a private authority is named by caCertificates or credentialName",
			};
		}
	}
	const { targetHost, targetPort } = settings?.tunnel ?? {};
	if (targetHost) {
		yield* forbiddenHost("Tunnel", canonicalHost(targetHost), [...base, "tunnel", "targetHost"], policy);
		yield* forbiddenPort(targetPort, [...base, "tunnel", "targetPort"], policy);
	}
}

function isNameOf(sni: string, host: string): boolean {
	const pattern = parseHostPattern(host);
	return canonicalHost(sni) === canonicalHost(host) || (pattern !== undefined && covers(pattern, sni));
}
