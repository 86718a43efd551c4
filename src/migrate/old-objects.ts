import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { coversHost } from "./bundles.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf, textsOf, valueAt } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Ledger } from "./ledger.ts";
import type { Bundle, Participant } from "./participant.ts";
import { answersItself } from "./route-features.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

const gone = "it goes with the egress gateway";
const own = "the waypoint does it for every client";

/** Says what became of the objects that only the egress gateway needed. */
export function noteOldObjects(conversion: Conversion, entries: readonly BoundEntry[]): StepResult {
	const step = beginStep(conversion);
	for (const participant of step.bundle.participants) {
		noteObject(participant.input, participant, step);
		switch (participant.role) {
			case "gateway":
				noteGateway(participant.input, step, entries);
				break;
			case "listeners":
				step.ledger.note(
					participant.input,
					["spec", "parentRef"],
					"implied",
					"the waypoint takes the gateway's place",
				);
				noteGateway(participant.input, step, entries);
				break;
			case "route":
				noteRoute(participant, step, entries);
				break;
			case "gateway rule":
				noteGatewayRule(participant.input, step);
				break;
			case "sidecar":
				noteSidecar(participant.input, step);
				break;
			case "client sidecar":
				noteClientSidecar(participant.input, step);
				break;
			case "mesh":
				noteMesh(participant.input, step);
				break;
			case "gateway policy":
				noteGatewayPolicy(participant.input, step);
				break;
			default:
				break;
		}
	}
	return endStep(step);
}

function noteObject(input: InputObject, { role }: Participant, { ledger }: Step): void {
	if (role === "entry" || role === "host rule" || role === "policy" || role === "asm") {
		return;
	}
	if (role === "client sidecar" || role === "mesh") {
		ledger.note(input, [], "implied", "it stays for the pods that have a sidecar still");
		return;
	}
	for (const field of ["apiVersion", "kind", "metadata"]) {
		ledger.note(input, [field], "implied", gone);
	}
	ledger.note(input, ["status"], "implied", gone);
}

/** Whether one of the entries answers for a host. */
function isRegistered(host: string, entries: readonly BoundEntry[]): boolean {
	return entries.some((entry) =>
		entry.hosts.some((each) => each === host || coversHost(each, host) || coversHost(host, each)),
	);
}

const impliedTls: ReadonlySet<string> = new Set([
	"mode",
	"credentialName",
	"serverCertificate",
	"privateKey",
	"caCertificates",
]);

function noteGateway(input: InputObject, step: Step, entries: readonly BoundEntry[]): void {
	const { ledger } = step;
	const spec = fieldsOf(input.object.spec);
	ledger.note(input, ["spec", "selector"], "implied", "the waypoint has pods of its own");
	ledger.note(input, ["spec", "gatewayClassName"], "implied", "the waypoint has a class of its own");
	ledger.note(input, ["spec", "allowedListeners"], "implied", "the waypoint takes every ServiceEntry");
	ledger.note(input, ["spec", "addresses"], "implied", "the waypoint has an address of its own");
	ledger.note(
		input,
		["spec", "infrastructure"],
		"implied",
		"it shaped the gateway's own Deployment and Service",
	);
	for (const [index, server] of listOf(spec.servers).map(fieldsOf).entries()) {
		noteServer(input, ["spec", "servers", index], server, step, entries);
	}
	for (const [index, listener] of listOf(spec.listeners).map(fieldsOf).entries()) {
		const base = ["spec", "listeners", index];
		ledger.note(input, base, "implied", "the ServiceEntry says which hosts and ports there are");
		const host = canonicalHost(textOf(listener.hostname) ?? "");
		if (host !== "" && !isRegistered(host, entries)) {
			ledger.note(input, [...base, "hostname"], "not carried", "no ServiceEntry leads to it");
		}
	}
}

function noteServer(
	input: InputObject,
	base: Path,
	server: Fields,
	step: Step,
	entries: readonly BoundEntry[],
): void {
	const { ledger } = step;
	for (const field of ["port", "name"]) {
		ledger.note(input, [...base, field], "implied", "the ServiceEntry says which ports there are");
	}
	for (const field of ["bind", "defaultEndpoint"]) {
		ledger.note(input, [...base, field], "not carried", "a waypoint has one listener for all");
	}
	for (const [at, written] of textsOf(server.hosts).entries()) {
		noteServerHost(input, [...base, "hosts", at], written, step, entries);
	}
	for (const field of Object.keys(fieldsOf(server.tls))) {
		const implied = impliedTls.has(field);
		const note = implied
			? "the way to the waypoint is mutual TLS by itself; TLS of the application passes through"
			: "it shaped the gateway's own listener";
		ledger.note(input, [...base, "tls", field], implied ? "implied" : "not carried", note);
	}
}

function noteServerHost(
	input: InputObject,
	path: Path,
	written: string,
	{ bundle, ledger, notes }: Step,
	entries: readonly BoundEntry[],
): void {
	const host = canonicalHost(written.slice(written.indexOf("/") + 1));
	if (host === "*") {
		ledger.note(input, path, "implied", "the waypoint serves every ServiceEntry that is bound to it");
	} else if (isRegistered(host, entries)) {
		ledger.note(input, path, "carried", "as a host of the ServiceEntry");
	} else if (isInside(host, bundle)) {
		const reason = "it is a name of this cluster, for which no ServiceEntry is written";
		ledger.note(input, path, "not carried", reason);
	} else {
		ledger.note(input, path, "not carried", "no route and no ServiceEntry leads to it");
		notes.push(
			`\`${host}\` stands in Gateway \`${input.namespace}/${input.name}\`, but nothing leads to it.`,
		);
	}
}

function noteRoute({ input, hops }: Participant, step: Step, entries: readonly BoundEntry[]): void {
	const { ledger, notes } = step;
	const spec = fieldsOf(input.object.spec);
	ledger.note(input, ["spec", "gateways"], "implied", "ztunnel leads every client to the waypoint");
	ledger.note(input, ["spec", "exportTo"], "implied", "it goes with the route");
	for (const [index, written] of textsOf(spec.hosts).entries()) {
		const host = canonicalHost(written);
		const found = host === "*" || isRegistered(host, entries);
		const note = found ? "as a host of the ServiceEntry" : "no ServiceEntry could be written for it";
		ledger.note(input, ["spec", "hosts", index], found ? "carried" : "not carried", note);
	}
	for (const family of ["http", "tls", "tcp"] as const) {
		for (const [index, route] of listOf(spec[family]).map(fieldsOf).entries()) {
			const base = ["spec", family, index];
			const isHop = [...(hops?.toGateway ?? []), ...(hops?.toHost ?? [])].some(
				(destination) => destination.path[1] === family && destination.path[2] === index,
			);
			if (!isHop && !(hops !== undefined && answersItself(route))) {
				const reason = strangeRoute(route, step.bundle);
				ledger.note(input, base, "not carried", reason);
				notes.push(`\`${input.namespace}/${input.name}\`: ${family}[${index}] was not carried: ${reason}.`);
			}
		}
	}
	noteCollapsed(input, hops?.toHost ?? [], step);
	if (input.kind !== "VirtualService") {
		noteGatewayRoute(input, step, entries);
	}
}

function strangeRoute(route: Readonly<Record<string, unknown>>, bundle: Bundle): string {
	const hosts = listOf(route.route).flatMap(
		(each) => textOf(fieldsOf(fieldsOf(each).destination).host) ?? [],
	);
	const { name, namespace } = fieldsOf(route.delegate);
	if (textOf(name) !== undefined) {
		return `its delegate ${textOf(namespace) ?? "of its own namespace"}/${String(name)} is not in the input: add it`;
	}
	const inside = hosts.find((host) => isInside(host, bundle));
	if (inside !== undefined) {
		return `it leads to ${inside}, a name of this cluster, for which no ServiceEntry is written`;
	}
	const foreign = hosts.filter((host) => !bundle.hosts.includes(canonicalHost(host)));
	return foreign.length > 0
		? `it leads to ${foreign.join(", ")}, which is none of the hosts: register it as a host of its own, or delete it`
		: "it is no hop of the way out: if it serves other traffic, keep it by hand";
}

/** Whether a route to a host of the way out leads to a name of the cluster, which is none outside. */
function isInside(host: string, { hosts }: Bundle): boolean {
	return hosts.includes(canonicalHost(host)) && /\.svc(?:\.|$)/.test(canonicalHost(host));
}

/** Several hosts that the gateway sent to one of them now each go their own way. */
function noteCollapsed(
	input: InputObject,
	toHost: readonly { readonly host: string }[],
	{ ledger, notes }: Step,
): void {
	const hosts = textsOf(fieldsOf(input.object.spec).hosts).map(canonicalHost);
	const targets = new Set(toHost.map((destination) => canonicalHost(destination.host)));
	const lost = hosts.filter((host) => host !== "*" && !targets.has(host));
	if (targets.size === 0 || lost.length === 0) {
		return;
	}
	const names = (all: Iterable<string>): string => [...all].map((host) => `\`${host}\``).join(", ");
	for (const host of lost) {
		const reason = `the gateway sent it to ${[...targets].join(", ")}, and from now on it is connected to under its own name`;
		ledger.note(input, ["spec", "hosts", hosts.indexOf(host)], "not carried", reason);
	}
	notes.push(
		`The gateway sent ${names(lost)} to ${names(targets)}. From now on each host is connected to under its own name.`,
	);
}

function noteGatewayRoute(
	input: InputObject,
	{ ledger, notes, inventory }: Step,
	entries: readonly BoundEntry[],
): void {
	const spec = fieldsOf(input.object.spec);
	ledger.note(input, ["spec", "parentRefs"], "implied", "ztunnel leads every client to the waypoint");
	for (const [index, name] of textsOf(spec.hostnames).entries()) {
		const found = isRegistered(canonicalHost(name), entries);
		const path = ["spec", "hostnames", index];
		if (!found && !isExternalName(name, inventory)) {
			const reason = "clients called the gateway by its own name: let them call the external host by its own";
			ledger.note(input, path, "not carried", reason);
			notes.push(`\`${name}\` in ${input.title} \`${input.namespace}/${input.name}\`: ${reason}.`);
			continue;
		}
		ledger.note(
			input,
			path,
			found ? "carried" : "not carried",
			found ? "as a host of the ServiceEntry" : own,
		);
	}
	for (const [index, rule] of listOf(spec.rules).map(fieldsOf).entries()) {
		const base = ["spec", "rules", index];
		for (const field of Object.keys(rule)) {
			const path = [...base, field];
			if (field === "backendRefs") {
				ledger.note(input, path, "implied", "the ServiceEntry says where the host is");
			} else if (field === "name") {
				ledger.note(input, path, "implied", "the name of a rule that goes");
			} else {
				ledger.note(input, path, "carried", "in the route at the waypoint");
			}
		}
	}
}

function noteGatewayRule(input: InputObject, { ledger, notes }: Step): void {
	const spec = fieldsOf(input.object.spec);
	for (const field of ["host", "exportTo", "workloadSelector"]) {
		ledger.note(input, ["spec", field], "implied", gone);
	}
	notePolicy(["spec", "trafficPolicy"], spec.trafficPolicy);
	for (const [index, subset] of listOf(spec.subsets).map(fieldsOf).entries()) {
		ledger.note(input, ["spec", "subsets", index], "implied", gone);
		notePolicy(["spec", "subsets", index, "trafficPolicy"], subset.trafficPolicy);
	}

	function notePolicy(path: readonly (string | number)[], value: unknown): void {
		const policy = fieldsOf(value);
		ledger.note(input, path, "implied", gone);
		ledger.note(input, [...path, "tls"], "implied", "the way to the waypoint is mutual TLS by itself");
		ledger.note(input, [...path, "loadBalancer"], "implied", "it spread traffic over the gateway's pods");
		for (const field of ["connectionPool", "outlierDetection", "tunnel", "proxyProtocol"]) {
			if (policy[field] !== undefined) {
				const reason =
					"it shaped the hop to the gateway: if it was meant for the host, put it into a DestinationRule for the host";
				ledger.note(input, [...path, field], "not carried", reason);
				notes.push(`\`${input.namespace}/${input.name}\`: ${field} was not carried: ${reason}.`);
			}
		}
		for (const [index, level] of listOf(policy.portLevelSettings).entries()) {
			notePolicy([...path, "portLevelSettings", index], level);
		}
	}
}

function noteSidecar(input: InputObject, { ledger, notes }: Step): void {
	ledger.note(input, ["spec"], "not carried", "nothing in ambient reads a Sidecar");
	const path = ["spec", "outboundTrafficPolicy", "egressProxy"];
	ledger.note(
		input,
		path,
		"not carried",
		"unknown hosts are not stopped in ambient: use a NetworkPolicy or a firewall",
	);
	notes.push(
		`Sidecar \`${input.namespace}/${input.name}\` sent unknown hosts to the egress gateway. Ambient lets unknown hosts pass: register them, and stop the rest with a NetworkPolicy or a firewall.`,
	);
}

const noRegistryOnly =
	"ambient has no REGISTRY_ONLY, so hosts without a ServiceEntry are reached directly; only a NetworkPolicy stops them";

/** The mesh configuration stops unknown hosts at every sidecar: pods in ambient do not have that. */
function noteMesh(input: InputObject, { ledger, notes }: Step): void {
	const { path = [], isText = false, value = {} } = input.mesh ?? {};
	for (const field of isText ? [] : ["outboundTrafficPolicy", "outbound_traffic_policy"]) {
		ledger.note(input, [...path, field, "mode"], "not carried", noRegistryOnly);
	}
	if (isText) {
		const reason = `of the mesh configuration, outboundTrafficPolicy.mode: ${noRegistryOnly}`;
		ledger.note(input, path, "not carried", reason);
	}
	const root = textOf(value.rootNamespace) ?? input.namespace;
	notes.push(
		`The mesh configuration in ${input.title} \`${input.namespace}/${input.name}\` has REGISTRY_ONLY: ${noRegistryOnly}. Before clients move, give their namespaces a NetworkPolicy that lets them reach the cluster and its DNS alone: the waypoints' own namespaces and \`${root}\` need none.`,
	);
}

/** A client's own Sidecar that stops unknown hosts: pods in ambient do not have that. */
function noteClientSidecar(input: InputObject, { ledger, notes }: Step): void {
	const reason = `pods in ambient do not read Sidecars, and ${noRegistryOnly}`;
	ledger.note(input, ["spec"], "not carried", "pods in ambient do not read Sidecars");
	ledger.note(input, ["spec", "outboundTrafficPolicy"], "not carried", reason);
	notes.push(
		`Sidecar \`${input.namespace}/${input.name}\` has REGISTRY_ONLY: ${reason}. Before the pods of \`${input.namespace}\` move, give them a NetworkPolicy that lets them reach the cluster and its DNS alone: the waypoint's own namespace needs none.`,
	);
}

const byHand = "it shapes the egress gateway's own proxy: move it by hand";

/** What a person makes of the objects that shape a gateway's own proxy, by their kinds. */
const afterwards: Readonly<Record<string, string>> = {
	PeerAuthentication:
		"A waypoint takes nothing but mutual TLS, from everybody: it needs no such object. Delete it with the gateway.",
	ProxyConfig:
		"If the waypoint needs the same, write one whose selector is `gateway.networking.k8s.io/gateway-name: WAYPOINT`, and restart the waypoint's pods.",
};

function noteGatewayPolicy(input: InputObject, { ledger, notes }: Step): void {
	ledger.note(input, ["spec"], "not carried", byHand);
	if (input.title === "PeerAuthentication") {
		ledger.note(input, ["spec", "selector"], "implied", gone);
		noteMutualTls(input, ["spec", "mtls"], ledger);
		for (const port of Object.keys(fieldsOf(fieldsOf(input.object.spec).portLevelMtls))) {
			noteMutualTls(input, ["spec", "portLevelMtls", port], ledger);
		}
	}
	const advice =
		afterwards[input.title] ??
		"Decide by hand what of it the waypoint needs (targetRefs instead of a selector).";
	notes.push(
		`${input.title} \`${input.namespace}/${input.name}\` selects the egress gateway's pods. ${advice}`,
	);
}

/** A gateway that took plain connections too had clients outside the mesh, whom a waypoint refuses. */
function noteMutualTls(input: InputObject, path: Path, ledger: Ledger): void {
	const { mode } = fieldsOf(valueAt(input.object, path));
	const isStrict = mode === "STRICT" || mode === "UNSET" || mode === undefined;
	const note = isStrict
		? "the way to the waypoint is mutual TLS by itself"
		: "a waypoint takes mutual TLS alone: clients that are in no mesh cannot use it";
	ledger.note(input, path, isStrict ? "implied" : "not carried", note);
}
