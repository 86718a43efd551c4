import { canonicalHost } from "./host-pattern.ts";
import type { Kind, ServiceEntry } from "./kinds.ts";
import { conformsToKind } from "./kinds.ts";

/**
 * Whether an update adds a host, an address, an endpoint or a port to a ServiceEntry. Objects of other kinds only say
 * how traffic goes that some entry lets out; one whose shape is wrong is refused for that.
 */
export function widensEgress(kind: Kind, object: unknown, old: unknown): boolean {
	if (
		kind !== "ServiceEntry" ||
		!conformsToKind("ServiceEntry", object) ||
		!conformsToKind("ServiceEntry", old)
	) {
		return false;
	}
	const before = new Set(reachOf(old));
	return [...reachOf(object)].some((each) => !before.has(each));
}

/** Each thing by which an entry reaches out, as a text that differs from every other. */
function* reachOf({ spec }: ServiceEntry): Iterable<string> {
	for (const host of spec?.hosts ?? []) {
		yield `host ${canonicalHost(host)}`;
	}
	for (const address of spec?.addresses ?? []) {
		yield `address ${address}`;
	}
	for (const { address, ports } of spec?.endpoints ?? []) {
		yield `endpoint ${address ?? ""} ${JSON.stringify(Object.entries(ports ?? {}).sort())}`;
	}
	for (const { number, targetPort } of spec?.ports ?? []) {
		yield `port ${number ?? 0} ${targetPort ?? 0}`;
	}
}
