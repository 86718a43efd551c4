import { isIP } from "node:net";
import type { AddressRange } from "../../core/address-range.ts";
import { parseAddressRange, rangeContains } from "../../core/address-range.ts";

/**
 * The proxy that an environment names for a server, as Go's net/http ProxyFromEnvironment, and so kubectl, reads it
 * (golang.org/x/net/http/httpproxy): HTTPS_PROXY or HTTP_PROXY by the scheme, in capitals first, but for loopback and
 * for what NO_PROXY names. Undefined where there is none.
 */
export function environmentProxy(
	server: URL,
	environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
	const read = (name: string): string => environment[name] || environment[name.toLowerCase()] || "";
	const proxy = read(server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
	if (proxy === "" || !needsProxy(server, read("NO_PROXY"))) {
		return undefined;
	}
	return /^[a-z0-9+.-]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function needsProxy(server: URL, exceptions: string): boolean {
	const host = server.hostname.replace(/^\[|\]$/g, "").toLowerCase();
	const address = isIP(host) === 0 ? undefined : parseAddressRange(host);
	if (host === "localhost" || (address !== undefined && isLoopback(address))) {
		return false;
	}
	const port = server.port || (server.protocol === "https:" ? "443" : "80");
	return !exceptions
		.split(",")
		.map((each) => each.trim().toLowerCase())
		.filter((each) => each !== "")
		.some((each) => excepts(each, { host, port, address }));
}

function isLoopback({ family, bits }: AddressRange): boolean {
	return family === 4 ? bits >> 24n === 127n : bits === 1n;
}

/** Whether an item of NO_PROXY names a server: `*`, an address, a CIDR, or a domain, with or without a port. */
function excepts(
	item: string,
	server: { readonly host: string; readonly port: string; readonly address: AddressRange | undefined },
): boolean {
	if (item === "*") {
		return true;
	}
	const whole = parseAddressRange(item);
	const [, bare = item, port] =
		whole === undefined ? (/^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(item) ?? []) : [item, item, undefined];
	if (port !== undefined && port !== server.port) {
		return false;
	}
	const range = whole ?? parseAddressRange(bare);
	if (range !== undefined) {
		return server.address !== undefined && rangeContains(range, server.address);
	}
	const domain = bare.replace(/^\*/, "");
	// Go: ".example.com" names what is below it, "example.com" itself as well.
	return domain.startsWith(".")
		? server.host.endsWith(domain)
		: server.host === domain || server.host.endsWith(`.${domain}`);
}
