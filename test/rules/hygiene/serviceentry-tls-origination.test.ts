import type { DestinationRule } from "../../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { serviceentryTlsOrigination } from "../../../src/rules/hygiene/serviceentry-tls-origination.ts";
import { testRule } from "../../support/test-rule.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];

const port = withSpec(boundEntry, {
	ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
});

function rule(mode: string, namespace: string, host = "api.payments.example.com"): DestinationRule {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "payments", namespace },
		spec: { host, trafficPolicy: { tls: { mode } } },
	};
}

const hidden: DestinationRule = {
	...rule("SIMPLE", "team"),
	spec: { ...rule("SIMPLE", "team").spec, exportTo: ["."] },
};

const selecting: DestinationRule = {
	...rule("SIMPLE", "team"),
	spec: { ...rule("SIMPLE", "team").spec, workloadSelector: { matchLabels: { app: "web" } } },
};

testRule(serviceentryTlsOrigination, {
	"knows that ISTIO_MUTUAL has no effect at a waypoint": {
		object: port,
		given: [...world, rule("ISTIO_MUTUAL", "team")],
		finds: ["warning spec.ports[0].targetPort"],
	},
	"finds the rule in the waypoint's namespace, and one for a wildcard": {
		object: port,
		given: [...world, rule("SIMPLE", "istio-egress", "*.payments.example.com")],
		finds: [],
	},
	"does not find a rule that is exported to nobody else": {
		object: port,
		given: [...world, hidden],
		finds: ["warning spec.ports[0].targetPort"],
	},
	"does not find the rule of a stranger's namespace": {
		object: port,
		given: [...world, rule("SIMPLE", "stranger")],
		finds: ["warning spec.ports[0].targetPort"],
	},
	"does not find a rule with a workloadSelector, which a waypoint passes over": {
		object: port,
		given: [...world, selecting],
		finds: ["warning spec.ports[0].targetPort"],
	},
});
