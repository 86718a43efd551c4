import type { Rule } from "../../core/rule.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { complaintsOfPartialWildcards } from "./entry-hosts.ts";

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
		return complaintsOfPartialWildcards(entry);
	},
};
