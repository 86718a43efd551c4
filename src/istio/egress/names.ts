import { celPattern, celText } from "../../core/cel.ts";
import type { Settings } from "../../core/settings.ts";

type Labels = Readonly<Record<string, string>>;

/** The Service that Istio's own charts and every page of its documentation give an egress gateway. */
export const builtInService = "istio-egressgateway";

// manifests/charts/gateways/istio-egress; the gateway chart derives `app` and `istio` from the release's name.
const builtInPairs: readonly (readonly [string, string])[] = [
	["istio", "egressgateway"],
	["app", "istio-egressgateway"],
	["operator.istio.io/component", "EgressGateways"],
];

const egressWord = /(?:^|[-_.])egress(?:$|[-_.])|egress[-_]?(?:gateway|gw)/;
const gatewayWords =
	/egress[-_]?(?:gateways?|gw)(?:$|[-_.\d])|(?:^|[-_.])(?:gateway|gw)[-_]?egress(?:$|[-_.\d])/;
const besideGateway =
	/[-_.](?:metrics|monitor|monitoring|dashboard|ui|exporter|operator|controller|webhook|api|docs?|tests?|admin|health|logs?|logging|audit|config|reporter|report)$/;
const otherGateway = /ingress|east-?west/;

/** Whether a workload or Service name says egress gateway: `egress-gw`, `istio-egressgateway-with-sni-proxy`. */
export function saysEgressGateway(name: string): boolean {
	const text = name.toLowerCase();
	return (
		(gatewayWords.test(text) || text === "istio-egress") &&
		!besideGateway.test(text) &&
		!otherGateway.test(text)
	);
}

/** Whether a name has the word egress in it, which needs other evidence beside it. */
export function mentionsEgress(name: string): boolean {
	const text = name.toLowerCase();
	return egressWord.test(text) && !besideGateway.test(text);
}

/** Whether a name is that of an ingress or east-west gateway. */
export function saysOtherGateway(name: string): boolean {
	return otherGateway.test(name.toLowerCase());
}

/**
 * Whether labels, of a gateway's pods or in a selector for them, are those of an egress gateway: the configured
 * sets, the built-in pairs, and what the gateway chart makes of a release whose name says egress
 * (manifests/charts/gateway/templates/_helpers.tpl: `istio` is the release's name without `istio-`).
 */
export function areEgressLabels(labels: Labels | null | undefined, settings: Settings): boolean {
	return egressPair(labels, settings) !== undefined;
}

/**
 * Whether the labels of a Service itself mark an egress gateway: a set that the configuration names, or a pair that
 * Istio's charts write. What else a value says is no evidence, for it may be the name of a waypoint or a team.
 */
export function areMarkedEgress(labels: Labels | null | undefined, settings: Settings): boolean {
	if (labels === null || labels === undefined || Object.keys(labels).length === 0) {
		return false;
	}
	return isConfiguredSet(labels, settings) || builtInPair(labels) !== undefined;
}

function isConfiguredSet(labels: Labels, { egressGateways }: Settings): boolean {
	return egressGateways.labels.some((set) => isSubset(set, labels) || isSubset(labels, set));
}

function builtInPair(labels: Labels): string | undefined {
	return builtInPairs.find(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)?.[0];
}

/** The label that makes labels those of an egress gateway, as a key; "" when a configured set does. */
export function egressPair(labels: Labels | null | undefined, settings: Settings): string | undefined {
	const entries = Object.entries(labels ?? {});
	if (labels === null || labels === undefined || entries.length === 0) {
		return undefined;
	}
	if (isConfiguredSet(labels, settings)) {
		return "";
	}
	const builtIn = builtInPair(labels);
	if (builtIn !== undefined) {
		return builtIn;
	}
	if (entries.some(([, value]) => saysOtherGateway(value))) {
		return undefined;
	}
	return entries.find(([key, value]) =>
		key === "istio" ? mentionsEgress(value) : saysEgressGateway(value),
	)?.[0];
}

/** Whether labels are those of a gateway for another direction: `istio: ingressgateway`, `istio: eastwestgateway`. */
export function areOtherGatewayLabels(labels: Labels | null | undefined): boolean {
	return Object.values(labels ?? {}).some(saysOtherGateway);
}

/** Whether every label of one set stands in the other. */
export function isSubset(part: Labels, whole: Labels): boolean {
	return Object.entries(part).every(([key, value]) => Object.hasOwn(whole, key) && whole[key] === value);
}

/** `saysEgressGateway` in CEL. */
export function celSaysEgressGateway(name: string): string {
	const words = celPattern(`${gatewayWords.source}|^istio-egress$`);
	const others = celPattern(`${besideGateway.source}|${otherGateway.source}`);
	return `[${name}.lowerAscii()].exists(t, t.matches(${words}) && !t.matches(${others}))`;
}

function celMentionsEgress(name: string): string {
	return `[${name}.lowerAscii()].exists(t, t.matches(${celPattern(egressWord.source)}) &&
    !t.matches(${celPattern(besideGateway.source)}))`;
}

/** `areEgressLabels` in CEL; the sets that the configuration names are `variables.egressLabels`. */
export function celEgressLabels(labels: string): string {
	const builtIn = builtInPairs
		.map(([key, value]) => `${labels}[?${celText(key)}].orValue('') == ${celText(value)}`)
		.join(" ||\n  ");
	return `${labels}.size() > 0 && (variables.egressLabels.exists(s,
    s.all(k, ${labels}[?k].orValue('') == s[k]) || ${labels}.all(k, s[?k].orValue('') == ${labels}[k])) ||
  ${builtIn} ||
  !${labels}.exists(k, ${labels}[k].lowerAscii().matches(${celPattern(otherGateway.source)})) &&
  ${labels}.exists(k, k == 'istio' ? ${celMentionsEgress(`${labels}[k]`)} : ${celSaysEgressGateway(`${labels}[k]`)}))`;
}
