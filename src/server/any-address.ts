import type { NetworkInterfaceInfo } from "node:os";
import { networkInterfaces } from "node:os";

/**
 * The address that stands for all addresses of this machine: IPv6's takes connections over IPv4 as well (Node's net,
 * `server.listen`), and is there only where some interface has IPv6.
 */
export function anyAddress(
	interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> = networkInterfaces(),
): "::" | "0.0.0.0" {
	const hasIpv6 = Object.values(interfaces).some((list) => list?.some(({ family }) => family === "IPv6"));
	return hasIpv6 ? "::" : "0.0.0.0";
}
