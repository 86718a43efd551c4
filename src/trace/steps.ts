import type { Inventory } from "../core/inventory.ts";
import type { ServiceEntry } from "../core/kinds.ts";
import type { HostCapture } from "../istio/capture/capture.ts";
import { captureReason, isCaptured } from "../istio/capture/owners.ts";
import type { WorkloadAddress } from "../istio/capture/workload-address.ts";
import { formatWorkload } from "../istio/capture/workload-address.ts";
import type { EntryPort } from "../istio/entry/entry.ts";
import { specOf } from "../istio/entry/entry.ts";
import { isProtocolOf } from "../istio/entry/ports.ts";
import { canaryOf, usedCanary } from "../istio/waypoint/canary.ts";
import { rivalAt } from "../istio/waypoint/rivals.ts";

/** How a step of the way turned out: as governed egress wants it, otherwise, or neither. */
export type StepMark = "good" | "bad" | "note";

/** One step of the way that a connection takes, with its reason. */
export interface Step {
	readonly mark: StepMark;
	readonly text: string;
	/** What more there is to know about it, a line each. */
	readonly details: readonly string[];
}

/** One host of an entry that may answer. */
export interface Candidate {
	readonly entry: ServiceEntry;
	readonly namespace: string;
	readonly name: string;
	readonly capture: HostCapture;
}

/** `ServiceEntry NAMESPACE/NAME`. */
export function entryText({ namespace, name }: Candidate): string {
	return `ServiceEntry ${namespace}/${name}`;
}

/** Which entry answers, why it and not another, and whom it hides. */
export function answerStep(
	chosen: Candidate,
	asked: string,
	from: string,
	others: readonly Candidate[],
): Step {
	const by = chosen.capture.host === asked ? "" : ` by ${chosen.capture.host}`;
	const why =
		chosen.namespace === from
			? "the client's own namespace comes first"
			: chosen.capture.canonical
				? "the oldest one counts where the client's namespace has none"
				: "no other is known";
	const hidden = others
		.slice(0, 8)
		.map(
			(each) =>
				`${entryText(each)} has ${each.capture.host} too, and ${isCaptured(each.capture) ? "is hidden by it" : captureReason(each.capture)}`,
		);
	return {
		mark: "good",
		text: `${entryText(chosen)} answers for ${asked}${by}: ${why}`,
		details: [
			...hidden,
			...(others.length > 8 ? [`and ${others.length - 8} more`] : []),
			...(chosen.capture.standing.isTied
				? [
						"another one was created in the same second: either may win, and a restart of istiod may change it",
					]
				: []),
		],
	};
}

/** By which addresses ztunnel knows the host. */
export function addressStep({ entry, capture }: Candidate): Step {
	const listed = specOf(entry).addresses;
	const allocated = (entry.status?.addresses ?? []).flatMap((each) =>
		each.host === capture.host ? (each.value ?? []) : [],
	);
	const text =
		capture.addresses === "listed"
			? `ztunnel knows it by the addresses that are listed: ${listed.slice(0, 4).join(", ")}${listed.length > 4 ? ", …" : ""}`
			: `ztunnel knows it by an address that Istio allocates${allocated.length > 0 ? `: ${allocated.join(", ")}` : ""}`;
	return { mark: "good", text, details: [] };
}

/** Which waypoint ztunnel is given, or why none. */
export function waypointStep({ capture }: Candidate): Step {
	const { binding } = capture;
	if (binding.status === "None") {
		return { mark: "bad", text: `No waypoint: ${noneReason(capture)}`, details: [] };
	}
	const { request, reason, state } = binding;
	const named = `${request.waypoint.namespace}/${request.waypoint.name}`;
	const by = request.by === "object" ? "its own label" : "the label of its namespace";
	if (capture.waypoint !== undefined) {
		return { mark: "good", text: `Bound to waypoint ${named} by ${by}`, details: [] };
	}
	return {
		mark: "bad",
		text: `Not bound to waypoint ${named}, which ${by} names: ${binding.status === "True" ? "its address is one that ztunnel cannot use" : reason}`,
		details: [
			...(state.gateway === undefined ? ["There is no such Gateway"] : []),
			...(state.neverReady === undefined ? [] : [`It never becomes ready: ${state.neverReady}`]),
			...(reason === "AttachmentDenied"
				? ["allowedRoutes of its HBONE listener on port 15008 do not admit this namespace"]
				: []),
			...(reason === "UnsupportedTrafficType"
				? [`It serves ${JSON.stringify(state.trafficType)} traffic, not service traffic`]
				: []),
			"There is no fall-back: ztunnel connects directly",
		],
	};
}

function noneReason({ binding }: HostCapture): string {
	const request = binding.request;
	if (!request.asked && request.optedOut !== undefined) {
		return `the label istio.io/use-waypoint: none of the ${request.optedOut === "object" ? "ServiceEntry" : "namespace"} opts out`;
	}
	return "neither the ServiceEntry nor its namespace has the label istio.io/use-waypoint";
}

/** The part of the connections that a second waypoint gets; undefined: the first one gets all. */
export function canaryShare(
	{ entry, namespace }: Candidate,
	inventory: Inventory,
): { readonly step: Step; readonly text: string } | undefined {
	const canary = canaryOf(entry, namespace, inventory);
	if (canary === undefined) {
		return undefined;
	}
	const name = `${canary.waypoint.namespace}/${canary.waypoint.name}`;
	const by = canary.isOwn ? "its own label" : "the label of its namespace";
	if (usedCanary(entry, namespace, inventory) === undefined) {
		const text = `The canary waypoint ${name}, which ${by} names, gets no connection`;
		return { step: { mark: "note", text, details: [] }, text: "" };
	}
	return {
		step: {
			mark: "note",
			text: `${canary.weight} % of the connections go through the canary waypoint ${name}, which ${by} names`,
			details: ["the policies of that waypoint hold for them, and not those of the first"],
		},
		text: `, and ${canary.weight} % of the connections through ${name}`,
	};
}

/** What a connection without a waypoint comes to. */
export function unboundOutcome({ entry, capture }: Candidate): string {
	return specOf(entry).resolution === "DYNAMIC_DNS" && capture.host.startsWith("*")
		? "directly, and fails: without a waypoint nobody resolves the hosts of DYNAMIC_DNS"
		: "directly, past every waypoint";
}

/** That another namespace sends the host through the same waypoint, which then knows only one of the two. */
export function rivalStep(chosen: Candidate, waypoint: string, inventory: Inventory): Step | undefined {
	const { namespace, name, capture } = chosen;
	const [where = "", what = ""] = waypoint.split("/");
	const rival = rivalAt(capture.host, { namespace: where, name: what }, { namespace, inventory });
	return (
		rival && {
			mark: "bad",
			text: `${waypoint} knows only one of ${namespace}/${name} and ${rival.metadata?.namespace}/${rival.metadata?.name}, and which one changes from push to push`,
			details: ["Connections to the address of the other are closed, and its policies are gone"],
		}
	);
}

/** That a workload has the address, so that ztunnel asks no service, and where the connection goes then. */
export function workloadStep(
	workload: WorkloadAddress,
	passed: string | undefined,
): { readonly step: Step; readonly waypoint: string | undefined; readonly text: string } {
	const { address, waypoint } = workload;
	const past = passed === undefined ? "every waypoint" : passed;
	return {
		step: {
			mark: waypoint === undefined ? "bad" : "note",
			text: `${address.text} is also the address of a workload, ${formatWorkload(workload)}: ztunnel asks the workload first, and no service`,
			details: waypoint === undefined ? [] : [`the workload is bound to waypoint ${waypoint}`],
		},
		waypoint,
		text: waypoint === undefined ? `directly, past ${past}` : `through ${waypoint}`,
	};
}

/** What the waypoint does with a port. */
export function portStep(
	{ entry }: Candidate,
	number: number,
	waypoint: string,
): { readonly blocked: boolean; readonly step: Step } {
	const port = specOf(entry).ports.find((each) => each.number === number);
	if (port === undefined) {
		return {
			blocked: true,
			step: {
				mark: "bad",
				text: `Port ${number} is none of the ServiceEntry's, so ${waypoint} closes the connection`,
				details: [],
			},
		};
	}
	const target =
		port.targetPort === 0 || port.targetPort === number ? "" : `, and leaves for port ${port.targetPort}`;
	return {
		blocked: port.protocol.toUpperCase() === "UDP",
		step: {
			mark: port.protocol.toUpperCase() === "UDP" ? "bad" : "good",
			text: `Port ${number} ${protocolText(port)}${target}`,
			details: [],
		},
	};
}

function protocolText({ protocol }: EntryPort): string {
	if (isProtocolOf("http", protocol)) {
		return `is ${protocol}: policies on methods, paths and headers hold`;
	}
	if (protocol === "") {
		return "names no protocol: the waypoint looks at the first bytes, and HTTP policies hold where it sees HTTP";
	}
	return protocol.toUpperCase() === "UDP"
		? "is UDP, which a waypoint drops"
		: `is ${protocol}: it passes as TCP, so only policies on connections hold`;
}
