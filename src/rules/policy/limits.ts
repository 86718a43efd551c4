import type { AddressRange } from "../../core/address-range.ts";
import { embeddedAddress, parseAddressRange, rangesOverlap } from "../../core/address-range.ts";
import type { Path, Problem } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import { overlaps, someCovers, someOverlaps } from "../../core/host-pattern.ts";
import type { ServiceEntryPort } from "../../core/kinds.ts";
import type { HostAllowance, Policy } from "../../core/policy.ts";
import { allows, ownerOf } from "../../core/policy.ts";
import { coversPort, parseProtocol } from "../../core/port-range.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { Settings } from "../../core/settings.ts";
import { isPublicAddress } from "../../istio/entry/addresses.ts";

/** Whether any list says which hosts a namespace may or may not reach. */
export function limitsHosts(_object: object, { policy }: RuleContext): boolean {
	return policy.allowedHosts.length > 0 || policy.deniedHosts.length > 0;
}

/** Whether any list says which ports a namespace may use. */
export function limitsPorts(_object: object, { policy }: RuleContext): boolean {
	return policy.allowedPorts.length > 0;
}

/** Whether any list says which protocols a namespace may use. */
export function limitsProtocols(_object: object, { policy }: RuleContext): boolean {
	return policy.allowedProtocols.length > 0;
}

/** What the cluster's and the namespace's lists of hosts say against a host, or against the name of an endpoint. */
export function* forbiddenHost(
	what: "Host" | "Endpoint" | "Address" | "Destination" | "Authority" | "SNI" | "Tunnel",
	host: string,
	path: Path,
	policy: Policy,
): Iterable<Problem> {
	const thing = what.toLowerCase();
	const denied = policy.deniedHosts.find((list) => someOverlaps(list.patterns, host));
	if (denied !== undefined) {
		const pattern = denied.patterns.find((each) => overlaps(each, host))?.text ?? "";
		yield {
			path,
			message: `${what} ${quote(host)} is denied by ${place(denied)} (${quote(pattern)})`,
			hint: `Remove the ${thing}, or ask the security team`,
		};
		return;
	}
	const strict = refusing(host, policy);
	if (strict !== undefined) {
		yield {
			path,
			message: `${what} ${quote(host)} is not among the hosts that ${allows(strict.by)} (${listed(strict)})`,
			hint: `Remove the ${thing}, or ask the security team to allow it`,
		};
	}
}

/** What the cluster's denied ranges say against an address. */
export function* forbiddenAddress(text: string, path: Path, { limits }: Settings): Iterable<Problem> {
	const range = parseAddressRange(text);
	const hit = range === undefined ? undefined : deniedRange(range, limits);
	if (hit !== undefined) {
		yield {
			path,
			message: `Address ${quote(text)} lies in ${hit.text}, which the cluster denies`,
			hint: "Remove the address; the denied ranges are limits.deniedAddresses of the cluster configuration",
		};
	}
}

function deniedRange(range: AddressRange, { deniedAddresses }: Settings["limits"]): AddressRange | undefined {
	const embedded = embeddedAddress(range);
	return deniedAddresses.find(
		(each) => rangesOverlap(each, range) || (embedded !== undefined && rangesOverlap(each, embedded)),
	);
}

/** What the lists of ports say against a port of an entry, with its protocol. */
export function* forbiddenServicePort(
	port: ServiceEntryPort,
	path: Path,
	{ allowedPorts }: Policy,
): Iterable<Problem> {
	const number = port.number ?? 0;
	const protocol = parseProtocol(port.protocol ?? "");
	const strict = allowedPorts.find((list) => !list.ranges.some((each) => coversPort(each, number, protocol)));
	if (strict !== undefined) {
		const texts = strict.ranges.slice(0, 5).map((each) => each.text);
		yield {
			path,
			message: `Port ${number}${port.protocol ? ` with protocol ${quote(port.protocol)}` : " without a protocol"} is not among the ports that ${allows(strict.by)} (${texts.join(", ")}${strict.ranges.length > 5 ? ", …" : ""})`,
			hint: "Use an allowed port and protocol, or ask the security team",
		};
	}
}

/** What the lists of ports say against the port at which traffic arrives; absent and 0 stand for none. */
export function* forbiddenPort(
	number: number | null | undefined,
	path: Path,
	{ allowedPorts }: Policy,
): Iterable<Problem> {
	const strict = number
		? allowedPorts.find((list) => !list.ranges.some((each) => each.from <= number && number <= each.to))
		: undefined;
	if (strict !== undefined) {
		yield {
			path,
			message: `Traffic would leave for port ${number}, which is not among the ports that ${allows(strict.by)}`,
			hint: "Use an allowed port, or ask the security team",
		};
	}
}

/** Whether the address of an endpoint is a Unix socket (Istio pilot/pkg/model: UnixAddressPrefix). */
export function isUnixSocket(address: string | null | undefined): boolean {
	return address?.startsWith("unix://") === true;
}

/** The list of hosts that does not allow an address on the internet; undefined when all do, or it is not there. */
export function limitOnAddress(address: string, policy: Policy): HostAllowance | undefined {
	return isPublicAddress(address) ? refusing(address, policy) : undefined;
}

function refusing(host: string, policy: Policy): HostAllowance | undefined {
	return policy.allowedHosts.find((list) => !someCovers(list.patterns, host));
}

function place(list: HostAllowance): string {
	return ownerOf(list.by);
}

function listed(list: HostAllowance): string {
	const shown = list.patterns.slice(0, 3).map((each) => each.text);
	const more = list.patterns.length - shown.length;
	return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}
