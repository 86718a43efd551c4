import { readEntryAnnotations } from "../core/annotations.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Bits } from "../reach/bits.ts";
import { either, except, hasBit, isEmpty } from "../reach/bits.ts";
import type { Outlet, Reach, TlsKind, WayOut } from "../reach/reach.ts";
import { allowanceOf, lineText, refusalOf } from "../reach/word.ts";

/** An object that a row points to. */
export interface RowObject {
	readonly apiVersion: string;
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
}

/** An exemption of a declaring namespace. */
export interface RowExemption {
	readonly namespace: string;
	readonly rule: string;
	readonly until: string;
	readonly reason: string;
	/** Days until it ends; 0 on the last day, negative after it. */
	readonly daysLeft: number;
}

/** One port of one host, by one way: who declares it, who may reach it, and who can. Sets are of `Table.namespaces`. */
export interface Row {
	readonly host: string;
	readonly port: number;
	readonly protocol: string;
	readonly tls: TlsKind;
	readonly way: WayOut;
	/** `NAMESPACE/NAME`. */
	readonly waypoint: string | null;
	readonly declaredBy: readonly RowObject[];
	readonly may: Bits;
	readonly can: Bits;
	readonly gap: Bits;
	/** Whose policy allows it to some ServiceAccounts only, while pods of others get there. */
	readonly unnamed: Bits;
	/** Part of `can`: connections that no entry answers, or that ztunnel does not see. */
	readonly past: Bits;
	/** Those whom AuthorizationPolicies at the waypoint refuse. */
	readonly refused: Bits;
	/** Which line of the policy of each declaring namespace allows it. */
	readonly allowedBy: readonly { readonly namespace: string; readonly line: string }[];
	readonly owner: string | null;
	readonly ticket: string | null;
	readonly reason: string | null;
	/** YYYY-MM-DD. */
	readonly reviewBy: string | null;
	readonly exemptions: readonly RowExemption[];
	/** When the oldest of the declaring objects was created; RFC 3339. */
	readonly since: string | null;
}

/** The inventory of one cluster. */
export interface Table {
	/** What people call the cluster; null when nobody said. */
	readonly cluster: string | null;
	/** The day for which it holds, YYYY-MM-DD. */
	readonly day: string;
	readonly namespaces: readonly string[];
	/** Ordered by host, port and protocol. */
	readonly rows: readonly Row[];
	/** Sets of namespaces that a label names, for people. */
	readonly labelled: readonly { readonly label: string; readonly members: Bits }[];
}

/** Makes the inventory of what was worked out about a world. */
export function tabulate(reach: Reach, inventory: Inventory, day: string, cluster: string | null): Table {
	const groups = Map.groupBy(
		reach.outlets,
		({ host, port, protocol, way, waypoint }) => `${host} ${port} ${protocol} ${way} ${waypoint}`,
	);
	return {
		cluster,
		day,
		namespaces: reach.namespaces,
		rows: [...groups.values()].flatMap((outlets) => rowOf(outlets, inventory, day) ?? []),
		labelled: labelsOf(reach.namespaces, inventory),
	};
}

function rowOf(outlets: readonly Outlet[], inventory: Inventory, day: string): Row | undefined {
	const [first] = outlets;
	if (first === undefined) {
		return undefined;
	}
	const union = (of: (outlet: Outlet) => Bits): Bits => outlets.map(of).reduce(either);
	const can = union((outlet) => outlet.can);
	const stated = statedOf(outlets);
	return {
		host: first.host,
		port: first.port,
		protocol: first.protocol,
		tls: first.tls,
		way: first.way,
		waypoint: first.waypoint ?? null,
		declaredBy: outlets.map(({ declaredBy, entry }) => ({
			apiVersion: entry.apiVersion ?? "networking.istio.io/v1",
			kind: "ServiceEntry",
			...declaredBy,
		})),
		may: first.may,
		can,
		gap: except(can, first.may),
		unnamed: union((outlet) => either(outlet.unnamed, outlet.unnamedPast)),
		past: first.past,
		refused: except(
			union((outlet) => outlet.refused),
			can,
		),
		allowedBy: allowedBy(outlets, inventory),
		owner: stated.owner ?? null,
		ticket: stated.ticket ?? null,
		reason: stated.reason ?? null,
		reviewBy: stated["review-by"] ?? null,
		exemptions: exemptionsOf(outlets, inventory, day),
		since: sinceOf(outlets),
	};
}

/** What the entries say of themselves; the first one that says it counts. */
function statedOf(outlets: readonly Outlet[]): ReturnType<typeof readEntryAnnotations>["values"] {
	const readings = outlets.map(
		({ entry, declaredBy }) =>
			readEntryAnnotations(entry.metadata?.annotations ?? {}, declaredBy.namespace).values,
	);
	return Object.assign({}, ...readings.toReversed());
}

function namespacesOf(outlets: readonly Outlet[]): readonly string[] {
	return [...new Set(outlets.map(({ declaredBy }) => declaredBy.namespace))];
}

function allowedBy(outlets: readonly Outlet[], inventory: Inventory): Row["allowedBy"] {
	const { host = "", port, protocol = "" } = outlets[0] ?? {};
	return namespacesOf(outlets).flatMap((namespace) => {
		const policy = inventory.policy(namespace);
		const isRefused = refusalOf(policy, { host, port, protocol }) !== undefined;
		const line = isRefused ? undefined : allowanceOf(policy, host);
		return line === undefined ? [] : [{ namespace, line: lineText(line) }];
	});
}

function exemptionsOf(
	outlets: readonly Outlet[],
	inventory: Inventory,
	day: string,
): readonly RowExemption[] {
	return namespacesOf(outlets).flatMap((namespace) =>
		[...inventory.policy(namespace).exemptions]
			.map(([rule, { until, reason }]) => ({
				namespace,
				rule,
				until,
				reason,
				daysLeft: daysBetween(day, until),
			}))
			.toSorted((one, other) => (one.rule < other.rule ? -1 : 1)),
	);
}

/** Whole days from one day to another, both YYYY-MM-DD. */
export function daysBetween(from: string, until: string): number {
	return Math.round((Date.parse(until) - Date.parse(from)) / 86_400_000);
}

function sinceOf(outlets: readonly Outlet[]): string | null {
	const times = outlets.flatMap(({ entry }) => entry.metadata?.creationTimestamp ?? []).toSorted();
	return times[0] ?? null;
}

/** A label that only names its namespace says nothing about a set of them. */
const ownName = "kubernetes.io/metadata.name";

function labelsOf(namespaces: readonly string[], inventory: Inventory): Table["labelled"] {
	const members = new Map<string, number[]>();
	for (const [place, name] of namespaces.entries()) {
		for (const [key, value] of Object.entries(inventory.get("Namespace", "", name)?.metadata?.labels ?? {})) {
			if (key !== ownName) {
				const label = `${key}=${value}`;
				members.set(label, [...(members.get(label) ?? []), place]);
			}
		}
	}
	return [...members]
		.filter(([, places]) => places.length > 1)
		.toSorted(([one], [other]) => (one < other ? -1 : 1))
		.slice(0, 1000)
		.map(([label, places]) => {
			const bits = new Uint32Array((namespaces.length + 31) >>> 5);
			for (const place of places) {
				bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31));
			}
			return { label, members: bits };
		});
}

/** The part of an inventory that is about one namespace: what it declares, may reach, or can reach. */
export function ofNamespace(table: Table, namespace: string): Table {
	const place = table.namespaces.indexOf(namespace);
	const isIn = (bits: Bits): boolean => place >= 0 && hasBit(bits, place);
	const rows = table.rows.filter(
		({ may, can, declaredBy }) =>
			isIn(may) || isIn(can) || declaredBy.some((each) => each.namespace === namespace),
	);
	return { ...table, rows };
}

/** The names of a set. */
export function namesOf(bits: Bits, { namespaces }: Pick<Table, "namespaces">): readonly string[] {
	return isEmpty(bits) ? [] : namespaces.filter((_, place) => hasBit(bits, place));
}
