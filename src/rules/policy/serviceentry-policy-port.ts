import { celMostPorts } from "../../core/cel.ts";
import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned, machinesOf } from "../../istio/entry/border.ts";
import { specOf } from "../../istio/entry/entry.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../examples.ts";
import { forbiddenPort, forbiddenServicePort, limitsPorts } from "./limits.ts";

const inRange = "r.from <= n && n <= r.to";
const leaving = (number: string, text: string): string =>
	`Traffic would leave for port {string(${text})}, which is not among the ports that {[${number}].map(n, variables.allowedPorts.filter(l, !l.of.exists(r, ${inRange})))[0][0].by}`;
const rangeCount = "variables.allowedPorts.map(l, l.of.size()).sum()";
const portsToJudge = `(e.governed && variables.allowedPorts.size() > 0 &&
  variables.objects.size() * e.ports.size() * ${rangeCount} <= ${celMostPorts} ? e.ports : [])`;

/** The ports of an external ServiceEntry are ones that its namespace and the cluster allow. */
export const serviceentryPolicyPort: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-port",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary:
			"Every port of an external ServiceEntry must be allowed by the cluster's limits and by the namespace",
		why: "An allowance may bind a port to a protocol: 443/TLS allows TLS on 443, and refuses plain HTTP on 443, which would leave the cluster unencrypted. The port that leaves the cluster counts too: a targetPort, and the ports of endpoints and of the machines that a selector finds.",
		fix: "Use an allowed port, or ask the security team to add it to egress.waymark.dev/allowed-ports.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, {
			ports: [
				{ number: 443, name: "tls", protocol: "TLS" },
				{ number: 8443, name: "admin", protocol: "TLS" },
			],
		}),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-ports": "443/TLS, 80/HTTP",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: limitsPorts,
	*check(entry, context) {
		const { allowedPorts } = context.policy;
		if (allowedPorts.length === 0 || !isGoverned(entry, context)) {
			return;
		}
		for (const [index, port] of (entry.spec?.ports ?? []).entries()) {
			yield* forbiddenServicePort(port, ["spec", "ports", index, "number"], context.policy);
			yield* forbiddenPort(port.targetPort, ["spec", "ports", index, "targetPort"], context.policy);
		}
		for (const [index, endpoint] of (entry.spec?.endpoints ?? []).entries()) {
			for (const [name, number] of Object.entries(endpoint.ports ?? {})) {
				yield* forbiddenPort(number, ["spec", "endpoints", index, "ports", name], context.policy);
			}
		}
		yield* machinePorts(entry, context);
	},
	cel: {
		isCostly: true,
		gap: "the ports of WorkloadEntries that it selects",
		problems: [
			{
				each: ["p", portsToJudge],
				when: `[p.?number.orValue(0)].exists(n, variables.allowedPorts.exists(l, !l.of.exists(r,
  ${inRange} && r.protocol in ['', p.?protocol.orValue('').lowerAscii()])))`,
				path: "spec.ports",
				message: `Port {string(p.?number.orValue(0))} with protocol "{p.?protocol.orValue('')}" is not among the ports that {[p.?number.orValue(0)].map(n, variables.allowedPorts.filter(l, !l.of.exists(r, ${inRange} && r.protocol in ['', p.?protocol.orValue('').lowerAscii()])))[0][0].by}`,
				hint: "Use an allowed port and protocol, or ask the security team",
			},
			{
				each: ["p", portsToJudge],
				when: `[p.?targetPort.orValue(0)].exists(n, n != 0 &&
  variables.allowedPorts.exists(l, !l.of.exists(r, ${inRange})))`,
				path: "spec.ports.targetPort",
				message: `${leaving("p.targetPort", "p.targetPort")}, from port {string(p.?number.orValue(0))}`,
				hint: "Use an allowed port, or ask the security team",
			},
			{
				// CEL cannot make one list of many, but of texts it can: NUMBER=NAME=ADDRESS. With another address it is a new mistake.
				each: [
					"k",
					`(!e.governed || e.portMaps.map(x, x.ports.size()).sum() * ${rangeCount} > ${celMostPorts} ? [] :
  e.portMaps.map(x, x.ports.map(k, string(x.ports[k]) + '=' + k.replace(' ', '') + '=' +
    x.?address.orValue('').replace(' ', '')).join(' ')).join(' ').split(' ').filter(k, k != ''))`,
				],
				when: `[int(k.split('=')[0])].exists(n, n != 0 &&
  variables.allowedPorts.exists(l, !l.of.exists(r, ${inRange})))`,
				path: "spec.endpoints.ports.{k.split('=')[1]}",
				message: `${leaving("int(k.split('=')[0])", "k.split('=')[0]")}, at endpoint "{k.split('=')[2]}"`,
				hint: "Use an allowed port, or ask the security team",
			},
		],
	},
};

/** The ports of machines that were there before the entry, or before the policy. */
function* machinePorts(entry: ServiceEntry, context: RuleContext): Iterable<Problem> {
	const { selector } = specOf(entry);
	for (const { metadata, spec } of selector === undefined ? [] : machinesOf(selector, context)) {
		for (const number of Object.values(spec?.ports ?? {})) {
			for (const problem of forbiddenPort(number, ["spec", "workloadSelector"], context.policy)) {
				yield { ...problem, message: `WorkloadEntry ${mention(metadata?.name ?? "")}: ${problem.message}` };
			}
		}
	}
}
