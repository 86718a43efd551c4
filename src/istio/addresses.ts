import { parseAddressRange } from "../core/address-range.ts";

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
