import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { parseProtocol } from "../../core/port-range.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isDnsLabel } from "../../istio/entry/hosts.ts";
import { isPortNumber } from "../../istio/entry/ports.ts";
import type { Complaint } from "./validation-problem.ts";

/** Names of ports that istiod refuses, or that two ports share (ValidatePortName; list map key of the CRD). */
export function* complaintsOfPortNames(entry: ServiceEntry): Iterable<Complaint> {
	const seen = new Set<string>();
	for (const [index, { name }] of specOf(entry).ports.entries()) {
		const path = ["spec", "ports", index, "name"];
		// The schema's own rule speaks of a missing name.
		if (typeof entry.spec?.ports?.[index]?.name !== "string") {
			continue;
		}
		if (seen.has(name)) {
			yield {
				path,
				said: `service entry port name ${JSON.stringify(name)} already defined`,
				message: `Two ports are named ${quote(name)}`,
				hint: "Give each port a name of its own",
			};
		}
		seen.add(name);
		if (!isDnsLabel(name)) {
			yield {
				path,
				said: `invalid port name: ${name}`,
				message: `${quote(name)} is not a name for a port`,
				hint: "Write at most 63 letters, digits and inner hyphens, such as https",
			};
		}
	}
}

/** Numbers of ports that are out of range, or that two ports share (ValidatePort; CEL of the CRD). */
export function* complaintsOfPortNumbers(entry: ServiceEntry): Iterable<Complaint> {
	const seen = new Set<number>();
	for (const [index, port] of specOf(entry).ports.entries()) {
		const written = entry.spec?.ports?.[index];
		const path = ["spec", "ports", index];
		const isWhole = Number.isInteger(written?.number);
		if (isWhole && seen.has(port.number)) {
			yield {
				path: [...path, "number"],
				said: `service entry port ${port.number} already defined`,
				message: `Two ports have the number ${port.number}`,
				hint: "Keep one of them",
			};
		}
		seen.add(port.number);
		// The schema's own rule speaks of a missing number and of one that is not whole.
		if (isWhole) {
			yield* complaintsOfNumber(port.number, [...path, "number"]);
		}
		if (Number.isInteger(written?.targetPort)) {
			yield* complaintsOfNumber(port.targetPort, [...path, "targetPort"]);
		}
	}
}

function* complaintsOfNumber(port: number, path: Path): Iterable<Complaint> {
	if (!isPortNumber(port)) {
		yield {
			path,
			said: `port number ${port} must be in the range 1..65535`,
			message: `${port} is not the number of a port`,
			hint: "Write a number from 1 to 65535",
		};
	}
}

/** Protocols that Istio does not know (ValidateProtocol); none at all is allowed. */
export function* complaintsOfProtocols(entry: ServiceEntry): Iterable<Complaint> {
	for (const [index, { protocol }] of specOf(entry).ports.entries()) {
		if (protocol !== "" && parseProtocol(protocol) === undefined) {
			yield {
				path: ["spec", "ports", index, "protocol"],
				said: `unsupported protocol: ${protocol}`,
				message: `${quote(protocol)} is not a protocol that Istio knows`,
				hint: "Write HTTP, HTTP2, GRPC, HTTPS, TLS or TCP; a WebSocket is HTTP, anything encrypted is TLS",
			};
		}
	}
}
