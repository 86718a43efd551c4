import { canonicalHost } from "../core/host-pattern.ts";
import type { WaypointReference } from "../core/settings.ts";
import { isEgressService, isExternalName } from "../istio/egress/services.ts";
import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import { portsBehind } from "./bound-entry.ts";
import { coversHost } from "./bundles.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Ledger } from "./ledger.ts";
import type { PortDemand } from "./port-demands.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";
import type { Singles } from "./twins.ts";
import { withoutTwins } from "./twins.ts";

const entryFields: ReadonlySet<string> = new Set([
	"hosts",
	"addresses",
	"ports",
	"location",
	"resolution",
	"endpoints",
	"workloadSelector",
	"exportTo",
	"subjectAltNames",
]);

/** The ServiceEntries of a bundle, bound to their waypoint: those of the input continued, the missing ones written. */
export function boundEntries(conversion: Conversion): StepResult & Singles {
	const step = beginStep(conversion);
	const { bundle, demands, inventory } = step;
	const every = bundle.participants
		.filter(({ role }) => role === "entry")
		.flatMap(({ input }) => continueEntry(input, step));
	const { entries: continued, dropped } = withoutTwins(every, step);
	const known = new Set(continued.flatMap((entry) => entry.hosts));
	const missing = [...new Set(demands.map((demand) => demand.host))].filter(
		(host) => !known.has(host) && ![...known].some((each) => coversHost(each, host)),
	);
	const inside = bundle.hosts.filter((each) => !isExternalName(each, inventory));
	for (const host of inside.filter((each) => !isEgressService(each, "", inventory))) {
		step.notes.push(
			`\`${host}\` is a name of this cluster: no ServiceEntry is written for it. Bind its Service to the waypoint by the same two labels, or give the external host its own name.`,
		);
	}
	const entries = [...continued, ...missing.map((host) => newEntry(host, step))];
	return { entries, dropped, ...endStep(step) };
}

function newEntry(host: string, step: Step): BoundEntry {
	const own = step.demands.filter((demand) => demand.host === host);
	const namespace = own[0]?.namespace ?? "default";
	const ports = own.map(portOf).toSorted((one, other) => one.number - other.number);
	const waypoint = step.waypointOf(namespace);
	const wildcard = host.startsWith("*");
	step.notes.push(
		`The input has no ServiceEntry for \`${host}\`, so one is written into namespace \`${namespace}\`. If another repository has one, add the two labels to that instead: two entries for one host hide each other.`,
	);
	const name = objectName(host);
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name, namespace, labels: labelsFor(waypoint) },
		spec: {
			hosts: [host],
			ports,
			location: "MESH_EXTERNAL",
			resolution: wildcard ? "DYNAMIC_DNS" : "DNS",
		},
	};
	if (wildcard) {
		noteWildcard(host, ports, step);
	}
	// An entry whose TLS begins at the waypoint goes together with the rule that begins it.
	const stage = ports.some((port) => port.targetPort !== undefined) ? "2-switch" : "1-add";
	const output: Output = { stage, object, purpose: `registers ${host} and binds it to the waypoint` };
	const behind = portsBehind([host], step.demands);
	return { namespace, name, hosts: [host], ports, output, waypoint, behind };
}

function portOf(demand: PortDemand): EntryPort {
	const name = `${demand.traffic.toLowerCase()}-${demand.port}`;
	const moved = demand.target !== undefined && demand.target !== demand.port;
	return {
		number: demand.port,
		name,
		protocol: demand.traffic,
		...(moved ? { targetPort: demand.target } : {}),
	};
}

function labelsFor({ namespace, name }: WaypointReference): Readonly<Record<string, string>> {
	return { "istio.io/use-waypoint": name, "istio.io/use-waypoint-namespace": namespace };
}

/** Fields of the metadata that the API server writes. */
export const serverFields: readonly string[] = [
	"resourceVersion",
	"uid",
	"creationTimestamp",
	"generation",
	"managedFields",
	"selfLink",
];

/** Metadata of a continued object, without what the API server wrote into it. */
export function plainMetadata(input: InputObject, ledger: Ledger): Fields {
	for (const field of serverFields) {
		ledger.note(input, ["metadata", field], "implied", "the API server writes it");
	}
	const metadata = without(fieldsOf(input.object.metadata), ...serverFields);
	const applied = "kubectl.kubernetes.io/last-applied-configuration";
	const annotations = fieldsOf(metadata.annotations);
	if (!Object.hasOwn(annotations, applied)) {
		return metadata;
	}
	ledger.note(input, ["metadata", "annotations", applied], "implied", "kubectl writes it");
	return { ...metadata, annotations: without(annotations, applied) };
}

function continueEntry(input: InputObject, step: Step): readonly BoundEntry[] {
	const { ledger, inventory } = step;
	const waypoint = step.waypointOf(input.namespace);
	ledger.note(input, [], "carried", "the same ServiceEntry, bound to the waypoint");
	ledger.note(input, ["status"], "implied", "istiod writes it");
	const metadata = plainMetadata(input, ledger);
	const labels = fieldsOf(metadata.labels);
	const spec = readableSpec(input, step);
	const hosts = textsOf(spec.hosts).map(canonicalHost);
	const bound = Object.hasOwn(labels, "istio.io/use-waypoint")
		? labels
		: { ...labels, ...labelsFor(waypoint) };
	const endpoints = listOf(spec.endpoints).filter((endpoint, index) => {
		const address = textOf(fieldsOf(endpoint).address) ?? "";
		const through = isEgressService(address, input.namespace, inventory);
		if (through) {
			const path = ["spec", "endpoints", index];
			ledger.note(input, path, "implied", "the detour through the egress gateway is not needed");
		}
		return !through;
	});
	const named = { ...metadata, namespace: input.namespace, labels: bound };
	const isDetour = endpoints.length < listOf(spec.endpoints).length;
	const rest = {
		...(endpoints.length > 0 ? { ...spec, endpoints } : without(spec, "endpoints")),
		...(spec.addresses === undefined ? {} : { addresses: listOf(spec.addresses).map(withoutFullMask) }),
		...(isDetour ? { ports: withoutDetour(input, listOf(spec.ports), step) } : {}),
	};
	return splitEntry(input, hosts, rest, step).map((piece, index) => {
		const name = index === 0 ? input.name : `${objectName(input.name)}-${piece.suffix}`.slice(0, 253);
		const object = {
			...without(input.object, "status"),
			metadata: { ...named, name },
			spec: piece.spec,
		};
		const isSame = sameButMetadata(piece.spec, fieldsOf(input.object.spec));
		const output: Output = {
			stage: isSame || index > 0 ? "1-add" : "2-switch",
			object,
			...(index === 0 ? { base: input } : {}),
			purpose: `binds ${piece.hosts.join(", ")} to the waypoint`,
		};
		const ports = listOf(piece.spec.ports) as readonly EntryPort[];
		const behind = portsBehind(piece.hosts, step.demands);
		return {
			namespace: input.namespace,
			name,
			hosts: piece.hosts,
			ports,
			output,
			waypoint,
			behind,
			origin: input,
		};
	});
}

/** The ports of an entry whose endpoints were the gateway: a targetPort there was a port of the gateway. */
function withoutDetour(input: InputObject, ports: readonly unknown[], { ledger }: Step): readonly Fields[] {
	return ports.map(fieldsOf).map((port, index) => {
		const path = ["spec", "ports", index, "targetPort"];
		ledger.note(input, path, "implied", "it was a port of the egress gateway");
		return without(port, "targetPort");
	});
}

// A block of one address is that address, which resolution DNS can stand for.
function withoutFullMask(address: unknown): unknown {
	return typeof address === "string"
		? address.replace(/^([\d.]+)\/32$|^([\da-f:]+)\/128$/i, "$1$2")
		: address;
}

function sameButMetadata(one: Fields, other: Fields): boolean {
	return JSON.stringify(one) === JSON.stringify(other);
}

/** The fields that a ServiceEntry has; everything else only ever looked like configuration. */
function readableSpec(input: InputObject, { ledger, notes }: Step): Fields {
	const spec = fieldsOf(input.object.spec);
	const unknown = Object.keys(spec).filter((field) => !entryFields.has(field));
	for (const field of unknown) {
		ledger.note(input, ["spec", field], "not carried", "no field of a ServiceEntry: the API server drops it");
	}
	if (spec.exportTo !== undefined) {
		const reason = "ambient does not honour exportTo, every namespace of the mesh sees the host";
		const isPublic = textsOf(spec.exportTo).every((each) => each === "*");
		ledger.note(input, ["spec", "exportTo"], isPublic ? "implied" : "not carried", reason);
		if (!isPublic) {
			notes.push(
				`ServiceEntry \`${input.namespace}/${input.name}\` had exportTo: ${reason}. Limit who may use it by an AuthorizationPolicy.`,
			);
		}
	}
	return without(spec, ...unknown, "exportTo");
}

interface EntryPiece {
	readonly suffix: string;
	readonly hosts: readonly string[];
	readonly spec: Fields;
}

/** One entry for each way in which ambient has to reach the hosts: by name, by wildcard, by name on plain TCP. */
function splitEntry(
	input: InputObject,
	hosts: readonly string[],
	spec: Fields,
	step: Step,
): readonly EntryPiece[] {
	const hasAddresses = listOf(spec.addresses).length > 0;
	const wildcards = hosts.filter((host) => host.startsWith("*"));
	const names = hosts.filter((host) => !host.startsWith("*"));
	if (hasAddresses || wildcards.length === 0) {
		return splitTcp(input, hosts, named(input, hosts, spec, hasAddresses, step), step);
	}
	const pieces: EntryPiece[] = [];
	if (names.length > 0) {
		const own = named(input, names, { ...spec, hosts: names }, hasAddresses, step);
		pieces.push(...splitTcp(input, names, own, step));
	}
	pieces.push({ suffix: "wildcard", hosts: wildcards, spec: wildcard(input, wildcards, spec, step) });
	return pieces;
}

function named(
	input: InputObject,
	hosts: readonly string[],
	spec: Fields,
	hasAddresses: boolean,
	step: Step,
): Fields {
	const resolution = textOf(spec.resolution) ?? "NONE";
	const ports = mergedPorts(hosts, spec, step);
	const passive =
		(resolution === "NONE" && !hasAddresses) ||
		(resolution === "STATIC" && listOf(spec.endpoints).length === 0 && spec.workloadSelector === undefined);
	if (passive) {
		step.ledger.note(
			input,
			["spec", "resolution"],
			"carried",
			"as DNS: without it ambient never captures the host",
		);
	}
	const endpoints = endpointsBehind(hosts, spec, step);
	return {
		...spec,
		ports,
		...(endpoints === undefined ? {} : { endpoints }),
		...(passive ? { resolution: "DNS" } : {}),
	};
}

/** The endpoints with their own ports for the port behind the gateway at the name of the clients' port. */
function endpointsBehind(
	hosts: readonly string[],
	spec: Fields,
	{ demands }: Step,
): readonly Fields[] | undefined {
	const names = new Map(
		listOf(spec.ports)
			.map(fieldsOf)
			.map(({ number, name }) => [number, textOf(name) ?? ""]),
	);
	const moved = [...portsBehind(hosts, demands)].map(([port, target]) => [
		names.get(port) ?? "",
		names.get(target) ?? "",
	]);
	if (moved.length === 0 || spec.endpoints === undefined) {
		return undefined;
	}
	return listOf(spec.endpoints)
		.map(fieldsOf)
		.map((endpoint) => {
			if (endpoint.ports === undefined) {
				return endpoint;
			}
			const own = fieldsOf(endpoint.ports);
			const kept = without(own, ...moved.map(([name = ""]) => name));
			const carried = moved.flatMap(([name = "", behind = ""]) =>
				own[behind] === undefined ? [] : [[name, own[behind]] as const],
			);
			const ports = { ...kept, ...Object.fromEntries(carried) };
			return Object.keys(ports).length === 0 ? without(endpoint, "ports") : { ...endpoint, ports };
		});
}

/** The entry's ports with those that the routes need, and with the port behind the gateway as targetPort. */
function mergedPorts(hosts: readonly string[], spec: Fields, step: Step): readonly unknown[] {
	const ports = [...listOf(spec.ports)];
	for (const demand of step.demands) {
		if (!hosts.some((host) => host === demand.host || coversHost(host, demand.host))) {
			continue;
		}
		const index = ports.findIndex((port) => fieldsOf(port).number === demand.port);
		const existing = fieldsOf(ports[index]);
		if (index < 0) {
			ports.push(portOf({ ...demand, target: endpointPort(demand.target, spec) }));
		} else if (demand.target !== undefined && demand.target !== demand.port) {
			ports[index] = { ...existing, targetPort: endpointPort(demand.target, spec) };
		}
	}
	return ports;
}

/** The port of the endpoints behind a port of the ServiceEntry, as which a gateway's route names it. */
function endpointPort(target: number | undefined, spec: Fields): number | undefined {
	const declared = listOf(spec.ports)
		.map(fieldsOf)
		.find((port) => port.number === target);
	return numberOf(declared?.targetPort) ?? target;
}

const httpClass = /^(?:HTTP|HTTP2|HTTP_PROXY|GRPC|GRPC-WEB)$/i;
const tlsClass = /^(?:HTTPS|TLS)$/i;

function isPlain(port: unknown): boolean {
	const protocol = textOf(fieldsOf(port).protocol) ?? "";
	return !httpClass.test(protocol) && !tlsClass.test(protocol);
}

// istiod refuses several hosts beside a port that is neither HTTP nor TLS: nothing could tell them apart.
function splitTcp(
	input: InputObject,
	hosts: readonly string[],
	spec: Fields,
	step: Step,
): readonly EntryPiece[] {
	const ports = listOf(spec.ports);
	const plain = ports.filter(isPlain);
	if (hosts.length < 2 || plain.length === 0 || spec.resolution === "NONE") {
		return [{ suffix: "", hosts, spec }];
	}
	const owners = step.demands.filter((demand) => demand.traffic === "TCP" && hosts.includes(demand.host));
	const owner = owners[0]?.host ?? hosts[0] ?? "";
	const others = hosts.filter((host) => host !== owner);
	step.notes.push(
		`ServiceEntry \`${input.namespace}/${input.name}\` has several hosts beside a TCP port, which istiod refuses: the TCP ports now belong to \`${owner}\` alone.`,
	);
	return [
		{
			suffix: "",
			hosts: others,
			spec: { ...spec, hosts: others, ports: ports.filter((port) => !isPlain(port)) },
		},
		{ suffix: objectName(owner), hosts: [owner], spec: { ...spec, hosts: [owner] } },
	].filter((piece) => listOf(fieldsOf(piece.spec).ports).length > 0);
}

function wildcard(input: InputObject, hosts: readonly string[], spec: Fields, step: Step): Fields {
	const ports = mergedPorts(hosts, spec, step).flatMap((port): readonly Fields[] => {
		const own = fieldsOf(port);
		const protocol = textOf(own.protocol) ?? "";
		if (httpClass.test(protocol)) {
			return [{ ...own, protocol: "HTTP" }];
		}
		if (tlsClass.test(protocol)) {
			return [{ ...own, protocol: "TLS" }];
		}
		step.notes.push(
			`Port ${String(numberOf(own.number) ?? "?")} of \`${input.namespace}/${input.name}\` is plain TCP: a wildcard host cannot be reached that way.`,
		);
		return [];
	});
	step.ledger.note(
		input,
		["spec", "resolution"],
		"carried",
		"as DYNAMIC_DNS, the only resolution by which ambient captures a wildcard host",
	);
	noteWildcard(hosts.join(", "), ports as unknown as readonly EntryPort[], step);
	for (const field of ["endpoints", "workloadSelector", "location"]) {
		if (spec[field] !== undefined) {
			const outcome = field === "location" ? "implied" : "not carried";
			step.ledger.note(input, ["spec", field], outcome, "DYNAMIC_DNS takes the address from the request");
		}
	}
	return {
		...without(spec, "endpoints", "workloadSelector", "location"),
		hosts,
		ports,
		resolution: "DYNAMIC_DNS",
	};
}

function noteWildcard(host: string, ports: readonly EntryPort[], { notes }: Step): void {
	const tls = ports.some((port) => port.protocol === "TLS")
		? " Its TLS port needs ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS=true on istiod, from Istio 1.29."
		: "";
	notes.push(`\`${host}\` is a wildcard: DYNAMIC_DNS needs Istio 1.28 or newer.${tls}`);
}
