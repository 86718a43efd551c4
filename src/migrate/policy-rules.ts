import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf, textsOf, without } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Step } from "./step.ts";

interface Context {
	readonly input: InputObject;
	readonly entries: readonly BoundEntry[];
	readonly step: Step;
}

const destinationKeys: ReadonlySet<string> = new Set([
	"destination.port",
	"destination.ip",
	"connection.sni",
]);
const destinationTerms = ["hosts", "notHosts", "ports", "notPorts"] as const;

/** Whether a rule says something of hosts, ports or addresses of the gateway, which differ from entry to entry. */
export function isAboutDestination(rule: Fields): boolean {
	return (
		listOf(rule.to)
			.map((each) => fieldsOf(fieldsOf(each).operation))
			.some((operation) => destinationTerms.some((term) => operation[term] !== undefined)) ||
		listOf(rule.when).some((each) => destinationKeys.has(textOf(fieldsOf(each).key) ?? ""))
	);
}

/**
 * A rule of a policy at the gateway in the terms of the waypoint; undefined when it could never hold for these
 * entries. What cannot be said there makes the policy stricter, never laxer, and is reported.
 */
export function carriedRule(
	input: InputObject,
	index: number,
	rule: Fields,
	entries: readonly BoundEntry[],
	step: Step,
): Fields | undefined {
	const context: Context = { input, entries, step };
	const path: Path = ["spec", "rules", index];
	const operations = carriedOperations(listOf(rule.to).map(fieldsOf), [...path, "to"], context);
	const conditions = carriedConditions(listOf(rule.when).map(fieldsOf), [...path, "when"], context);
	if (operations === undefined || conditions === undefined) {
		if (operations === undefined) {
			step.ledger.note(input, path, "implied", "it was about other hosts or ports of the gateway");
		}
		return undefined;
	}
	return {
		...without(rule, "to", "when"),
		...(operations.length > 0 ? { to: operations } : {}),
		...(conditions.length > 0 ? { when: conditions } : {}),
	};
}

/** Undefined when none of the operations can happen; none when every request is one of them. */
function carriedOperations(
	operations: readonly Fields[],
	path: Path,
	context: Context,
): readonly Fields[] | undefined {
	if (operations.length === 0) {
		return [];
	}
	const carried = operations.flatMap((each, at) => {
		const operation = carriedOperation(fieldsOf(each.operation), [...path, at, "operation"], context);
		return operation === undefined ? [] : [{ ...each, operation }];
	});
	if (carried.some(({ operation }) => Object.keys(operation).length === 0)) {
		return [];
	}
	return carried.length === 0 ? undefined : carried;
}

function carriedOperation(operation: Fields, path: Path, context: Context): Fields | undefined {
	const { ledger } = context.step;
	let carried = operation;
	if (operation.hosts !== undefined) {
		const hosts = namedHosts(textsOf(operation.hosts), context);
		if (hosts.length === 0) {
			return undefined;
		}
		carried = { ...carried, hosts };
	}
	for (const term of ["ports", "notPorts"] as const) {
		if (operation[term] === undefined) {
			continue;
		}
		const ports = clientPorts(textsOf(operation[term]), context);
		if (term === "ports" ? ports.length === 0 : isWhole(ports, context)) {
			return undefined;
		}
		if (ports.length === 0) {
			ledger.note(context.input, [...path, term], "implied", "these were other ports of the gateway");
			carried = without(carried, term);
		} else {
			ledger.note(context.input, [...path, term], "carried", `as the clients' port ${ports.join(", ")}`);
			carried = { ...carried, [term]: ports };
		}
	}
	return carried;
}

/** A host of a policy, which may begin or end with * and end with a port, as it compares with a name. */
function mayMeanHost(pattern: string, host: string): boolean {
	const text = canonicalHost(pattern.replace(/:(?:\d+|\*)$/, ""));
	if (text.startsWith("*")) {
		return host.endsWith(text.slice(1)) || (host.startsWith("*") && text.endsWith(host.slice(1)));
	}
	return text.endsWith("*")
		? host.startsWith(text.slice(0, -1))
		: text === host || (host.startsWith("*") && text.endsWith(host.slice(1)));
}

/** Those of the hosts of a policy that may mean a host of the entries. The host of a request is the client's word. */
function namedHosts(values: readonly string[], { entries }: Context): readonly string[] {
	const hosts = entries.flatMap((entry) => entry.hosts);
	return values.filter((value) => hosts.some((host) => mayMeanHost(value, host)));
}

// Istio's charts let the gateway's pods listen on these for the Service's ports (manifests/charts/gateways), and a
// policy that a pod enforces sees the pod's.
const servicePortOf: Readonly<Record<string, string>> = { "8080": "80", "8443": "443" };

/** The ports of the clients that led to ports of the gateway. */
function clientPorts(values: readonly string[], { entries, step }: Context): readonly string[] {
	const hosts = new Set(entries.flatMap((entry) => entry.hosts));
	const served = servedPorts(entries);
	const demands = step.demands.filter((demand) => hosts.has(demand.host));
	const ports = values.flatMap((value) => {
		const names = [value, servicePortOf[value] ?? value];
		const led = demands.filter((demand) => names.includes(String(demand.listener ?? demand.port)));
		return demands.length === 0 ? names : led.map((demand) => String(demand.port));
	});
	return [...new Set(ports)].filter((port) => served.has(port));
}

function servedPorts(entries: readonly BoundEntry[]): ReadonlySet<string> {
	return new Set(entries.flatMap((entry) => entry.ports.map((port) => String(port.number))));
}

function isWhole(ports: readonly string[], { entries }: Context): boolean {
	return ports.length > 0 && ports.length === servedPorts(entries).size;
}

/** Undefined when the conditions can never hold together. */
function carriedConditions(
	conditions: readonly Fields[],
	path: Path,
	context: Context,
): readonly Fields[] | undefined {
	const result: Fields[] = [];
	for (const [at, condition] of conditions.entries()) {
		const key = textOf(condition.key) ?? "";
		const place = [...path, at];
		const outcome = destinationKeys.has(key) ? carriedCondition(key, condition, context) : condition;
		if (outcome === "unknown") {
			noteUnknown(key, place, context);
			if (isAllow(context.input)) {
				return undefined;
			}
		} else if (outcome === "never") {
			context.step.ledger.note(context.input, place, "implied", "it was about other ports of the gateway");
			return undefined;
		} else if (outcome === "always") {
			const note = "the policy stands at the host's ServiceEntry";
			context.step.ledger.note(context.input, place, "implied", note);
		} else {
			result.push(outcome);
		}
	}
	return result;
}

function isAllow(input: InputObject): boolean {
	return (textOf(fieldsOf(input.object.spec).action) ?? "ALLOW") === "ALLOW";
}

function noteUnknown(key: string, path: Path, { input, step }: Context): void {
	const what = isAllow(input)
		? "the rule is left out, so that it lets nobody in"
		: "the rest of the rule stays";
	const reason = `${key} means something else at a waypoint: ${what}`;
	step.ledger.note(input, path, "not carried", reason);
	step.notes.push(`\`${input.namespace}/${input.name}\`: ${reason}.`);
}

/** Whether the hop to the gateway was TLS that ended there. */
function endsTls({ step }: Context): boolean {
	const modes = step.bundle.participants
		.filter(({ role }) => role === "gateway")
		.flatMap(({ input }) => {
			const { servers, listeners } = fieldsOf(input.object.spec);
			return [...listOf(servers), ...listOf(listeners)].map((each) => fieldsOf(fieldsOf(each).tls).mode);
		});
	return (
		modes.length > 0 && modes.every((mode) => mode !== undefined && !/^passthrough$/i.test(String(mode)))
	);
}

function carriedCondition(
	key: string,
	condition: Fields,
	context: Context,
): Fields | "always" | "never" | "unknown" {
	if (key === "destination.ip") {
		return "unknown";
	}
	if (key === "connection.sni") {
		const passes = context.entries.every((entry) =>
			entry.ports.every((port) => /^(?:HTTPS|TLS)$/i.test(port.protocol ?? "")),
		);
		if (passes) {
			return condition;
		}
		// Where TLS ended at the gateway, the SNI was that of the hop: the host's, if it says anything. Plain HTTP has none.
		const isHost =
			endsTls(context) &&
			condition.notValues === undefined &&
			namedHosts(textsOf(condition.values), context).length > 0;
		return isHost ? "always" : "unknown";
	}
	let carried = condition;
	for (const term of ["values", "notValues"] as const) {
		if (condition[term] === undefined) {
			continue;
		}
		const ports = clientPorts(textsOf(condition[term]), context);
		if (term === "values" ? ports.length === 0 : isWhole(ports, context)) {
			return "never";
		}
		carried = ports.length === 0 ? without(carried, term) : { ...carried, [term]: ports };
	}
	return carried.values === undefined && carried.notValues === undefined ? "always" : carried;
}
