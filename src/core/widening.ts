import { canonicalHost } from "./host-pattern.ts";
import type { Kind, ServiceEntry } from "./kinds.ts";
import { conformsToKind } from "./kinds.ts";
import type { Widening } from "./ratchet.ts";

const nothing: Widening = { any: false, hosts: false };

/**
 * What an update adds to a ServiceEntry. Objects of other kinds only say how traffic goes that some entry lets out; one
 * whose shape is wrong is refused for that.
 */
export function widensEgress(kind: Kind, object: unknown, old: unknown): Widening {
	if (
		kind !== "ServiceEntry" ||
		!conformsToKind("ServiceEntry", object) ||
		!conformsToKind("ServiceEntry", old)
	) {
		return nothing;
	}
	const hosts = isMore(hostsOf(object), hostsOf(old));
	return { hosts, any: hosts || isMore(waysOf(object), waysOf(old)) };
}

function isMore(now: Iterable<string>, before: Iterable<string>): boolean {
	const had = new Set(before);
	return [...now].some((each) => !had.has(each));
}

function* hostsOf({ spec }: ServiceEntry): Iterable<string> {
	for (const host of spec?.hosts ?? []) {
		yield canonicalHost(host);
	}
}

/** Each thing besides hosts by which an entry reaches out, as a text that differs from every other. */
function* waysOf({ spec }: ServiceEntry): Iterable<string> {
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
