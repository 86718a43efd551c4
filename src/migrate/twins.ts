import { canonicalHost } from "../core/host-pattern.ts";
import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textsOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Step } from "./step.ts";

/** The entries that are left where several of the input have one host at one waypoint, and those that have to go. */
export interface Singles {
	readonly entries: readonly BoundEntry[];
	readonly dropped: readonly InputObject[];
}

const why = "a waypoint knows one ServiceEntry for a host, whichever namespaces have one";

/**
 * Leaves each host to one of the entries that are bound to a waypoint: which of several the waypoint would know
 * changes from push to push (Istio pilot/pkg/networking/core/waypoint.go: findWaypointResources). The one in the
 * waypoint's namespace goes before the others, then the first of the input.
 */
export function withoutTwins(entries: readonly BoundEntry[], step: Step): Singles {
	const owners = new Map<string, BoundEntry>();
	const home = ({ namespace, waypoint }: BoundEntry): boolean => namespace === waypoint.namespace;
	for (const entry of [...entries.filter(home), ...entries.filter((each) => !home(each))]) {
		for (const host of entry.hosts) {
			const key = `${entry.waypoint.namespace}/${entry.waypoint.name} ${host}`;
			owners.set(key, owners.get(key) ?? entry);
		}
	}
	const result = new Map(entries.map((entry) => [entry, entry]));
	const dropped: InputObject[] = [];
	for (const entry of entries) {
		const { namespace, name } = entry.waypoint;
		const ownerOf = (host: string): BoundEntry => owners.get(`${namespace}/${name} ${host}`) ?? entry;
		const kept = entry.hosts.filter((host) => ownerOf(host) === entry);
		const lost = entry.hosts.filter((host) => ownerOf(host) !== entry);
		for (const [owner, hosts] of Map.groupBy(lost, ownerOf)) {
			result.set(owner, takeOver(result.get(owner) ?? owner, entry, hosts, step));
		}
		if (kept.length === 0) {
			result.delete(entry);
			dropped.push(...(entry.origin === undefined ? [] : [entry.origin]));
		} else if (lost.length > 0) {
			result.set(entry, withSpec(result.get(entry) ?? entry, { hosts: kept }));
		}
	}
	return { entries: [...result.values()], dropped };
}

/** One entry takes over hosts of another, and its ports where both are about the same hosts. */
function takeOver(owner: BoundEntry, twin: BoundEntry, hosts: readonly string[], step: Step): BoundEntry {
	const isSame = [owner, twin].every(({ hosts: own }) => own.length === hosts.length);
	const missing = twin.ports.filter(({ number }) => !owner.ports.some((port) => port.number === number));
	noteTwin(owner, twin, hosts, isSame, step);
	if (!isSame || missing.length === 0) {
		return owner;
	}
	const names = new Set(owner.ports.map((port) => port.name));
	const added = missing.map((port) =>
		names.has(port.name) ? { ...port, name: `${port.name}-${port.number}` } : port,
	);
	return withSpec(owner, { ports: [...owner.ports, ...added] });
}

function noteTwin(
	owner: BoundEntry,
	twin: BoundEntry,
	hosts: readonly string[],
	isSame: boolean,
	{ ledger, notes }: Step,
): void {
	const to = `ServiceEntry ${owner.namespace}/${owner.name}`;
	const { origin } = twin;
	if (origin === undefined) {
		return;
	}
	const spec = fieldsOf(origin.object.spec);
	const isLost = owner.namespace !== twin.namespace;
	if (twin.hosts.length === hosts.length) {
		ledger.note(origin, ["spec"], "carried", `as ${to}: ${why}`);
	}
	for (const [index, written] of textsOf(spec.hosts).entries()) {
		if (hosts.includes(canonicalHost(written))) {
			ledger.note(origin, ["spec", "hosts", index], isLost ? "not carried" : "carried", `as ${to}: ${why}`);
		}
	}
	for (const [index, port] of listOf(spec.ports).map(fieldsOf).entries()) {
		const same = owner.ports.find(({ number }) => number === port.number);
		if (same === undefined ? !isSame : !isAlike(same, port)) {
			ledger.note(origin, ["spec", "ports", index], "not carried", `${to} has the host, and ${why}`);
		}
	}
	for (const field of ["addresses", "endpoints", "workloadSelector", "subjectAltNames"]) {
		const own = fieldsOf(owner.origin?.object.spec)[field];
		if (spec[field] !== undefined && JSON.stringify(own) !== JSON.stringify(spec[field])) {
			ledger.note(origin, ["spec", field], "not carried", `${to} has the host, and ${why}`);
		}
	}
	const others = isLost
		? ` Both namespaces now share it, with its policies and routes; to keep them apart, give each namespace a waypoint of its own (annotation \`egress.waymark.dev/waypoint\` on the namespace).`
		: "";
	notes.push(
		`${hosts.map((host) => `\`${host}\``).join(", ")} stands in \`${owner.namespace}/${owner.name}\` and in \`${twin.namespace}/${twin.name}\`: ${why}, so it is bound once, as \`${owner.namespace}/${owner.name}\`.${others}`,
	);
}

function isAlike(one: EntryPort, other: Fields): boolean {
	const target = (port: Fields): unknown => port.targetPort ?? port.number;
	return (
		one.protocol.toUpperCase() === String(other.protocol).toUpperCase() &&
		(one.targetPort ?? one.number) === target(other)
	);
}

function withSpec(entry: BoundEntry, changes: Partial<Pick<BoundEntry, "hosts" | "ports">>): BoundEntry {
	const { object } = entry.output;
	const spec = { ...fieldsOf(object.spec), ...changes };
	return {
		...entry,
		...changes,
		output: { ...entry.output, stage: "2-switch", object: { ...object, spec } },
	};
}
