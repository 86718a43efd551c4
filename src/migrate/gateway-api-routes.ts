import { canonicalHost } from "../core/host-pattern.ts";
import { coversHost } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import { isHostBackend } from "./gateway-api-hops.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./raw.ts";
import { httpPorts, servicePort } from "./service-ports.ts";

/** Routes of the Gateway API that said more than where the gateway is, as routes of the entry at its waypoint. */
export function gatewayApiRoutes(conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	const items = conversion.bundle.parts
		.filter(({ role, hops }) => role === "route" && hops === undefined)
		.map(({ item }) => item)
		.filter(({ kind }) => kind === "HTTPRoute" || kind === "GRPCRoute");
	const byEntry = Map.groupBy(items, (item) => entryOf(item, entries));
	return [...byEntry].flatMap(([entry, routes]) => {
		if (entry === undefined) {
			for (const item of routes.filter(hasFeatures)) {
				const reason = "no ServiceEntry for its hosts could be written";
				conversion.ledger.note(item, ["spec", "rules"], "not carried", reason);
			}
			return [];
		}
		return routesOf(entry, routes, entries, conversion);
	});
}

/** What the gateway's own routes said counts; what the hop to it said, only where those say nothing. */
function routesOf(
	entry: BoundEntry,
	routes: readonly Item[],
	entries: readonly BoundEntry[],
	conversion: Conversion,
): readonly Output[] {
	const forwards = routes.filter((item) => rulesOf(item).some((rule) => hostBackends(rule).length > 0));
	const steers = routes.filter((item) => !forwards.includes(item));
	const chosen = forwards.some(hasFeatures) ? forwards : steers.some(hasFeatures) ? steers : [];
	for (const item of routes.filter((each) => chosen.length > 0 && !chosen.includes(each))) {
		noteLost(item, "the other hop says it too, and that one is carried", conversion);
	}
	return chosen.flatMap((item) => {
		const names = textsOf(fieldsOf(item.object.spec).hostnames).map(canonicalHost);
		const others = entry.hosts.filter(
			(host) => !names.some((name) => name === host || coversHost(name, host)),
		);
		if (names.length > 0 && others.length > 0) {
			const reason = `at the waypoint it would hold for ${others.join(", ")} too: give each its own ServiceEntry`;
			noteLost(item, reason, conversion);
			conversion.notes.push(`\`${item.namespace}/${item.name}\` was not carried: ${reason}.`);
			return [];
		}
		return [routeOf(item, entry, entries, conversion)];
	});
}

function rulesOf(item: Item): readonly Fields[] {
	return listOf(fieldsOf(item.object.spec).rules).map(fieldsOf);
}

function hostBackends(rule: Fields): readonly Fields[] {
	return listOf(rule.backendRefs).map(fieldsOf).filter(isHostBackend);
}

function hasFeatures(item: Item): boolean {
	const rules = rulesOf(item);
	return rules.length > 1 || rules.some((rule) => featuresOf(rule).length > 0);
}

/** The fields of a rule that say more than where to; what the API server fills in says nothing. */
function featuresOf(rule: Fields): readonly string[] {
	const backends = listOf(rule.backendRefs).map(fieldsOf);
	return Object.keys(rule).filter((field) => {
		if (field === "backendRefs") {
			return backends.length > 1 || backends.some((backend) => listOf(backend.filters).length > 0);
		}
		return field !== "name" && !(field === "matches" && matchesAll(listOf(rule.matches)));
	});
}

function matchesAll(matches: readonly unknown[]): boolean {
	return matches.map(fieldsOf).every((match) => {
		const path = fieldsOf(match.path);
		const isRoot = path.value === "/" && (path.type ?? "PathPrefix") === "PathPrefix";
		return Object.keys(match).every((field) => field === "path" && isRoot);
	});
}

function noteLost(item: Item, reason: string, { ledger }: Conversion): void {
	for (const [index, rule] of rulesOf(item).entries()) {
		for (const field of Object.keys(rule)) {
			const isFeature = featuresOf(rule).includes(field);
			const note = isFeature ? reason : "it says nothing of its own";
			ledger.note(item, ["spec", "rules", index, field], isFeature ? "not carried" : "implied", note);
		}
	}
}

function entryOf(item: Item, entries: readonly BoundEntry[]): BoundEntry | undefined {
	const spec = fieldsOf(item.object.spec);
	const backends = rulesOf(item).flatMap(hostBackends);
	const named = [...textsOf(spec.hostnames), ...backends.flatMap(({ name }) => textOf(name) ?? [])];
	const parents = listOf(spec.parentRefs).map(fieldsOf);
	return (
		entries.find((each) =>
			parents.some((parent) => parent.kind === "ServiceEntry" && parent.name === each.name),
		) ??
		named.map(canonicalHost).flatMap((name) => entries.find((each) => each.hosts.includes(name)) ?? [])[0]
	);
}

function routeOf(
	item: Item,
	entry: BoundEntry,
	entries: readonly BoundEntry[],
	{ ledger }: Conversion,
): Output {
	const place = { entry, entries };
	const rules = rulesOf(item).map((rule, index) => {
		const hosts = hostBackends(rule);
		if (hosts.length > 0) {
			ledger.note(item, ["spec", "rules", index, "backendRefs"], "carried", "in the route at the waypoint");
		}
		const own = { group: "networking.istio.io", kind: "Hostname", name: entry.hosts[0] };
		const backends =
			hosts.length > 0
				? hosts.map((each) => ({ ...each, port: behind(textOf(each.name) ?? "", numberOf(each.port)) }))
				: [{ ...own, port: behind(entry.hosts[0] ?? "", undefined) }];
		// A rule that answers by itself has no backend.
		return {
			...without(rule, "backendRefs"),
			...(rule.backendRefs === undefined ? {} : { backendRefs: backends }),
		};
	});
	const parentRefs = [{ group: "networking.istio.io", kind: "ServiceEntry", name: entry.name }];
	return {
		stage: "2-switch",
		object: {
			...without(item.object, "status"),
			metadata: { name: objectName(`${item.name}-waypoint`), namespace: entry.namespace },
			spec: { parentRefs, rules },
		},
		purpose: `routes of ${entry.hosts.join(", ")} at the waypoint`,
	};

	function behind(host: string, target: number | undefined): number {
		const port = servicePort(canonicalHost(host), target, undefined, place);
		return typeof port === "number" ? port : (target ?? httpPorts(entry)[0]?.number ?? 80);
	}
}
