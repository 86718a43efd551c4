import { canonicalHost } from "../core/host-pattern.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, textOf, textsOf } from "./fields.ts";

/** A DestinationRule and where it stands. */
export interface PlacedRule {
	readonly namespace: string;
	readonly object: Fields;
}

/** Who asks istiod for the DestinationRule of a host: a proxy, about a service. */
export interface RuleReader {
	/** The namespace of the proxy. */
	readonly proxy: string;
	/** The namespaces in which the host's ServiceEntry may stand. */
	readonly service: readonly string[];
	/** The root namespace of the mesh. */
	readonly root: string;
	/** Whether a workloadSelector selects the pods of the proxy. */
	selects(labels: Fields): boolean;
}

/** The host that a DestinationRule is for, in canonical form; it may begin with `*`. */
export function ruleHost({ object }: Pick<PlacedRule, "object">): string {
	return canonicalHost(textOf(fieldsOf(object.spec).host) ?? "");
}

/** Whether a DestinationRule's host is another one, or a wildcard for it, as istiod compares them. */
export function isRuleFor(host: string, rule: Pick<PlacedRule, "object">): boolean {
	const own = ruleHost(rule);
	return own === host || (own.startsWith("*") && host.replace(/^\*/, "").endsWith(own.slice(1)));
}

/**
 * The DestinationRules that hold for a host at a proxy: of the first of the proxy's, the service's and the root
 * namespace that has one for it, those with the most specific host, which istiod merges (Istio
 * pilot/pkg/model/push_context.go: destinationRule, pilot/pkg/model/config.go: MostSpecificHostMatch).
 */
export function rulesInForce<T extends PlacedRule>(
	host: string,
	rules: readonly T[],
	reader: RuleReader,
): readonly T[] {
	const { proxy, service, root } = reader;
	const own = rules.filter(
		(rule) => rule.namespace === proxy && (proxy === root ? isPrivate(rule) : isForOwn(rule)),
	);
	const found = mostSpecific(host, own);
	if (found.length > 0) {
		return selected(found, reader);
	}
	for (const namespace of [...service, root]) {
		const exported = rules.filter((rule) => rule.namespace === namespace && !isPrivate(rule));
		const visible = mostSpecific(host, exported).filter((rule) => isExportedTo(proxy, rule));
		if (visible.length > 0) {
			return selected(visible, reader);
		}
	}
	return [];
}

function mostSpecific<T extends PlacedRule>(host: string, rules: readonly T[]): readonly T[] {
	const possible = rules.filter((rule) => isRuleFor(host, rule));
	const exact = possible.filter((rule) => ruleHost(rule) === host);
	const longest = Math.max(0, ...possible.map((rule) => ruleHost(rule).length));
	return exact.length > 0 ? exact : possible.filter((rule) => ruleHost(rule).length === longest);
}

/** A rule for the proxy's own pods goes before those for every pod. */
function selected<T extends PlacedRule>(rules: readonly T[], { selects }: RuleReader): readonly T[] {
	const own = rules.filter((rule) => selectorOf(rule) !== undefined && selects(selectorOf(rule) ?? {}));
	return own.length > 0 ? own : rules.filter((rule) => selectorOf(rule) === undefined);
}

function selectorOf({ object }: PlacedRule): Fields | undefined {
	const { workloadSelector } = fieldsOf(object.spec);
	return workloadSelector === undefined || workloadSelector === null
		? undefined
		: fieldsOf(fieldsOf(workloadSelector).matchLabels);
}

// A rule with a workloadSelector is for its own namespace alone.
function exportsOf(rule: PlacedRule): readonly string[] {
	return selectorOf(rule) === undefined ? textsOf(fieldsOf(rule.object.spec).exportTo) : ["."];
}

function isPrivate(rule: PlacedRule): boolean {
	const [only, ...others] = exportsOf(rule);
	return others.length === 0 && (only === "." || only === rule.namespace);
}

function isForOwn(rule: PlacedRule): boolean {
	const to = exportsOf(rule);
	return to.length === 0 || to.some((each) => each === "*" || each === "." || each === rule.namespace);
}

function isExportedTo(namespace: string, rule: PlacedRule): boolean {
	const to = exportsOf(rule);
	return to.length === 0 || to.includes("*") || to.includes(namespace);
}
