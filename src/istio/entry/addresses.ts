import { parseAddressRange, rangeContains } from "../../core/address-range.ts";

/** Whether Go's netip.ParseAddr reads a text, a zone included; the same parser in all of istiod. */
export function isIPAddress(text: string): boolean {
	const percent = text.indexOf("%");
	// A zone may contain anything, a slash too.
	const address = percent > 0 && percent < text.length - 1 ? text.slice(0, percent) : text;
	if (address.includes("/")) {
		return false;
	}
	return parseAddressRange(address) !== undefined && (address === text || address.includes(":"));
}

/** Whether istiod takes a text as an address or a CIDR (Istio pkg/config/validation/agent: ValidateIPSubnet). */
export function isIPSubnet(text: string): boolean {
	return text.split("/").length === 2 ? parseAddressRange(text) !== undefined : isIPAddress(text);
}

/** What istiod makes of an address for ambient, where that differs: no zone, host bits masked (ambient/helpers.go). */
export function asIstiodReads(text: string): string | undefined {
	const percent = text.indexOf("%");
	if (percent > 0 && !text.includes("/")) {
		return isIPAddress(text) ? text.slice(0, percent) : undefined;
	}
	const range = text.includes("/") ? parseAddressRange(text) : undefined;
	if (range === undefined) {
		return undefined;
	}
	const width = range.family === 4 ? 32 : 128;
	const free = BigInt(width - range.prefix);
	const masked = (range.bits >> free) << free;
	return masked === range.bits ? undefined : `${formatAddress(masked, range.family)}/${range.prefix}`;
}

/** An address in the one form in which Kubernetes keeps it (RFC 5952), without a zone; any other text as it is. */
export function canonicalAddress(text: string): string {
	const range = text.includes(":") && !text.includes("/") ? parseAddressRange(text) : undefined;
	return range === undefined ? text : formatAddress(range.bits, range.family);
}

function formatAddress(bits: bigint, family: 4 | 6): string {
	if (family === 4) {
		return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
	}
	const groups = Array.from({ length: 8 }, (_, index) =>
		((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
	);
	// The URL parser shortens IPv6 addresses as RFC 5952 says.
	return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"].flatMap(
	(text) => parseAddressRange(text) ?? [],
);

const localRanges = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/127", "fe80::/10"].flatMap(
	(text) => parseAddressRange(text) ?? [],
);

/** Whether a text is an address or a block with addresses that the internet may route: neither private nor local. */
export function isPublicAddress(text: string): boolean {
	const range = parseAddressRange(text);
	return (
		range !== undefined && ![...privateRanges, ...localRanges].some((each) => rangeContains(each, range))
	);
}

/** Whether a text is an address that the internet does not route: RFC 1918, RFC 6598, RFC 4193. */
export function isPrivateAddress(text: string): boolean {
	const range = parseAddressRange(text);
	return range !== undefined && privateRanges.some((each) => rangeContains(each, range));
}
