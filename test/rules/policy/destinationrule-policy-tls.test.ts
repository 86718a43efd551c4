import type { AnyObject } from "../../../src/core/kinds.ts";
import { destinationrulePolicyTls as rule } from "../../../src/rules/policy/destinationrule-policy-tls.ts";
import { networking, twoTeams } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

function settings(trafficPolicy: object, host = "api.shop.example", more: object = {}): AnyObject {
	return networking("DestinationRule", "api", { host, trafficPolicy, ...more });
}

const given = twoTeams;
const foreign = { mode: "SIMPLE", sni: "files.bank.example" };

testRule(rule, {
	"refuses the SNI of a host that the namespace may not reach, wherever it stands": {
		object: settings(
			{ tls: foreign, portLevelSettings: [{ port: { number: 80 }, tls: foreign }] },
			"api.shop.example",
			{ subsets: [{ name: "a", trafficPolicy: { tls: foreign } }] },
		),
		given,
		finds: [
			"error spec.trafficPolicy.tls.sni",
			"error spec.trafficPolicy.portLevelSettings[0].tls.sni",
			"error spec.subsets[0].trafficPolicy.tls.sni",
		],
		says: /^SNI "files\.bank\.example" is not among the hosts/,
	},
	"refuses a tunnel to a host and a port that the namespace may not reach": {
		object: settings({ tunnel: { protocol: "CONNECT", targetHost: "evil.example", targetPort: 22 } }),
		given,
		finds: ["error spec.trafficPolicy.tunnel.targetHost", "error spec.trafficPolicy.tunnel.targetPort"],
	},
	"warns where nobody checks who answers": {
		object: settings({ tls: { mode: "SIMPLE", insecureSkipVerify: true } }),
		given,
		finds: ["warning spec.trafficPolicy.tls.insecureSkipVerify"],
	},
	"accepts the host's own name, a name below its wildcard and an allowed one": {
		object: settings({ tls: { mode: "SIMPLE", sni: "API.shop.example." } }),
		given,
		finds: [],
	},
	"accepts a name below a wildcard": {
		object: settings({ tls: { mode: "SIMPLE", sni: "x.wild.example" } }, "*.wild.example"),
		given,
		finds: [],
	},
	"lets policy editors do it": {
		object: settings({ tls: foreign }),
		given,
		settings: { policyEditors: { groups: ["security"] } },
		requester: { username: "alice", groups: ["security"] },
		finds: [],
	},
	"judges an alias of a host outside like that host": {
		object: settings({ tls: foreign }, "away.shop.svc.cluster.local"),
		given: [
			...given,
			{
				apiVersion: "v1",
				kind: "Service",
				metadata: { name: "away", namespace: "shop" },
				spec: { type: "ExternalName", externalName: "api.shop.example" },
			} as AnyObject,
		],
		finds: ["error spec.trafficPolicy.tls.sni"],
	},
	"has nothing to say of Services of the cluster": {
		object: settings({ tls: { mode: "SIMPLE", sni: "x.example", insecureSkipVerify: true } }, "orders"),
		given,
		finds: [],
	},
	"has nothing to say where no policy limits the namespace": {
		object: networking(
			"DestinationRule",
			"api",
			{ host: "api.example.com", trafficPolicy: { tls: { ...foreign, insecureSkipVerify: true } } },
			"free",
		),
		given,
		finds: [],
	},
});
