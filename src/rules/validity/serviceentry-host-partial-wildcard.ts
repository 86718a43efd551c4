import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** A wildcard stands for whole labels. */
export const serviceentryHostPartialWildcard: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-partial-wildcard",
	kind: "ServiceEntry",
	family: "validity",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "A wildcard stands for whole labels",
		why: "istiod warns and goes on. It compares by suffix, so *example.com also stands for badexample.com, which belongs to somebody else.",
		fix: "Write *.example.com.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
			"istio/istio pkg/config/validation/agent/validation.go: ValidatePartialWildCard",
			"istio/istio pkg/config/host/name.go",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["*.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "NONE",
				addresses: ["203.0.113.0/24"],
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["*example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "NONE",
				addresses: ["203.0.113.0/24"],
			},
		},
	},
	when: hasUnusualHost,
	check(entry) {
		return validatePartialWildcards(entry);
	},
};

/** Wildcards within a label, of which istiod warns unless the resolution is DYNAMIC_DNS (ValidatePartialWildCard). */
function* validatePartialWildcards(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { hosts, resolution } = specOf(entry);
	if (resolution === "DYNAMIC_DNS") {
		return;
	}
	for (const [index, host] of hosts.entries()) {
		if (host.includes("*") && host !== "*" && !host.startsWith("*.")) {
			yield {
				path: ["spec", "hosts", index],
				istiodMessage: `partial wildcard ${JSON.stringify(host)} not allowed`,
				severity: "warning",
				message: `Host ${quote(host)} has a wildcard for a part of a label, which Istio does not support`,
				hint: "Write * for whole labels only, such as *.example.com",
			};
		}
	}
}
