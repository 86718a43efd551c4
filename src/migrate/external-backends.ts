import type { BoundEntry } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, objectName, textOf } from "./fields.ts";
import type { Backend } from "./gateway-api-world.ts";
import { backendOf } from "./gateway-api-world.ts";
import type { InputObject, Output } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** What the XBackends of a bundle become. */
export interface BackendResult extends StepResult {
	/** Entries that must not be written, since the waypoint would connect in another way, by the reason. */
	readonly blocked: ReadonlyMap<BoundEntry, string>;
}

/** What an XBackend says of the connection to its host, as a DestinationRule for the ports of the clients. */
export function externalBackends(conversion: Conversion, entries: readonly BoundEntry[]): BackendResult {
	const step = beginStep(conversion);
	const blocked = new Map<BoundEntry, string>();
	const outputs: Output[] = [];
	const inputs = step.bundle.participants.filter(({ role }) => role === "backend").map(({ input }) => input);
	const byHost = Map.groupBy(inputs, (input) => backendOf(input)?.host ?? "");
	for (const [host, group] of byHost) {
		const entry = entries.find(({ hosts }) => hosts.includes(host));
		const settings = group.flatMap((input) => settingsOf(input, group, step));
		const lost = group.map((input) => lossOf(input, group, step)).find((reason) => reason !== undefined);
		if (entry !== undefined && lost !== undefined) {
			blocked.set(entry, lost);
		} else if (entry !== undefined && settings.length > 0) {
			outputs.push(ruleOf(host, entry, settings));
		}
	}
	return { blocked, ...endStep(step, outputs) };
}

function ruleOf(host: string, entry: BoundEntry, portLevelSettings: readonly Fields[]): Output {
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: `${objectName(host)}-tls`, namespace: entry.namespace },
		spec: { host, trafficPolicy: { portLevelSettings } },
	};
	return { stage: "2-switch", object, purpose: `begins TLS for ${host} at the waypoint` };
}

/** The clients' ports that lead to the port of an XBackend. */
function portsTo({ host, port }: Backend, { demands }: Step): readonly number[] {
	const own = demands.filter((demand) => demand.host === host && (demand.target ?? demand.port) === port);
	return [...new Set(own.map((demand) => demand.port))];
}

function settingsOf(input: InputObject, group: readonly InputObject[], step: Step): readonly Fields[] {
	const { ledger } = step;
	for (const field of ["apiVersion", "kind", "metadata", "status"]) {
		ledger.note(input, [field], "implied", "it goes with the route");
	}
	ledger.note(input, ["spec", "type"], "implied", "a ServiceEntry is for hosts outside");
	ledger.note(input, ["spec", "externalHostname", "hostname"], "carried", "as a host of the ServiceEntry");
	ledger.note(input, ["spec", "port"], "implied", "the name of a port that goes");
	ledger.note(input, ["spec", "port", "port"], "carried", "as port or targetPort of the ServiceEntry");
	const protocol = textOf(fieldsOf(input.object.spec).protocol) ?? "HTTP";
	const isPlain = plainProtocols.has(protocol);
	const note = isPlain ? "the port of the ServiceEntry says it" : `a waypoint would not speak ${protocol}`;
	ledger.note(input, ["spec", "protocol"], isPlain ? "implied" : "not carried", note);
	noteTls(input, step);
	const backend = backendOf(input);
	const isFirst = group.find((each) => backendOf(each)?.port === backend?.port) === input;
	const tls = tlsOf(input);
	return backend === undefined || tls === undefined || !isFirst
		? []
		: portsTo(backend, step).map((number) => ({ port: { number }, tls }));
}

const plainProtocols: ReadonlySet<string> = new Set(["HTTP", "HTTP11", "TCP"]);

function noteTls(input: InputObject, { ledger }: Step): void {
	const path = ["spec", "tls"];
	const byHand = "the certificate is in a Secret or ConfigMap of the Gateway API: name it by credentialName";
	ledger.note(input, [...path, "mode"], "carried", "as mode of the DestinationRule at the waypoint");
	ledger.note(input, [...path, "clientCertificateRef"], "not carried", byHand);
	const validation = [...path, "validation"];
	ledger.note(input, [...validation, "hostname"], "carried", "as sni");
	ledger.note(input, [...validation, "subjectAltNames"], "carried", "as subjectAltNames");
	ledger.note(
		input,
		[...validation, "wellKnownCACertificates"],
		"implied",
		"a waypoint knows the system's CAs",
	);
	ledger.note(input, [...validation, "caCertificateRefs"], "not carried", byHand);
}

/** TLS with the words of a DestinationRule (Istio pilot/pkg/config/kube/gateway/backend_policies.go). */
function tlsOf(input: InputObject): Fields | undefined {
	const { tls } = fieldsOf(input.object.spec);
	const { mode, validation } = fieldsOf(tls);
	const { hostname, subjectAltNames } = fieldsOf(validation);
	const names = listOf(subjectAltNames)
		.map(fieldsOf)
		.flatMap(({ hostname: name, uri }) => textOf(name) ?? textOf(uri) ?? []);
	return mode === "ServerOnly"
		? {
				mode: "SIMPLE",
				sni: textOf(hostname) ?? backendOf(input)?.host,
				...(names.length > 0 ? { subjectAltNames: names } : {}),
			}
		: undefined;
}

/** Why what an XBackend says would be lost; a sentence with its name. */
function lossOf(input: InputObject, group: readonly InputObject[], step: Step): string | undefined {
	const reason = unsaid(input) ?? contradiction(input, group, step);
	if (reason === undefined) {
		return undefined;
	}
	const whole = `${titleOf(input)} ${reason}`;
	step.notes.push(`${whole}. The way out stays as it is.`);
	return whole;
}

/** What a DestinationRule for the waypoint does not say. */
function unsaid(input: InputObject): string | undefined {
	const { protocol, tls } = fieldsOf(input.object.spec);
	const { mode, validation } = fieldsOf(tls);
	if (mode !== undefined && mode !== "None" && mode !== "ServerOnly") {
		return `has tls.mode ${JSON.stringify(mode)}, whose certificate has to be given to the waypoint by hand`;
	}
	if (fieldsOf(validation).caCertificateRefs !== undefined) {
		return "has caCertificateRefs, which have to be given to the waypoint by hand";
	}
	return plainProtocols.has(textOf(protocol) ?? "HTTP")
		? undefined
		: `has protocol ${JSON.stringify(protocol)}, which a waypoint would not speak to the host`;
}

/** Another object that says how to connect to the same host, or nobody who is led to the port. */
function contradiction(input: InputObject, group: readonly InputObject[], step: Step): string | undefined {
	const backend = backendOf(input);
	const tls = tlsOf(input);
	const rival = step.bundle.rulesAtGateway.get(backend?.host ?? "")?.[0];
	if (rival !== undefined) {
		return `and ${titleOf(rival)} both say how to connect to the host`;
	}
	const twin = group.find(
		(each) => backendOf(each)?.port === backend?.port && JSON.stringify(tlsOf(each)) !== JSON.stringify(tls),
	);
	if (twin !== undefined) {
		return `and ${titleOf(twin)} say different things of one port`;
	}
	return backend !== undefined && tls !== undefined && portsTo(backend, step).length === 0
		? "has a port that no client is led to"
		: undefined;
}
