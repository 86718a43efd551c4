import type { AddressRange } from "../core/address-range.ts";
import { isSingle, parseAddressRange, rangeContains } from "../core/address-range.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { ServiceEntry } from "../core/kinds.ts";
import { isAmbientNamespace } from "../core/policy.ts";
import type { FindRoll, HostCapture } from "../istio/capture/capture.ts";
import { captureOf, rollsOf, serviceBehind } from "../istio/capture/capture.ts";
import { captureReason, isCaptured } from "../istio/capture/owners.ts";
import type { WorkloadAddress } from "../istio/capture/workload-address.ts";
import { workloadsOfEntry, workloadsWithin } from "../istio/capture/workload-address.ts";
import { specOf } from "../istio/entry/entry.ts";
import { wildcardsAbove } from "../istio/entry/hosts.ts";
import { visibilityOf } from "../istio/waypoint/waypoint.ts";
import type { Candidate, Step } from "./steps.ts";
import {
	addressStep,
	answerStep,
	canaryShare,
	entryText,
	portStep,
	rivalStep,
	unboundOutcome,
	waypointStep,
	workloadStep,
} from "./steps.ts";

/** Where a connection ends up. */
export interface Outcome {
	/** `blocked`: the waypoint has no such port, or ztunnel closes it. `refused`: a policy at the waypoint does. */
	readonly kind: "waypoint" | "direct" | "unknown" | "blocked" | "refused";
	readonly waypoint: string | null;
	readonly text: string;
}

/** The way of a connection, step by step. */
export interface Route {
	readonly host: string;
	readonly port: number | undefined;
	readonly from: string;
	readonly steps: readonly Step[];
	readonly outcome: Outcome;
}

/** What a person asks: from pods of a namespace to a host or an IP address, and perhaps a port. */
export interface RouteQuestion {
	readonly host: string;
	readonly port: number | undefined;
	readonly from: string;
}

/** The way of a connection as far as ztunnel and the waypoint's listeners decide it. */
export interface Followed {
	readonly route: Route;
	/** The host of the entry that answers; undefined: none does, or ztunnel does not ask. */
	readonly answer: Candidate | undefined;
	/** A Service of the cluster answers, so that this is not egress. */
	readonly isInside: boolean;
}

/** Follows a connection as ztunnel and the waypoint would (ztunnel src/dns/server.rs, src/proxy/outbound.rs). */
export function followRoute(question: RouteQuestion, inventory: Inventory): Followed {
	const host = canonicalHost(question.host);
	const client = clientStep(question.from, inventory);
	const finish = (
		steps: readonly Step[],
		outcome: Outcome,
		answer?: Candidate,
		isInside = false,
	): Followed => ({
		route: {
			host,
			port: question.port,
			from: question.from,
			steps: [client.step, ...steps],
			outcome,
		},
		answer,
		isInside,
	});
	if (!client.captured) {
		return finish([], direct("directly: ztunnel does not see the connection"));
	}
	const address = parseAddressRange(host);
	const found =
		address === undefined
			? byName(host, question.from, inventory)
			: byAddress(address, question.from, inventory);
	if (found.chosen === undefined) {
		return finish(found.steps, found.outcome, undefined, found.isInside);
	}
	const { chosen } = found;
	const steps = [...found.steps, addressStep(chosen), waypointStep(chosen)];
	const waypoint = chosen.capture.waypoint;
	if (waypoint === undefined) {
		return finish(steps, direct(unboundOutcome(chosen)), chosen);
	}
	const workload = workloadInTheWay(chosen, waypoint, address, inventory);
	if (workload !== undefined) {
		const way = workloadStep(workload, waypoint);
		const outcome = way.waypoint === undefined ? direct(way.text) : through(way.waypoint, way.text);
		return finish([...steps, way.step], outcome, chosen);
	}
	const rival = rivalStep(chosen, waypoint, inventory);
	if (rival !== undefined) {
		const text = `uncertain: ${waypoint} knows only one of two entries, and closes the connections of the other`;
		return finish([...steps, rival], { kind: "blocked", waypoint, text }, chosen);
	}
	const port = question.port === undefined ? undefined : portStep(chosen, question.port, waypoint);
	const share = canaryShare(chosen, inventory);
	return finish(
		[...steps, ...(share === undefined ? [] : [share.step]), ...(port === undefined ? [] : [port.step])],
		port?.blocked === true
			? { kind: "blocked", waypoint, text: `blocked: ${waypoint} closes the connection` }
			: through(waypoint, `through ${waypoint}${share?.text ?? ""}`),
		chosen,
	);
}

/** The way of a connection, without what AuthorizationPolicies make of it. */
export function traceRoute(question: RouteQuestion, inventory: Inventory): Route {
	return followRoute(question, inventory).route;
}

function direct(text: string): Outcome {
	return { kind: "direct", waypoint: null, text };
}

function through(waypoint: string, text: string): Outcome {
	return { kind: "waypoint", waypoint, text };
}

/**
 * A workload with the address that the client asks for, or with one that the entry lists, whose waypoint is another than
 * the entry's: ztunnel prefers workloads to services (ztunnel src/state.rs: find_address).
 */
function workloadInTheWay(
	{ entry, namespace, name, capture }: Candidate,
	waypoint: string,
	asked: AddressRange | undefined,
	inventory: Inventory,
): WorkloadAddress | undefined {
	const listed = capture.addresses === "listed" ? rangesOf(entry, capture) : [];
	const own = [...workloadsOfEntry(entry, { namespace, name }, inventory)];
	for (const range of asked === undefined ? listed.filter(isSingle) : [asked]) {
		const all = [
			...own.filter((each) => rangeContains(range, each.address)),
			...workloadsWithin(range, { namespace, name }, inventory),
		];
		const other = all.find((each) => each.waypoint !== waypoint);
		if (other !== undefined) {
			return other;
		}
	}
	return undefined;
}

function clientStep(from: string, inventory: Inventory): { readonly captured: boolean; readonly step: Step } {
	const namespace = inventory.get("Namespace", "", from);
	if (namespace === undefined) {
		return {
			captured: true,
			step: {
				mark: "note",
				text: `Pods of ${from} are taken to be in ambient: nothing is known of the namespace`,
				details: [],
			},
		};
	}
	return isAmbientNamespace(namespace.metadata?.labels ?? {})
		? {
				captured: true,
				step: {
					mark: "good",
					text: `Pods of ${from} are in ambient, so ztunnel sees their connections`,
					details: [],
				},
			}
		: {
				captured: false,
				step: {
					mark: "bad",
					text: `Pods of ${from} are not in ambient, so ztunnel does not see their connections`,
					details: [
						"The namespace has no label istio.io/dataplane-mode: ambient; a pod may have it, and sidecars ignore waypoints",
					],
				},
			};
}

interface Found {
	readonly chosen: Candidate | undefined;
	readonly steps: readonly Step[];
	readonly outcome: Outcome;
	readonly isInside?: boolean;
}

function byName(host: string, from: string, inventory: Inventory): Found {
	const missed: Candidate[] = [];
	const findRoll = rollsOf(inventory);
	// Itself, then the wildcards above it (ztunnel src/dns/server.rs: find_server).
	for (const name of [host, ...wildcardsAbove(host)]) {
		const service = name === host ? serviceBehind(host, inventory) : undefined;
		const all = candidatesFor(name, inventory, findRoll);
		missed.push(...all.filter((each) => !answers(each, name, from, inventory)));
		const found = all.filter((each) => answers(each, name, from, inventory));
		const chosen = choose(found, from);
		if (service !== undefined && (chosen === undefined || chosen.namespace !== from)) {
			return inCluster(host, `${service.metadata?.namespace}/${service.metadata?.name}`);
		}
		if (chosen !== undefined) {
			const others = [...found.filter((each) => each !== chosen), ...missed];
			return { chosen, steps: [answerStep(chosen, host, from, others)], outcome: unknown(host) };
		}
	}
	const step: Step = {
		mark: "bad",
		text: `No ServiceEntry answers for ${host}, so ztunnel passes the connection on`,
		details: missed.map(
			(each) => `${entryText(each)} has ${each.capture.host}, but ${whyNot(each, host, inventory)}`,
		),
	};
	return { chosen: undefined, steps: [step], outcome: unknown(host) };
}

function unknown(host: string): Outcome {
	return {
		kind: "unknown",
		waypoint: null,
		text: `unknown to the mesh: ${host} is reached directly, past every waypoint`,
	};
}

function inCluster(host: string, service: string): Found {
	return {
		chosen: undefined,
		steps: [
			{ mark: "note", text: `Service ${service} answers for ${host}: this is not egress`, details: [] },
		],
		outcome: direct(`inside the cluster, to Service ${service}`),
		isInside: true,
	};
}

function candidatesFor(name: string, inventory: Inventory, findRoll: FindRoll): readonly Candidate[] {
	const candidates: Candidate[] = [];
	for (const entry of inventory.lookup("serviceEntryByHost", name)) {
		candidates.push(
			...candidatesOf(entry, inventory, findRoll).filter(
				({ capture }) => canonicalHost(capture.host) === name,
			),
		);
	}
	return candidates;
}

function candidatesOf(entry: ServiceEntry, inventory: Inventory, findRoll: FindRoll): readonly Candidate[] {
	const namespace = entry.metadata?.namespace ?? "";
	const name = entry.metadata?.name ?? "";
	return captureOf(entry, { namespace, name }, inventory, findRoll).map((capture) => ({
		entry,
		namespace,
		name,
		capture,
	}));
}

/** ztunnel compares hosts as they are written with the lower-case names of queries. */
function answers(
	{ namespace, capture }: Candidate,
	name: string,
	from: string,
	inventory: Inventory,
): boolean {
	return capture.host === name && isCaptured(capture) && isVisible(namespace, from, inventory);
}

function isVisible(namespace: string, from: string, inventory: Inventory): boolean {
	return namespace === from || visibilityOf(namespace, inventory) === "PUBLIC";
}

function whyNot({ namespace, capture }: Candidate, host: string, inventory: Inventory): string {
	if (capture.known && canonicalHost(capture.host) === host && capture.host !== host) {
		return "ztunnel compares names as they are written, and queries are in lower case without a final dot";
	}
	if (isCaptured(capture) && visibilityOf(namespace, inventory) !== "PUBLIC") {
		return `the mesh shows it to ${namespace} only`;
	}
	return captureReason(capture);
}

/** The client's own namespace first, then the canonical one, then any. */
function choose(found: readonly Candidate[], from: string): Candidate | undefined {
	return (
		found.find((each) => each.namespace === from) ?? found.find((each) => each.capture.canonical) ?? found[0]
	);
}

function byAddress(address: AddressRange, from: string, inventory: Inventory): Found {
	const found: { readonly candidate: Candidate; readonly prefix: number }[] = [];
	const findRoll = rollsOf(inventory);
	for (const entry of inventory.all("ServiceEntry")) {
		for (const candidate of candidatesOf(entry, inventory, findRoll)) {
			const ranges = rangesOf(entry, candidate.capture).filter((range) => rangeContains(range, address));
			if (ranges.length > 0 && isVisible(candidate.namespace, from, inventory)) {
				found.push({ candidate, prefix: Math.max(...ranges.map((range) => range.prefix)) });
			}
		}
	}
	// ztunnel state.rs: the whole address, then (same namespace, prefix length, canonical).
	const width = address.family === 4 ? 32 : 128;
	const rank = ({ candidate, prefix }: (typeof found)[number]): number =>
		(prefix === width ? 1024 : 0) +
		(candidate.namespace === from ? 512 : 0) +
		prefix * 2 +
		(candidate.capture.canonical ? 1 : 0);
	const sorted = found.toSorted((one, other) => rank(other) - rank(one)).map(({ candidate }) => candidate);
	const [service] = [...inventory.lookup("serviceByAddress", address.text)];
	if (service !== undefined && sorted.length === 0) {
		return inCluster(address.text, `${service.metadata?.namespace}/${service.metadata?.name}`);
	}
	const [chosen, ...others] = sorted;
	if (chosen === undefined) {
		const step: Step = {
			mark: "bad",
			text: `No ServiceEntry has the address ${address.text}, so ztunnel passes the connection on`,
			details: [],
		};
		return { chosen: undefined, steps: [step], outcome: unknown(address.text) };
	}
	return { chosen, steps: [answerStep(chosen, address.text, from, others)], outcome: unknown(address.text) };
}

function rangesOf(entry: ServiceEntry, capture: HostCapture): readonly AddressRange[] {
	const texts =
		capture.addresses === "listed"
			? specOf(entry).addresses
			: capture.addresses === "automatic"
				? (entry.status?.addresses ?? []).flatMap((each) =>
						each.host === capture.host ? (each.value ?? []) : [],
					)
				: [];
	return texts.flatMap((text) => parseAddressRange(text) ?? []);
}
