import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import type { Caller } from "./callers.ts";
import { callersOf, sourcesOf } from "./callers.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** One port of a host with who may use it. */
interface Permission {
	readonly port: EntryPort;
	readonly callers: readonly Caller[];
	readonly upgraded: boolean;
}

/** What an ASMEgressTrafficPolicy becomes: entries, TLS at the waypoint, and who may use them. */
export function convertAsm(
	conversion: Conversion,
	inputs: readonly InputObject[],
): StepResult & { readonly entries: readonly BoundEntry[] } {
	const step = beginStep(conversion);
	const entries: BoundEntry[] = [];
	const outputs: Output[] = [];
	for (const { role, input } of step.bundle.participants) {
		if (role !== "asm") {
			continue;
		}
		noteFrame(input, step);
		// Two rules for the same hosts become one entry: two entries for one host would hide each other.
		const ways = new Map<string, { readonly hosts: readonly string[]; readonly permissions: Permission[] }>();
		for (const [index, rule] of listOf(fieldsOf(input.object.spec).egressRules).map(fieldsOf).entries()) {
			const callers = callersOf(rule, inputs);
			for (const [at, to] of listOf(rule.to).map(fieldsOf).entries()) {
				const path = ["spec", "egressRules", index, "to", at, "byEgressGateway"];
				step.ledger.note(input, path, "implied", "the waypoint takes the gateway's place");
				for (const hosts of hostGroups(to)) {
					const way = ways.get(hosts.join()) ?? { hosts, permissions: [] };
					way.permissions.push(permissionOf(callers, to, hosts));
					ways.set(hosts.join(), way);
				}
			}
			noteClients(input, index, callers, step);
		}
		for (const { hosts, permissions } of ways.values()) {
			const entry = entryOf(input, hosts, permissions, step);
			entries.push(entry);
			outputs.push(...originationOf(permissions, entry), authorization(permissions, entry));
		}
	}
	return { entries, ...endStep(step, outputs) };
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
	const number = numberOf(declared.number) ?? 443;
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
	ledger.note(input, [], "carried", "as ServiceEntry, DestinationRule and AuthorizationPolicy");
	ledger.note(input, ["metadata"], "implied", "the policy goes");
	ledger.note(input, ["status"], "implied", "the control plane writes it");
	ledger.note(input, ["spec", "byEgressGateway"], "implied", "the waypoint takes the gateway's place");
}

function entryOf(
	input: InputObject,
	hosts: readonly string[],
	permissions: readonly Permission[],
	{ waypointOf, notes }: Step,
): BoundEntry {
	const wildcard = hosts.some((host) => host.startsWith("*"));
	const ports = [...new Map(permissions.map(({ port }) => [port.number, port])).values()];
	const waypoint = waypointOf(input.namespace);
	const name = objectName(`${input.name.slice(0, 30)}-${hosts[0] ?? ""}`);
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
	for (const { at, namespace, accounts } of callers.filter(({ isSelected }) => isSelected)) {
		const path = ["spec", "egressRules", index, "from", at, "workloadSelector"];
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
