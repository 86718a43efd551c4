import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { useWaypointLabel } from "../../core/policy.ts";
import { parseProtocol } from "../../core/port-range.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { goQuote, isDnsLabel, isWildcard } from "../../istio/entry/hosts.ts";
import type { Complaint } from "./validation-problem.ts";

/** Where an entry stands: istiod compares its namespace with `exportTo` and names it in a message. */
export interface EntryPlace {
	readonly namespace: string;
	readonly name: string;
}

const refusedAnnotations: readonly string[] = [
	"istio.io/dry-run",
	"internal.istio.io/webhook-always-reject",
	"internal.istio.io/parent-namespace",
	"internal.istio.io/parents",
];

/** Annotations that make istiod refuse an object whatever else it says (validation.go: validateMetadata). */
export function* complaintsOfAnnotations(entry: ServiceEntry, place: EntryPlace): Iterable<Complaint> {
	const annotations = entry.metadata?.annotations ?? {};
	const found = refusedAnnotations.filter((name) => Object.hasOwn(annotations, name));
	for (const [index, name] of found.entries()) {
		// istiod stops at the first.
		yield {
			path: ["metadata", "annotations", name],
			...(index === 0 ? { said: wordsOnAnnotation(name, place) } : {}),
			message: `The annotation ${name} is not for a ServiceEntry, and istiod refuses every object that carries it`,
			hint: "Remove the annotation",
		};
	}
}

function wordsOnAnnotation(name: string, place: EntryPlace): string {
	if (name === "istio.io/dry-run") {
		return `${place.namespace}/${place.name} has unsupported annotation ${name}, please remove the annotation`;
	}
	return name.endsWith("always-reject")
		? `${goQuote(name)} annotation found, rejecting`
		: `${goQuote(name)} annotation found, this may not be set by users`;
}

/** What istiod says about the selector of an entry (ValidateAlphaWorkloadSelector); an error hides all others. */
export function* complaintsOfSelector(entry: ServiceEntry): Iterable<Complaint> {
	const { selector, resolution } = specOf(entry);
	if (selector === undefined) {
		return;
	}
	for (const [key, value] of Object.entries(selector)) {
		const path = ["spec", "workloadSelector", "labels", key];
		const pair = goQuote(`${key}=${value}`);
		if (key === "") {
			yield {
				path,
				said: `empty key is not supported in selector: ${pair}`,
				message: "The selector has a label without a key",
				hint: "Name the label or remove it",
			};
		}
		if (key.includes("*") || value.includes("*")) {
			yield {
				path,
				said: `wildcard is not supported in selector: ${pair}`,
				message: `The selector has a wildcard in ${quote(`${key}=${value}`)}, and labels are compared as they are`,
				hint: "Write the label's full key and value",
			};
		}
	}
	if (Object.keys(selector).length === 0) {
		yield {
			path: ["spec", "workloadSelector"],
			severity: "warning",
			said: "service entry: workload selector specified without labels, will be applied to all services in namespace",
			message: "The selector has no labels, so it selects every workload of the namespace",
			hint: "Name the labels, or remove workloadSelector",
		};
	}
	if (resolution === "NONE") {
		yield {
			path: ["spec", "workloadSelector"],
			severity: "warning",
			said: "workloadSelector should not be set when resolution mode is NONE",
			message: "Resolution NONE sends traffic where it was going anyway, so the selector has no effect",
			hint: "Write resolution: STATIC, or remove workloadSelector",
		};
	}
}

/** The protocols that resolution DYNAMIC_DNS takes in a minor version of Istio; undefined where it does not exist. */
function dynamicProtocols(istioMinor: number): readonly string[] | undefined {
	if (istioMinor < 28) {
		return undefined;
	}
	return istioMinor === 28
		? ["HTTP"]
		: istioMinor === 29
			? ["HTTP", "TLS"]
			: ["HTTP", "TLS", "GRPC", "HTTP2"];
}

/** What istiod of a minor version asks of resolution DYNAMIC_DNS (ValidateServiceEntry at the tags 1.28 to 1.31). */
export function* complaintsOfDynamicDns(entry: ServiceEntry, istioMinor: number): Iterable<Complaint> {
	const { resolution, hosts, addresses, endpoints, ports, location } = specOf(entry);
	if (resolution !== "DYNAMIC_DNS") {
		return;
	}
	const accepted = dynamicProtocols(istioMinor);
	if (accepted === undefined) {
		yield {
			path: ["spec", "resolution"],
			message: `Istio 1.${istioMinor} does not know resolution DYNAMIC_DNS, which came with 1.28`,
			hint: "Name each host in a ServiceEntry with resolution: DNS",
		};
		return;
	}
	for (const [index, host] of hosts.entries()) {
		if (!isWildcard(host)) {
			yield {
				path: ["spec", "hosts", index],
				said: "host must be wildcarded for resolution mode DYNAMIC_DNS",
				message: `Resolution DYNAMIC_DNS is for wildcards, and ${quote(host)} is one host`,
				hint: "Write a ServiceEntry of its own with resolution: DNS for this host",
			};
		}
	}
	if (addresses.length > 0) {
		yield {
			path: ["spec", "addresses"],
			said: "addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values",
			message: "Resolution DYNAMIC_DNS goes by the host that a request names, so it takes no addresses",
			hint: "Remove addresses: Istio allocates them",
		};
	}
	if (endpoints.length > 0) {
		yield {
			path: ["spec", "endpoints"],
			said: "endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values",
			message: "Resolution DYNAMIC_DNS looks up the host that a request names, so it takes no endpoints",
			hint: "Remove endpoints, or write resolution: DNS",
		};
	}
	for (const [index, { protocol }] of ports.entries()) {
		if (!accepted.includes(parseProtocol(protocol) ?? "")) {
			yield {
				path: ["spec", "ports", index, "protocol"],
				said: "only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS",
				message: `Resolution DYNAMIC_DNS takes ${accepted.join(", ")}, and this port has ${protocol === "" ? "no protocol" : quote(protocol)}`,
				hint: "Write protocol: HTTP, with a targetPort of 443 and a DestinationRule where the server wants TLS",
			};
		}
	}
	const label = entry.metadata?.labels?.[useWaypointLabel] ?? "";
	if (location === "MESH_INTERNAL" && istioMinor < 30) {
		yield {
			path: ["spec", "location"],
			message: `Istio 1.${istioMinor} takes resolution DYNAMIC_DNS for external hosts only, and this one says MESH_INTERNAL`,
			hint: "Write location: MESH_EXTERNAL",
		};
	} else if (location === "MESH_INTERNAL" && label !== "" && label.toLowerCase() !== "none") {
		yield {
			path: ["spec", "location"],
			said: "location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints",
			message:
				"A waypoint takes resolution DYNAMIC_DNS for external hosts only, and this one says MESH_INTERNAL",
			hint: "Write location: MESH_EXTERNAL",
		};
	}
}

/** What istiod says about `exportTo` (validateExportTo). */
export function* complaintsOfExportTo(entry: ServiceEntry, place: EntryPlace): Iterable<Complaint> {
	const { exportTo } = specOf(entry);
	const seen = new Set<string>();
	for (const [index, item] of exportTo.entries()) {
		const path = ["spec", "exportTo", index];
		const key = item === "." ? place.namespace : item;
		if (seen.has(key)) {
			yield duplicateExport(path, item, key, withoutDuplicates(exportTo, place));
		} else if (item === "~" || item === "*" || isDnsLabel(key)) {
			seen.add(key);
		} else {
			yield {
				path,
				said: "only .,*, or a valid DNS 1123 label is allowed as exportTo entry",
				message: `${quote(item)} is not a namespace`,
				hint: 'Write the name of a namespace, "." for this one or "*" for all',
			};
		}
	}
	if (seen.has("*") && exportTo.length > 1) {
		yield {
			path: ["spec", "exportTo"],
			said: "cannot have both public (*) and non-public exportTo values for a resource",
			message: 'The list exportTo names "*", which is every namespace, and others besides',
			hint: 'Write ["*"], or leave exportTo out, which means the same',
		};
	}
	if (seen.has("~") && exportTo.length > 1) {
		yield {
			path: ["spec", "exportTo"],
			said: "cannot export service entry to no one (~) and someone",
			message: 'The list exportTo names "~", which is nobody, and others besides',
			hint: 'Keep "~" or the others',
		};
	}
}

function withoutDuplicates(exportTo: readonly string[], place: EntryPlace): readonly string[] {
	const keys = exportTo.map((item) => (item === "." ? place.namespace : item));
	return exportTo.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
}

function duplicateExport(path: Path, item: string, key: string, deduplicated: readonly string[]): Complaint {
	return {
		path,
		// The whole list, since removals by index would get in each other's way.
		fix: [{ op: "set", path: ["spec", "exportTo"], value: deduplicated }],
		said:
			key === item
				? `duplicate entries in exportTo for entry ${item}`
				: `duplicate entries in exportTo: . and current namespace ${key}`,
		message: `The list exportTo names ${item === "." ? 'this namespace twice, once as "."' : `${quote(item)} twice`}`,
		hint: "Remove one of them",
	};
}
