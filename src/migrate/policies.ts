import { canonicalHost } from "../core/host-pattern.ts";
import { coversHost } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, objectName, textsOf, without } from "./raw.ts";

/** AuthorizationPolicies that stood at the egress gateway, attached to the ServiceEntries at the waypoint. */
export function movedPolicies(conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	return conversion.bundle.parts
		.filter(({ role }) => role === "policy")
		.flatMap(({ item }) => movePolicy(item, conversion, entries));
}

function movePolicy(item: Item, conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	const { ledger, notes } = conversion;
	if (entries.length === 0) {
		ledger.note(item, [], "not carried", "the bundle has no external host to which it could be attached");
		return [];
	}
	ledger.note(item, [], "carried", "attached to the ServiceEntries");
	ledger.note(item, ["metadata"], "carried", "under a new name");
	ledger.note(item, ["spec", "selector"], "implied", "targetRefs name the ServiceEntries instead");
	ledger.note(item, ["status"], "implied", "istiod writes it");
	const spec = fieldsOf(item.object.spec);
	if (listOf(spec.rules).some((rule) => JSON.stringify(rule).includes("principals"))) {
		notes.push(
			`\`${item.namespace}/${item.name}\` names callers by identity: at the waypoint that is the calling workload's own, as it was at the gateway where the hop used ISTIO_MUTUAL.`,
		);
	}
	const byNamespace = Map.groupBy(entries, (entry) => entry.namespace);
	return [...byNamespace].flatMap(([namespace, own]) =>
		groupsOf(own).map((group, index) => {
			const rules = listOf(spec.rules).flatMap(
				(rule, at) => carriedRule(item, at, fieldsOf(rule), group, conversion) ?? [],
			);
			const targetRefs = group.map(({ name }) => ({
				group: "networking.istio.io",
				kind: "ServiceEntry",
				name,
			}));
			const suffix = objectName(group[0]?.name ?? "");
			const name = objectName(`${item.name.slice(0, 30)}-${suffix}${index === 0 ? "" : `-${index}`}`);
			const written = spec.rules === undefined ? {} : rules.length > 0 ? { rules } : {};
			return {
				stage: "1-add" as const,
				object: {
					...without(item.object, "status"),
					metadata: { name, namespace },
					spec: { ...without(spec, "selector", "rules"), targetRefs, ...written },
				},
				purpose: `who may use ${group.flatMap((entry) => entry.hosts).join(", ")}`,
			};
		}),
	);
}

/** At most 16 targetRefs go into one policy (istio.io/api security/v1 authorization_policy.proto). */
function groupsOf(entries: readonly BoundEntry[]): readonly (readonly BoundEntry[])[] {
	return Array.from({ length: Math.ceil(entries.length / 16) }, (_, index) =>
		entries.slice(index * 16, index * 16 + 16),
	);
}

/** A rule in the terms of the waypoint; undefined when it was about other hosts. */
function carriedRule(
	item: Item,
	index: number,
	rule: Fields,
	entries: readonly BoundEntry[],
	conversion: Conversion,
): Fields | undefined {
	const hosts = entries.flatMap((entry) => entry.hosts);
	const to = listOf(rule.to).map(fieldsOf);
	const named = to.flatMap((each) => textsOf(fieldsOf(each.operation).hosts)).map(canonicalHost);
	if (
		named.length > 0 &&
		!named.some((name) => hosts.some((host) => name === host || coversHost(name, host)))
	) {
		return undefined;
	}
	const kept = to.map((each, at) => {
		const operation = fieldsOf(each.operation);
		const path = ["spec", "rules", index, "to", at, "operation"];
		const all = hosts.every((host) => textsOf(operation.hosts).some((name) => canonicalHost(name) === host));
		let carried = operation;
		if (operation.hosts !== undefined && (all || entries.every((entry) => !hasHttp(entry)))) {
			conversion.ledger.note(
				item,
				[...path, "hosts"],
				"implied",
				"the policy stands at the host's ServiceEntry",
			);
			carried = without(carried, "hosts");
		}
		const ports = textsOf(operation.ports);
		const served = entries.flatMap((entry) => entry.ports.map((port) => String(port.number)));
		if (ports.length > 0 && !ports.every((port) => served.includes(port))) {
			const reason =
				"these were ports of the gateway's listener; the ServiceEntry says which ports there are";
			conversion.ledger.note(item, [...path, "ports"], "implied", reason);
			carried = without(carried, "ports");
		}
		return Object.keys(carried).length === 0 ? undefined : { ...each, operation: carried };
	});
	// An operation without terms matches everything, and so does a rule without operations.
	const operations = kept.every((each) => each !== undefined) ? kept : [];
	return { ...without(rule, "to"), ...(operations.length > 0 ? { to: operations } : {}) };
}

function hasHttp(entry: BoundEntry): boolean {
	return entry.ports.some(
		(port) => /^(?:HTTP|HTTP2|GRPC)/i.test(port.protocol ?? "") && port.protocol !== "HTTPS",
	);
}
