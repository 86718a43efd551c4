import type { BackendTlsPolicy } from "../../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { serviceentryHttpPort } from "../../../src/rules/hygiene/serviceentry-http-port.ts";
import { testRule } from "../../support/test-rule.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];

const policy: BackendTlsPolicy = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "BackendTLSPolicy",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		targetRefs: [
			{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments", sectionName: "https" },
		],
	},
};

testRule(serviceentryHttpPort, {
	"is silent where TLS is originated, by a DestinationRule or a BackendTLSPolicy": {
		object: withSpec(boundEntry, { ports: [{ number: 443, name: "https", protocol: "HTTP" }] }),
		given: [...world, policy],
		finds: [],
	},
	"is silent about TLS and about another targetPort": {
		object: withSpec(boundEntry, {
			ports: [
				{ number: 443, name: "a", protocol: "HTTP", targetPort: 8080 },
				{ number: 8443, name: "b", protocol: "HTTP" },
			],
		}),
		given: world,
		finds: [],
	},
});
