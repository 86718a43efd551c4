import { covers, overlaps } from "../../core/host-pattern.ts";
import type { ServiceEntry, ServiceEntryPort } from "../../core/kinds.ts";
import type { Policy } from "../../core/policy.ts";
import { coversPort, parseProtocol } from "../../core/port-range.ts";
import type { RuleContext } from "../../core/rule.ts";

/** Whether a namespace's policy can be read and an entry, by its hosts and ports alone, keeps within it. */
export function isWithinPolicy({ spec }: ServiceEntry, { policy }: RuleContext): boolean {
	return (
		policy.problems.length === 0 &&
		(spec?.endpoints ?? []).length === 0 &&
		(spec?.hosts ?? []).every((host) => isHostAllowed(host, policy)) &&
		(spec?.ports ?? []).every((port) => isPortAllowed(port, policy))
	);
}

function isHostAllowed(host: string, { allowedHosts, deniedHosts }: Policy): boolean {
	return (
		allowedHosts.every(({ patterns }) => patterns.some((each) => covers(each, host))) &&
		!deniedHosts.some(({ patterns }) => patterns.some((each) => overlaps(each, host)))
	);
}

function isPortAllowed(
	{ number, protocol, targetPort }: ServiceEntryPort,
	{ allowedPorts, allowedProtocols }: Policy,
): boolean {
	const name = parseProtocol(protocol ?? "");
	return (
		name !== undefined &&
		(targetPort ?? 0) === 0 &&
		allowedPorts.every(({ ranges }) => ranges.some((each) => coversPort(each, number ?? 0, name))) &&
		allowedProtocols.every(({ protocols }) => protocols.has(name))
	);
}
