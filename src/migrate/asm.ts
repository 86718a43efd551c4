import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import type { Caller } from "./callers.ts";
import { callersOf, sourcesOf } from "./callers.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Ledger } from "./ledger.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** One port of a host with who may use it. */
interface Permission {
	readonly port: EntryPort;
	readonly callers: readonly Caller[];
	readonly upgraded: boolean;
}

/** What one item of `to` says of hosts that can share an entry. */
interface Demand {
	readonly input: InputObject;
	readonly hosts: readonly string[];
	readonly permission: Permission;
}

/** What the policies of a bundle say of hosts that share one entry. */
interface Way {
	/** The first policy that has these hosts: the entry goes into its namespace. */
	readonly input: InputObject;
	readonly policies: readonly InputObject[];
	readonly hosts: readonly string[];
	readonly permissions: readonly Permission[];
}

/** What ASMEgressTrafficPolicies become. */
export interface AsmResult extends StepResult {
	readonly entries: readonly BoundEntry[];
	/** Entries that must not be written, by the reason; their policies stay. */
	readonly blocked: ReadonlyMap<BoundEntry, string>;
}

/**
 * What ASMEgressTrafficPolicies become: entries, TLS at the waypoint, and who may use them. All policies of a bundle
 * share the entries, since two entries for one host would hide each other; `known` are those that there are already.
 */
export function convertAsm(
	conversion: Conversion,
	inputs: readonly InputObject[],
	known: readonly BoundEntry[],
): AsmResult {
	const step = beginStep(conversion);
	const demands: Demand[] = [];
	const unreadable = new Map<InputObject, string>();
	for (const { role, input } of step.bundle.participants) {
		if (role === "asm") {
			noteFrame(input, step);
			demands.push(...demandsOf(input, inputs, unreadable, step));
		}
	}
	const entries: BoundEntry[] = [];
	const outputs: Output[] = [];
	const blocked = new Map<BoundEntry, string>();
	for (const way of waysOf(demands)) {
		const taken = new Set(entries.map(({ name }) => name));
		const entry = entryOf(way, taken, step);
		entries.push(entry);
		outputs.push(...originationOf(way.permissions, entry), authorization(way.permissions, entry));
		const reason =
			way.policies.flatMap((input) => unreadable.get(input) ?? [])[0] ??
			conflictOf(way.permissions, entry) ??
			twinOf(entry, known);
		if (reason !== undefined) {
			blocked.set(entry, reason);
			step.notes.push(
				`${titles(way.policies)} stays: ServiceEntry \`${entry.namespace}/${entry.name}\` is held back, because ${reason}.`,
			);
		}
	}
	return { entries, blocked, ...endStep(step, outputs) };
}

function titles(policies: readonly InputObject[]): string {
	return policies.map(({ title, namespace, name }) => `${title} \`${namespace}/${name}\``).join(" and ");
}

function demandsOf(
	input: InputObject,
	inputs: readonly InputObject[],
	unreadable: Map<InputObject, string>,
	step: Step,
): readonly Demand[] {
	return listOf(fieldsOf(input.object.spec).egressRules)
		.map(fieldsOf)
		.flatMap((rule, index) => {
			const callers = callersOf(rule, inputs);
			noteRule(input, index, rule, step);
			noteClients(input, index, callers, step);
			return listOf(rule.to)
				.map(fieldsOf)
				.flatMap((to, at) => {
					const path = ["spec", "egressRules", index, "to", at];
					const problem = problemOf(to);
					noteTo(input, path, to, problem, step);
					if (problem !== undefined) {
						unreadable.set(input, `${formatPath(path)} ${problem}`);
						return [];
					}
					return hostGroups(to).map((hosts): Demand => {
						return { input, hosts, permission: permissionOf(callers, to, hosts) };
					});
				});
		});
}

/** Why an item of `to` cannot be read: no field of it is guessed. */
function problemOf(to: Fields): string | undefined {
	const { enabled } = fieldsOf(to.httpsUpgrade);
	return textsOf(to.hosts).length === 0
		? "has no hosts"
		: numberOf(fieldsOf(to.port).number) === undefined
			? "has no port number"
			: enabled !== undefined && typeof enabled !== "boolean"
				? "has an httpsUpgrade.enabled that is neither true nor false"
				: undefined;
}

/** The demands by the hosts that share an entry: a host that stands in different company has an entry of its own. */
function waysOf(demands: readonly Demand[]): readonly Way[] {
	const company = new Map<string, Set<string>>();
	for (const { hosts } of demands) {
		for (const host of hosts) {
			company.set(host, (company.get(host) ?? new Set()).add(hosts.join()));
		}
	}
	const isApart = (host: string): boolean => (company.get(host)?.size ?? 0) > 1;
	const placed = demands.flatMap((demand) =>
		(demand.hosts.some(isApart) ? demand.hosts.map((host) => [host]) : [demand.hosts]).map((hosts) => ({
			...demand,
			hosts,
		})),
	);
	return [...Map.groupBy(placed, ({ hosts }) => hosts.join()).values()].flatMap((group) => {
		const [first] = group;
		return first === undefined
			? []
			: [
					{
						input: first.input,
						policies: [...new Set(group.map(({ input }) => input))],
						hosts: first.hosts,
						permissions: group.map(({ permission }) => permission),
					},
				];
	});
}

/** Why the permissions cannot hold at one entry: a port of it is one protocol, and leads to one port. */
function conflictOf(permissions: readonly Permission[], entry: BoundEntry): string | undefined {
	const different = entry.ports.find(({ number }) => {
		const ways = permissions.filter(({ port }) => port.number === number);
		const kinds = ways.map(
			({ port, upgraded }) => `${port.protocol} ${port.targetPort ?? number} ${upgraded}`,
		);
		return new Set(kinds).size > 1;
	});
	return different === undefined
		? undefined
		: `its rules want port ${different.number} of ${entry.hosts.join(", ")} in two ways (protocol or httpsUpgrade), and a waypoint does one of them for everybody`;
}

function twinOf(entry: BoundEntry, known: readonly BoundEntry[]): string | undefined {
	const twin = known.find(({ hosts }) => hosts.some((host) => entry.hosts.includes(host)));
	const same = twin?.hosts.filter((host) => entry.hosts.includes(host)) ?? [];
	return twin === undefined
		? undefined
		: `ServiceEntry ${twin.namespace}/${twin.name} has ${same.join(", ")} already, and two entries for one host hide each other: take the one that ASM wrote out of the input, or the host out of yours`;
}

/** Hosts that can share an entry: istiod tells several hosts apart by HTTP and TLS only. */
function hostGroups(to: Fields): readonly (readonly string[])[] {
	const hosts = textsOf(to.hosts).map(canonicalHost);
	const protocol = textOf(fieldsOf(to.port).protocol) ?? "TCP";
	const together = upgradePort(to) !== undefined || /^(?:HTTPS?|HTTP2|TLS|GRPC|GRPC-WEB)$/i.test(protocol);
	const wildcards = hosts.filter((host) => host.startsWith("*"));
	const names = hosts.filter((host) => !host.startsWith("*"));
	return [...(together ? [names] : names.map((host) => [host])), wildcards].filter(
		(group) => group.length > 0,
	);
}

function permissionOf(callers: readonly Caller[], to: Fields, hosts: readonly string[]): Permission {
	const wildcard = hosts.some((host) => host.startsWith("*"));
	const declared = fieldsOf(to.port);
	const number = numberOf(declared.number) ?? 0;
	const upgrade = upgradePort(to);
	const protocol = upgrade === undefined ? asmProtocol(textOf(declared.protocol) ?? "TCP", wildcard) : "HTTP";
	return {
		port: {
			number,
			name: textOf(declared.name) ?? `${protocol.toLowerCase()}-${number}`,
			protocol,
			...(upgrade === undefined || upgrade === number ? {} : { targetPort: upgrade }),
		},
		callers,
		upgraded: upgrade !== undefined,
	};
}

function noteFrame(input: InputObject, { ledger }: Step): void {
	for (const field of ["apiVersion", "kind", "metadata"]) {
		ledger.note(input, [field], "implied", "the policy goes");
	}
	ledger.note(input, ["status"], "implied", "the control plane writes it");
	noteGatewayOf(input, ["spec"], ledger);
}

function noteGatewayOf(input: InputObject, path: Path, ledger: Ledger): void {
	for (const field of ["name", "port"]) {
		ledger.note(
			input,
			[...path, "byEgressGateway", field],
			"implied",
			"the waypoint takes the gateway's place",
		);
	}
}

function noteRule(input: InputObject, index: number, rule: Fields, { ledger }: Step): void {
	const base = ["spec", "egressRules", index];
	ledger.note(input, [...base, "name"], "implied", "the name of a rule that goes");
	for (const [at, from] of listOf(rule.from).map(fieldsOf).entries()) {
		const isNamed = textOf(from.namespace) !== undefined;
		ledger.note(
			input,
			isNamed ? [...base, "from", at, "namespace"] : [...base, "from", at],
			isNamed ? "carried" : "not carried",
			isNamed ? "as a source of the AuthorizationPolicy" : "it names no namespace, so it lets nobody through",
		);
	}
}

/** The fields that both versions of the kind have; any other is reported as unknown. */
function noteTo(
	input: InputObject,
	path: Path,
	to: Fields,
	problem: string | undefined,
	{ ledger }: Step,
): void {
	noteGatewayOf(input, path, ledger);
	ledger.note(input, [...path, "name"], "implied", "the name of a rule that goes");
	if (problem !== undefined) {
		ledger.note(input, path, "not carried", `it ${problem}`);
		return;
	}
	ledger.note(input, [...path, "hosts"], "carried", "as hosts of the ServiceEntry");
	for (const field of ["number", "name", "protocol"]) {
		ledger.note(input, [...path, "port", field], "carried", "as a port of the ServiceEntry");
	}
	const upgrade = upgradePort(to) === undefined ? "implied" : "carried";
	for (const field of ["enabled", "port"]) {
		const note = upgrade === "carried" ? "as targetPort and DestinationRule" : "it is off";
		ledger.note(input, [...path, "httpsUpgrade", field], upgrade, note);
	}
}

function entryOf(
	{ input, hosts, permissions }: Way,
	taken: ReadonlySet<string>,
	{ waypointOf, notes }: Step,
): BoundEntry {
	const wildcard = hosts.some((host) => host.startsWith("*"));
	const ports = distinctPorts(permissions);
	const waypoint = waypointOf(input.namespace);
	const short = objectName(`${input.name.slice(0, 30)}-${hosts[0] ?? ""}`);
	const name = taken.has(short) ? `${short}-${taken.size}` : short;
	if (wildcard) {
		notes.push(`\`${hosts.join(", ")}\` is a wildcard: DYNAMIC_DNS needs Istio 1.28 or newer.`);
	}
	const labels = {
		"istio.io/use-waypoint": waypoint.name,
		"istio.io/use-waypoint-namespace": waypoint.namespace,
	};
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name, namespace: input.namespace, labels },
		spec: { hosts, ports, location: "MESH_EXTERNAL", resolution: wildcard ? "DYNAMIC_DNS" : "DNS" },
	};
	const stage = ports.some((port) => port.targetPort !== undefined) ? "2-switch" : "1-add";
	const output: Output = { stage, object, purpose: `registers ${hosts.join(", ")}` };
	return { namespace: input.namespace, name, hosts, ports, output, waypoint, behind: new Map() };
}

/** One port for each number, each with a name of its own, as istiod demands of an entry. */
function distinctPorts(permissions: readonly Permission[]): readonly EntryPort[] {
	const ports = [...new Map(permissions.map(({ port }) => [port.number, port])).values()];
	return ports.map((port) => {
		const isAlone = ports.every((other) => other === port || other.name !== port.name);
		return isAlone ? port : { ...port, name: `${port.name}-${port.number}` };
	});
}

function asmProtocol(protocol: string, wildcard: boolean): string {
	return wildcard && protocol.toUpperCase() === "HTTPS" ? "TLS" : protocol;
}

function upgradePort(to: Fields): number | undefined {
	const upgrade = fieldsOf(to.httpsUpgrade);
	return upgrade.enabled === true ? (numberOf(upgrade.port) ?? 443) : undefined;
}

function originationOf(permissions: readonly Permission[], entry: BoundEntry): readonly Output[] {
	const upgraded = permissions.filter((each) => each.upgraded).map(({ port }) => port.number);
	if (upgraded.length === 0) {
		return [];
	}
	return entry.hosts.map((host) => {
		const tls = { mode: "SIMPLE", ...(host.startsWith("*") ? {} : { sni: host }) };
		const name = objectName(`${entry.name.slice(0, 24)}-${host.slice(0, 30)}-tls`);
		const object = {
			apiVersion: "networking.istio.io/v1",
			kind: "DestinationRule",
			metadata: { name, namespace: entry.namespace },
			spec: {
				host,
				trafficPolicy: {
					portLevelSettings: [...new Set(upgraded)].map((number) => ({ port: { number }, tls })),
				},
			},
		};
		return { stage: "2-switch" as const, object, purpose: `begins TLS for ${host} at the waypoint` };
	});
}

function authorization(permissions: readonly Permission[], entry: BoundEntry): Output {
	const targetRefs = [{ group: "networking.istio.io", kind: "ServiceEntry", name: entry.name }];
	const rules = permissions
		.filter(({ callers }) => callers.length > 0)
		.map(({ port, callers }) => ({
			from: sourcesOf(callers).map((source) => ({ source })),
			to: [{ operation: { ports: [String(port.number)] } }],
		}));
	return {
		stage: "1-add",
		object: {
			apiVersion: "security.istio.io/v1",
			kind: "AuthorizationPolicy",
			metadata: { name: entry.name, namespace: entry.namespace },
			spec: { targetRefs, action: "ALLOW", ...(rules.length > 0 ? { rules } : {}) },
		},
		purpose: `who may use ${entry.hosts.join(", ")}`,
	};
}

function noteClients(
	input: InputObject,
	index: number,
	callers: readonly Caller[],
	{ ledger, notes }: Step,
): void {
	const object = `\`${input.namespace}/${input.name}\` allows some workloads of namespace`;
	for (const { at, namespace, accounts, isSelected } of callers) {
		const path = ["spec", "egressRules", index, "from", at, "workloadSelector"];
		if (!isSelected) {
			ledger.note(input, path, "carried", "as the whole namespace");
			continue;
		}
		if (accounts.length > 0) {
			ledger.note(
				input,
				path,
				"carried",
				`as the service accounts of these workloads: ${accounts.join(", ")}`,
			);
			notes.push(
				`${object} \`${namespace}\` only, which becomes their service accounts (${accounts.map((each) => `\`${each}\``).join(", ")}): workloads that share one of these may call too.`,
			);
			continue;
		}
		const reason =
			"an AuthorizationPolicy knows service accounts, not labels: add these workloads to the input, or principals by hand";
		ledger.note(input, path, "not carried", reason);
		notes.push(
			`${object} \`${namespace}\` only; the policy that is written allows the whole namespace: ${reason}.`,
		);
	}
}
