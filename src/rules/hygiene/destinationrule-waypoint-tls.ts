import { ChangedInventory } from "../../core/changed-inventory.ts";
import type { Path, Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import type { ClientTls, DestinationRule } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import type { WaypointEntry, WaypointPort } from "../../istio/capture/tls-loss.ts";
import { encrypts, entriesOfHost, hostsAt, originationsOf } from "../../istio/capture/tls-loss.ts";
import { hasSelector, rememberRulesOf } from "../../istio/capture/tls-origination.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { httpEntry } from "../attachment/examples.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";

function originating(mode: string): DestinationRule {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "payments", namespace: "team" },
		spec: { host: "api.payments.example.com", trafficPolicy: { tls: { mode } } },
	};
}

/** A DestinationRule for a host behind a waypoint says of TLS what the waypoint can do. */
export const destinationruleWaypointTls: Rule<"DestinationRule"> = {
	id: "destinationrule-waypoint-tls",
	kind: "DestinationRule",
	family: "hygiene",
	severity: "warning",
	reads: [...targetingReads, "DestinationRule", "BackendTLSPolicy"],
	confirms: targetingConfirms.filter((kind) => kind === "Service" || kind === "Namespace"),
	fixable: false,
	docs: {
		summary: "A DestinationRule for a host behind a waypoint should say of TLS what a waypoint can do",
		why: "A waypoint passes over a DestinationRule with a workloadSelector, whichever pods it selects. It takes mode ISTIO_MUTUAL for no TLS: a server outside the mesh knows no identity of the mesh anyway. It looks for the Secret of credentialName in its own namespace, not in that of the rule. In each case the requests leave in plain text, or not at all, and nothing says so.",
		fix: "Write mode SIMPLE, or MUTUAL with a Secret in the waypoint's namespace, without workloadSelector.",
		sources: [
			"istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointTLSContext",
			"istio/istio pilot/pkg/model/sidecar.go: DestinationRule",
			"istio/istio pilot/pkg/xds/sds.go: filterAuthorizedResources",
		],
		since: "0.1.0",
		good: originating("SIMPLE"),
		bad: originating("ISTIO_MUTUAL"),
		given: [teamNamespace, egressNamespace, egressWaypoint, httpEntry],
	},
	*check(rule, context) {
		const [found] = entriesOfHost(rule.spec?.host ?? "", context.inventory);
		if (found === undefined) {
			return;
		}
		const { waypoint } = found;
		if (hasSelector(rule)) {
			if (saysSomethingOfTls(rule)) {
				yield {
					path: ["spec", "workloadSelector"],
					message: `The waypoint ${formatWaypoint(waypoint)} passes over a DestinationRule with a workloadSelector, so it originates no TLS by this one for ${quote(rule.spec?.host ?? "")}`,
					hint: "Remove workloadSelector",
				};
			}
			return;
		}
		const ports = portsInForce(rule, found, context);
		for (const { tls, path, port } of tlsSettings(rule)) {
			const reached = ports.filter((each) => port === undefined || each.port.number === port);
			yield* modeProblems(tls, path, reached);
			if (encrypts({ mode: tls.mode ?? "", source: "", isWholeHost: false }) && reached.length > 0) {
				yield* credentialProblems(tls, path, waypoint.namespace, context);
			}
		}
	},
};

interface TlsSettings {
	readonly tls: ClientTls;
	readonly path: Path;
	/** Undefined for the settings of the whole host. */
	readonly port: number | undefined;
}

function tlsSettings({ spec }: DestinationRule): readonly TlsSettings[] {
	const { tls, portLevelSettings } = spec?.trafficPolicy ?? {};
	const base = ["spec", "trafficPolicy"];
	return [
		...(tls ? [{ tls, path: [...base, "tls"], port: undefined }] : []),
		...(portLevelSettings ?? []).flatMap((level, index) =>
			level.tls
				? [
						{
							tls: level.tls,
							path: [...base, "portLevelSettings", index, "tls"],
							port: level.port?.number ?? 0,
						},
					]
				: [],
		),
	];
}

function saysSomethingOfTls(rule: DestinationRule): boolean {
	return tlsSettings(rule).some(({ tls }) =>
		encrypts({ mode: tls.mode ?? "", source: "", isWholeHost: false }),
	);
}

/** The ports of an entry for which the settings would be those of this rule; of hosts with the same rules the first. */
function portsInForce(
	object: DestinationRule,
	found: WaypointEntry,
	{ namespace, name, inventory }: RuleContext,
): readonly WaypointPort[] {
	const change = { kind: "DestinationRule" as const, namespace, name: name ?? "", object };
	const then = new ChangedInventory(inventory, change);
	const rulesOf = rememberRulesOf();
	const source = `DestinationRule ${namespace}/${name ?? ""}`;
	const { ports } = specOf(found.entry);
	return [...hostsAt(found, (host) => rulesOf(host, then))].flatMap((each) => {
		const tls = originationsOf(each, then, rulesOf);
		return ports.filter((port) => tls(port)?.source === source).map((port) => ({ ...each, port }));
	});
}

function* modeProblems(tls: ClientTls, path: Path, reached: readonly WaypointPort[]): Iterable<Problem> {
	const plain = reached.find(({ port }) => isProtocolOf("http", port.protocol));
	if (tls.mode === "ISTIO_MUTUAL" && reached.length > 0) {
		const { port, host, waypoint } = plain ?? reached[0] ?? {};
		yield {
			path: [...path, "mode"],
			message: `Mode ISTIO_MUTUAL has no effect at the waypoint ${waypoint === undefined ? "" : formatWaypoint(waypoint)}, so what clients send to port ${port?.number ?? 0} of ${quote(host ?? "")} leaves as it is`,
			hint:
				plain === undefined
					? "Remove the tls settings"
					: "Write mode SIMPLE; a server outside the mesh knows no identity of the mesh",
		};
	}
	const forTls = reached.find(
		({ port }) => isProtocolOf("http", port.protocol) && port.targetPort === 443 && port.number !== 443,
	);
	if (tls.mode === "DISABLE" && forTls !== undefined) {
		yield {
			path: [...path, "mode"],
			message: `Plain HTTP leaves the waypoint ${formatWaypoint(forTls.waypoint)} for port 443 of ${quote(forTls.host)}, since mode DISABLE originates no TLS for port ${forTls.port.number}`,
			hint: "Write mode SIMPLE",
		};
	}
}

function* credentialProblems(
	{ credentialName }: ClientTls,
	path: Path,
	waypointNamespace: string,
	{ namespace }: RuleContext,
): Iterable<Problem> {
	if (credentialName && waypointNamespace !== namespace) {
		yield {
			path: [...path, "credentialName"],
			message: `A waypoint looks for the Secret ${mention(credentialName)} in its own namespace, ${mention(waypointNamespace)}, and needs the right to list Secrets there; one in ${mention(namespace)} is never found`,
			hint: `Put the Secret into ${mention(waypointNamespace)}, and let the waypoint's ServiceAccount list Secrets there by a Role`,
		};
	}
}
