import type { WorkloadEntrySpec } from "../../core/kinds.ts";

/** Whether istiod looks hosts or endpoints up in DNS. */
export function resolvesByDns(resolution: string): boolean {
	return resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
}

/** Whether a STATIC endpoint has neither address nor network: istiod then looks no further at it (validateWorkloadEntry). */
export function isUnlocated({ address, network }: WorkloadEntrySpec, resolution: string): boolean {
	return resolution === "STATIC" && (address ?? "") === "" && (network ?? "") === "";
}
