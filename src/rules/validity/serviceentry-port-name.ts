import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { isDnsLabel } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Every port has a name of its own that Istio accepts. */
export const serviceentryPortName: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-name",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every port has a name of its own that Istio accepts",
		why: "istiod or the API server refuses the object.",
		fix: "Give each port a name of at most 63 letters, digits and inner hyphens, such as https.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidatePortName",
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
				ports: [{ number: 443, name: "https_api", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualPort,
	check(entry) {
		return validatePortNames(entry);
	},
};

/** Names of ports that istiod refuses, or that two ports share (ValidatePortName; list map key of the CRD). */
function* validatePortNames(entry: ServiceEntry): Iterable<ValidationProblem> {
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
				istiodMessage: `service entry port name ${JSON.stringify(name)} already defined`,
				message: `Two ports are named ${quote(name)}`,
				hint: "Give each port a name of its own",
			};
		}
		seen.add(name);
		if (!isDnsLabel(name)) {
			yield {
				path,
				istiodMessage: `invalid port name: ${name}`,
				message: `${quote(name)} is not a name for a port`,
				hint: "Write at most 63 letters, digits and inner hyphens, such as https",
			};
		}
	}
}
