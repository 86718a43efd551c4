import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, objectName, textOf, textsOf, without } from "./raw.ts";

const plainRule: ReadonlySet<string> = new Set(["backendRefs", "name"]);

/** Routes of the Gateway API that said more than where the gateway is, as routes of the entry at its waypoint. */
export function gatewayApiRoutes(conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	return conversion.bundle.parts.flatMap(({ role, item, hops }) => {
		if (role !== "route" || hops !== undefined || (item.kind !== "HTTPRoute" && item.kind !== "GRPCRoute")) {
			return [];
		}
		const rules = listOf(fieldsOf(item.object.spec).rules).map(fieldsOf);
		if (!rules.some((rule) => Object.keys(rule).some((field) => !plainRule.has(field)))) {
			return [];
		}
		return routeOf(item, rules, conversion, entries);
	});
}

function routeOf(
	item: Item,
	rules: readonly Fields[],
	{ ledger }: Conversion,
	entries: readonly BoundEntry[],
): readonly Output[] {
	const spec = fieldsOf(item.object.spec);
	const named = new Set([
		...textsOf(spec.hostnames),
		...rules.flatMap((rule) => listOf(rule.backendRefs).flatMap((each) => textOf(fieldsOf(each).name) ?? [])),
	]);
	const parents = listOf(spec.parentRefs).map(fieldsOf);
	const entry = entries.find(
		(each) =>
			each.hosts.some((host) => [...named].some((name) => canonicalHost(name) === host)) ||
			parents.some((parent) => parent.kind === "ServiceEntry" && parent.name === each.name),
	);
	if (entry === undefined) {
		ledger.note(item, ["spec", "rules"], "not carried", "no ServiceEntry for its hosts could be written");
		return [];
	}
	const port = entry.ports.find((each) => /^(?:HTTP|HTTP2|GRPC)/i.test(each.protocol ?? ""))?.number ?? 80;
	const backend = { group: "networking.istio.io", kind: "Hostname", name: entry.hosts[0], port };
	return [
		{
			stage: "2-switch",
			object: {
				...without(item.object, "status"),
				metadata: { name: objectName(`${item.name}-waypoint`), namespace: entry.namespace },
				spec: {
					parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: entry.name }],
					rules: rules.map((rule) => ({ ...without(rule, "backendRefs"), backendRefs: [backend] })),
				},
			},
			purpose: `routes of ${entry.hosts.join(", ")} at the waypoint`,
		},
	];
}
