import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { coversHost } from "./bundles.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./fields.ts";
import { isHostBackend } from "./gateway-api-hop-routes.ts";
import type { InputObject, Output } from "./input-object.ts";
import { httpPorts, servicePort } from "./service-ports.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** Routes of the Gateway API that said more than where the gateway is, as routes of the entry at its waypoint. */
export function gatewayApiRoutes(conversion: Conversion, entries: readonly BoundEntry[]): StepResult {
	const step = beginStep(conversion);
	const inputs = step.bundle.participants
		.filter(({ role, hops }) => role === "route" && hops === undefined)
		.map(({ input }) => input)
		.filter(({ kind }) => kind === "HTTPRoute" || kind === "GRPCRoute");
	const byEntry = Map.groupBy(inputs, (input) => entryOf(input, entries));
	const outputs = [...byEntry].flatMap(([entry, routes]) => {
		if (entry === undefined) {
			for (const input of routes.filter(hasFeatures)) {
				const reason = "no ServiceEntry for its hosts could be written";
				step.ledger.note(input, ["spec", "rules"], "not carried", reason);
			}
			return [];
		}
		return routesOf(entry, routes, entries, step);
	});
	return endStep(step, outputs);
}

/** What the gateway's own routes said counts; what the hop to it said, only where those say nothing. */
function routesOf(
	entry: BoundEntry,
	routes: readonly InputObject[],
	entries: readonly BoundEntry[],
	step: Step,
): readonly Output[] {
	const toHost = routes.filter((input) => rulesOf(input).some((rule) => hostBackends(rule).length > 0));
	const toGateway = routes.filter((input) => !toHost.includes(input));
	const chosen = toHost.some(hasFeatures) ? toHost : toGateway.some(hasFeatures) ? toGateway : [];
	for (const input of routes.filter((each) => chosen.length > 0 && !chosen.includes(each))) {
		noteLost(input, "the other hop says it too, and that one is carried", step);
	}
	return chosen.flatMap((input) => {
		const names = textsOf(fieldsOf(input.object.spec).hostnames).map(canonicalHost);
		const others = entry.hosts.filter(
			(host) => !names.some((name) => name === host || coversHost(name, host)),
		);
		if (names.length > 0 && others.length > 0) {
			const reason = `at the waypoint it would hold for ${others.join(", ")} too: give each its own ServiceEntry`;
			noteLost(input, reason, step);
			step.notes.push(`\`${input.namespace}/${input.name}\` was not carried: ${reason}.`);
			return [];
		}
		return [routeOf(input, entry, entries, step)];
	});
}

function rulesOf(input: InputObject): readonly Fields[] {
	return listOf(fieldsOf(input.object.spec).rules).map(fieldsOf);
}

function hostBackends(rule: Fields): readonly Fields[] {
	return listOf(rule.backendRefs).map(fieldsOf).filter(isHostBackend);
}

function hasFeatures(input: InputObject): boolean {
	const rules = rulesOf(input);
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

function noteLost(input: InputObject, reason: string, { ledger }: Step): void {
	for (const [index, rule] of rulesOf(input).entries()) {
		for (const field of Object.keys(rule)) {
			const isFeature = featuresOf(rule).includes(field);
			const note = isFeature ? reason : "it says nothing of its own";
			ledger.note(input, ["spec", "rules", index, field], isFeature ? "not carried" : "implied", note);
		}
	}
}

function entryOf(input: InputObject, entries: readonly BoundEntry[]): BoundEntry | undefined {
	const spec = fieldsOf(input.object.spec);
	const backends = rulesOf(input).flatMap(hostBackends);
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
	input: InputObject,
	entry: BoundEntry,
	entries: readonly BoundEntry[],
	{ ledger }: Step,
): Output {
	const place = { entry, entries };
	const rules = rulesOf(input).map((rule, index) => {
		const hosts = hostBackends(rule);
		if (hosts.length > 0) {
			ledger.note(input, ["spec", "rules", index, "backendRefs"], "carried", "in the route at the waypoint");
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
			...without(input.object, "status"),
			metadata: { name: objectName(`${input.name}-waypoint`), namespace: entry.namespace },
			spec: { parentRefs, rules },
		},
		purpose: `routes of ${entry.hosts.join(", ")} at the waypoint`,
	};

	function behind(host: string, target: number | undefined): number {
		const port = servicePort(canonicalHost(host), target, undefined, place);
		return typeof port === "number" ? port : (target ?? httpPorts(entry)[0]?.number ?? 80);
	}
}
