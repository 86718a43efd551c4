import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { celIsHostName, findHostFault } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** Every host is a DNS name, or a wildcard for the first label of one. */
export const serviceentryHostName: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-name",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every host is a DNS name, or a wildcard for the first label of one",
		why: "istiod refuses the object. A host that is no DNS name could never be looked up, so nothing would ever reach it.",
		fix: "Write a DNS name such as api.example.com, or *.example.com. An IP address belongs in addresses.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
			"istio/istio pkg/config/validation/agent/validation.go: ValidateWildcardDomain",
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
				hosts: ["api_v2.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualHost,
	check(entry) {
		return validateHostNames(entry);
	},
	cel: {
		problems: [
			{
				each: ["h", "e.hosts"],
				when: `h == '*' || !${celIsHostName("h")}`,
				path: "spec.hosts",
				message: 'Host "{h}" is no name that Istio takes',
				hint: "Write a DNS name such as api.example.com, or *.example.com; an IP address belongs in addresses",
			},
		],
	},
};

/** Names of hosts that istiod refuses (ValidateServiceEntry: invalid host, ValidateWildcardDomain). */
function* validateHostNames(entry: ServiceEntry): Iterable<ValidationProblem> {
	for (const [index, host] of specOf(entry).hosts.entries()) {
		const path = ["spec", "hosts", index];
		if (host === "*") {
			yield {
				path,
				message: "The host * would stand for every host there is, and Istio refuses it",
				hint: "Name the hosts, or a suffix of them such as *.example.com with resolution DYNAMIC_DNS",
			};
			continue;
		}
		const fault = findHostFault(host);
		if (fault !== undefined) {
			yield {
				path,
				istiodMessage: fault.istiodMessage,
				message: `Host ${quote(host)} ${fault.reason}`,
				hint: "Write a DNS name such as api.example.com, or *.example.com; an IP address belongs in addresses",
			};
		}
	}
}
