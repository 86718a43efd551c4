import type { Path } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { isPortNumber } from "../../istio/entry/ports.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Every port and targetPort is a number from 1 to 65535, and no two ports share one. */
export const serviceentryPortNumber: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-number",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every port and targetPort is a number from 1 to 65535, and no two ports share one",
		why: "The API server refuses the object.",
		fix: "Write the number that clients connect to; leave targetPort out where it is the same.",
		sources: [
			"istio/istio pkg/config/validation/agent/validation.go: ValidatePort",
			"istio.io/api kubernetes/customresourcedefinitions.gen.yaml",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS", targetPort: 0 }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return validatePortNumbers(entry);
	},
};

/** Numbers of ports that are out of range, or that two ports share (ValidatePort; CEL of the CRD). */
function* validatePortNumbers(entry: ServiceEntry): Iterable<ValidationProblem> {
	const seen = new Set<number>();
	for (const [index, port] of specOf(entry).ports.entries()) {
		const written = entry.spec?.ports?.[index];
		const path = ["spec", "ports", index];
		const isWhole = Number.isInteger(written?.number);
		if (isWhole && seen.has(port.number)) {
			yield {
				path: [...path, "number"],
				istiodMessage: `service entry port ${port.number} already defined`,
				message: `Two ports have the number ${port.number}`,
				hint: "Keep one of them",
			};
		}
		seen.add(port.number);
		// The schema's own rule speaks of a missing number and of one that is not whole.
		if (isWhole) {
			yield* validatePortNumber(port.number, [...path, "number"]);
		}
		if (Number.isInteger(written?.targetPort)) {
			yield* validatePortNumber(port.targetPort, [...path, "targetPort"]);
		}
	}
}

function* validatePortNumber(port: number, path: Path): Iterable<ValidationProblem> {
	if (!isPortNumber(port)) {
		yield {
			path,
			istiodMessage: `port number ${port} must be in the range 1..65535`,
			message: `${port} is not the number of a port`,
			hint: "Write a number from 1 to 65535",
		};
	}
}
