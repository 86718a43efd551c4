import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Bundle, Part } from "./bundles.ts";
import { coversHost } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import type { Item } from "./item.ts";
import type { Ledger } from "./ledger.ts";
import { fieldsOf, listOf, textOf, textsOf, valueAt } from "./raw.ts";
import { answersItself } from "./route-features.ts";

const gone = "it goes with the egress gateway";
const own = "the waypoint does it for every client";

/** Says what became of the objects that only the egress gateway needed. */
export function noteOldParts(conversion: Conversion, entries: readonly BoundEntry[]): void {
	for (const part of conversion.bundle.parts) {
		noteObject(part.item, part, conversion);
		switch (part.role) {
			case "gateway":
				noteGateway(part.item, conversion, entries);
				break;
			case "route":
				noteRoute(part, conversion, entries);
				break;
			case "gateway rule":
				noteGatewayRule(part.item, conversion);
				break;
			case "sidecar":
				noteSidecar(part.item, conversion);
				break;
			case "satellite":
				noteSatellite(part.item, conversion);
				break;
			default:
				break;
		}
	}
}

function noteObject(item: Item, { role }: Part, { ledger }: Conversion): void {
	if (role === "entry" || role === "host rule" || role === "policy" || role === "asm") {
		return;
	}
	for (const field of ["apiVersion", "kind", "metadata"]) {
		ledger.note(item, [field], "implied", gone);
	}
	ledger.note(item, ["status"], "implied", gone);
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

function noteGateway(item: Item, { ledger, notes }: Conversion, entries: readonly BoundEntry[]): void {
	const spec = fieldsOf(item.object.spec);
	ledger.note(item, ["spec", "selector"], "implied", "the waypoint has pods of its own");
	ledger.note(item, ["spec", "gatewayClassName"], "implied", "the waypoint has a class of its own");
	ledger.note(item, ["spec", "addresses"], "implied", "the waypoint has an address of its own");
	for (const [index, server] of listOf(spec.servers).map(fieldsOf).entries()) {
		const base = ["spec", "servers", index];
		for (const field of ["port", "name"]) {
			ledger.note(item, [...base, field], "implied", "the ServiceEntry says which ports there are");
		}
		for (const field of ["bind", "defaultEndpoint"]) {
			ledger.note(item, [...base, field], "not carried", "a waypoint has one listener for all");
		}
		for (const [at, written] of textsOf(server.hosts).entries()) {
			const host = canonicalHost(written.slice(written.indexOf("/") + 1));
			const path = [...base, "hosts", at];
			if (host === "*") {
				ledger.note(item, path, "implied", "the waypoint serves every ServiceEntry that is bound to it");
			} else if (isRegistered(host, entries)) {
				ledger.note(item, path, "carried", "as a host of the ServiceEntry");
			} else {
				ledger.note(item, path, "not carried", "no route and no ServiceEntry leads to it");
				notes.push(
					`\`${host}\` stands in Gateway \`${item.namespace}/${item.name}\`, but nothing leads to it.`,
				);
			}
		}
		for (const field of Object.keys(fieldsOf(server.tls))) {
			const implied = impliedTls.has(field);
			const note = implied
				? "the way to the waypoint is mutual TLS by itself; TLS of the application passes through"
				: "it shaped the gateway's own listener";
			ledger.note(item, [...base, "tls", field], implied ? "implied" : "not carried", note);
		}
	}
	for (const [index, listener] of listOf(spec.listeners).map(fieldsOf).entries()) {
		const base = ["spec", "listeners", index];
		ledger.note(item, base, "implied", "the ServiceEntry says which hosts and ports there are");
		const host = canonicalHost(textOf(listener.hostname) ?? "");
		if (host !== "" && !isRegistered(host, entries)) {
			ledger.note(item, [...base, "hostname"], "not carried", "no ServiceEntry leads to it");
		}
	}
}

function noteRoute({ item, hops }: Part, conversion: Conversion, entries: readonly BoundEntry[]): void {
	const { ledger, notes } = conversion;
	const spec = fieldsOf(item.object.spec);
	ledger.note(item, ["spec", "gateways"], "implied", "ztunnel leads every client to the waypoint");
	ledger.note(item, ["spec", "exportTo"], "implied", "it goes with the route");
	for (const [index, written] of textsOf(spec.hosts).entries()) {
		const host = canonicalHost(written);
		const found = host === "*" || isRegistered(host, entries);
		const note = found ? "as a host of the ServiceEntry" : "no ServiceEntry could be written for it";
		ledger.note(item, ["spec", "hosts", index], found ? "carried" : "not carried", note);
	}
	for (const family of ["http", "tls", "tcp"] as const) {
		for (const [index, route] of listOf(spec[family]).map(fieldsOf).entries()) {
			const base = ["spec", family, index];
			const isHop = [...(hops?.steers ?? []), ...(hops?.forwards ?? [])].some(
				(leg) => leg.path[1] === family && leg.path[2] === index,
			);
			if (!isHop && !(hops !== undefined && answersItself(route))) {
				const reason = strangeRoute(route, conversion.bundle);
				ledger.note(item, base, "not carried", reason);
				notes.push(`\`${item.namespace}/${item.name}\`: ${family}[${index}] was not carried: ${reason}.`);
			}
		}
	}
	noteCollapsed(item, hops?.forwards ?? [], conversion);
	if (item.kind !== "VirtualService") {
		noteGatewayRoute(item, conversion, entries);
	}
}

function strangeRoute(route: Readonly<Record<string, unknown>>, bundle: Bundle): string {
	const hosts = listOf(route.route).flatMap(
		(each) => textOf(fieldsOf(fieldsOf(each).destination).host) ?? [],
	);
	const foreign = hosts.filter((host) => !bundle.hosts.includes(canonicalHost(host)));
	return foreign.length > 0
		? `it leads to ${foreign.join(", ")}, which is none of the hosts: register it as a host of its own, or let go of it`
		: "it is no hop of the way out: if it serves other traffic, keep it by hand";
}

/** Several hosts that the gateway sent to one of them now each go their own way. */
function noteCollapsed(
	item: Item,
	forwards: readonly { readonly host: string }[],
	{ notes }: Conversion,
): void {
	const hosts = textsOf(fieldsOf(item.object.spec).hosts).map(canonicalHost);
	const targets = new Set(forwards.map((leg) => canonicalHost(leg.host)));
	const lost = hosts.filter(
		(host) => host !== "*" && !targets.has(host) && ![...targets].some((target) => coversHost(host, target)),
	);
	if (targets.size > 0 && lost.length > 0) {
		notes.push(
			`The gateway sent ${lost.map((host) => `\`${host}\``).join(", ")} to ${[...targets].map((host) => `\`${host}\``).join(", ")}. From now on each host is connected to under its own name.`,
		);
	}
}

function noteGatewayRoute(
	item: Item,
	{ ledger, notes, inventory }: Conversion,
	entries: readonly BoundEntry[],
): void {
	const spec = fieldsOf(item.object.spec);
	ledger.note(item, ["spec", "parentRefs"], "implied", "ztunnel leads every client to the waypoint");
	for (const [index, name] of textsOf(spec.hostnames).entries()) {
		const found = isRegistered(canonicalHost(name), entries);
		const path = ["spec", "hostnames", index];
		if (!found && !isExternalName(name, inventory)) {
			const reason = "clients called the gateway by its own name: let them call the external host by its own";
			ledger.note(item, path, "not carried", reason);
			notes.push(`\`${name}\` in ${item.title} \`${item.namespace}/${item.name}\`: ${reason}.`);
			continue;
		}
		ledger.note(item, path, found ? "carried" : "not carried", found ? "as a host of the ServiceEntry" : own);
	}
	for (const [index, rule] of listOf(spec.rules).map(fieldsOf).entries()) {
		const base = ["spec", "rules", index];
		for (const field of Object.keys(rule)) {
			const path = [...base, field];
			if (field === "backendRefs") {
				ledger.note(item, path, "implied", "the ServiceEntry says where the host is");
			} else if (field === "name") {
				ledger.note(item, path, "implied", "the name of a rule that goes");
			} else {
				ledger.note(item, path, "carried", "in the route at the waypoint");
			}
		}
	}
}

function noteGatewayRule(item: Item, { ledger, notes }: Conversion): void {
	const spec = fieldsOf(item.object.spec);
	for (const field of ["host", "exportTo", "workloadSelector"]) {
		ledger.note(item, ["spec", field], "implied", gone);
	}
	notePolicy(["spec", "trafficPolicy"], spec.trafficPolicy);
	for (const [index, subset] of listOf(spec.subsets).map(fieldsOf).entries()) {
		ledger.note(item, ["spec", "subsets", index], "implied", gone);
		notePolicy(["spec", "subsets", index, "trafficPolicy"], subset.trafficPolicy);
	}

	function notePolicy(path: readonly (string | number)[], value: unknown): void {
		const policy = fieldsOf(value);
		ledger.note(item, path, "implied", gone);
		ledger.note(item, [...path, "tls"], "implied", "the way to the waypoint is mutual TLS by itself");
		ledger.note(item, [...path, "loadBalancer"], "implied", "it spread traffic over the gateway's pods");
		for (const field of ["connectionPool", "outlierDetection", "tunnel", "proxyProtocol"]) {
			if (policy[field] !== undefined) {
				const reason =
					"it shaped the hop to the gateway: if it was meant for the host, put it into a DestinationRule for the host";
				ledger.note(item, [...path, field], "not carried", reason);
				notes.push(`\`${item.namespace}/${item.name}\`: ${field} was not carried: ${reason}.`);
			}
		}
		for (const [index, level] of listOf(policy.portLevelSettings).entries()) {
			notePolicy([...path, "portLevelSettings", index], level);
		}
	}
}

function noteSidecar(item: Item, { ledger, notes }: Conversion): void {
	ledger.note(item, ["spec"], "not carried", "nothing in ambient reads a Sidecar");
	const path = ["spec", "outboundTrafficPolicy", "egressProxy"];
	ledger.note(
		item,
		path,
		"not carried",
		"unknown hosts are not stopped in ambient: use a NetworkPolicy or a firewall",
	);
	notes.push(
		`Sidecar \`${item.namespace}/${item.name}\` sent unknown hosts to the egress gateway. Ambient lets unknown hosts pass: register them, and stop the rest with a NetworkPolicy or a firewall.`,
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

function noteSatellite(item: Item, { ledger, notes }: Conversion): void {
	ledger.note(item, ["spec"], "not carried", byHand);
	if (item.title === "PeerAuthentication") {
		ledger.note(item, ["spec", "selector"], "implied", gone);
		noteMutualTls(item, ["spec", "mtls"], ledger);
		for (const port of Object.keys(fieldsOf(fieldsOf(item.object.spec).portLevelMtls))) {
			noteMutualTls(item, ["spec", "portLevelMtls", port], ledger);
		}
	}
	const advice =
		afterwards[item.title] ??
		"Decide by hand what of it the waypoint needs (targetRefs instead of a selector).";
	notes.push(`${item.title} \`${item.namespace}/${item.name}\` selects the egress gateway's pods. ${advice}`);
}

/** A gateway that took plain connections too had clients outside the mesh, whom a waypoint refuses. */
function noteMutualTls(item: Item, path: Path, ledger: Ledger): void {
	const { mode } = fieldsOf(valueAt(item.object, path));
	const isStrict = mode === "STRICT" || mode === "UNSET" || mode === undefined;
	const note = isStrict
		? "the way to the waypoint is mutual TLS by itself"
		: "a waypoint takes mutual TLS alone: clients that are in no mesh cannot use it";
	ledger.note(item, path, isStrict ? "implied" : "not carried", note);
}
