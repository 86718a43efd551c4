import type { AnyObject } from "../../../src/core/kinds.ts";
import { destinationruleWaypointTls as rule } from "../../../src/rules/hygiene/destinationrule-waypoint-tls.ts";
import { attachmentWorld as given } from "../../support/attachments.ts";
import { networking } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

function settings(trafficPolicy: object, more: object = {}, host = "http.payments.example"): AnyObject {
	return networking("DestinationRule", "tls", { host, trafficPolicy, ...more });
}

const selected = { workloadSelector: { matchLabels: { app: "web" } } };

testRule(rule, {
	"warns of ISTIO_MUTUAL for the whole host and for a port": {
		object: settings({
			tls: { mode: "ISTIO_MUTUAL" },
			portLevelSettings: [{ port: { number: 80 }, tls: { mode: "ISTIO_MUTUAL" } }],
		}),
		given,
		finds: [
			"warning spec.trafficPolicy.tls.mode",
			"warning spec.trafficPolicy.portLevelSettings[0].tls.mode",
		],
		says: /^Mode ISTIO_MUTUAL has no effect at the waypoint istio-egress\/egress, so what clients send to port 80 of "http\.payments\.example" leaves as it is$/,
		hints: /^Write mode SIMPLE/,
	},
	"warns of it on a port that carries TLS, where it is only to be removed": {
		object: settings({ tls: { mode: "ISTIO_MUTUAL" } }, {}, "tls.payments.example"),
		given,
		finds: ["warning spec.trafficPolicy.tls.mode"],
		hints: /^Remove the tls settings$/,
	},
	"warns of DISABLE where HTTP leaves for port 443": {
		object: settings({ tls: { mode: "DISABLE" } }),
		given,
		finds: ["warning spec.trafficPolicy.tls.mode"],
		says: /^Plain HTTP leaves the waypoint istio-egress\/egress for port 443/,
	},
	"accepts DISABLE where HTTP leaves for an HTTP port": {
		object: settings({ tls: { mode: "DISABLE" } }, {}, "api.shop.example"),
		given,
		finds: [],
	},
	"warns of a workloadSelector beside TLS": {
		object: settings({ tls: { mode: "SIMPLE" } }, selected),
		given,
		finds: ["warning spec.workloadSelector"],
		says: /passes over a DestinationRule with a workloadSelector/,
	},
	"has nothing to say of a selector for other settings": {
		object: settings({ connectionPool: {} }, selected),
		given,
		finds: [],
	},
	"warns of a Secret that the waypoint does not look for in this namespace": {
		object: settings({ tls: { mode: "MUTUAL", credentialName: "client" } }),
		given,
		finds: ["warning spec.trafficPolicy.tls.credentialName"],
		says: /looks for the Secret client in its own namespace, istio-egress, .*; one in shop is never found/,
	},
	"accepts it in the waypoint's own namespace": {
		object: networking(
			"DestinationRule",
			"tls",
			{ host: "http.payments.example", trafficPolicy: { tls: { mode: "MUTUAL", credentialName: "client" } } },
			"istio-egress",
		),
		given,
		finds: [],
	},
	"accepts TLS by mode SIMPLE": { object: settings({ tls: { mode: "SIMPLE" } }), given, finds: [] },
	"has nothing to say of a rule that another one takes the place of": {
		object: settings({ tls: { mode: "ISTIO_MUTUAL" } }),
		given: [
			...given,
			networking(
				"DestinationRule",
				"nearer",
				{ host: "http.payments.example", trafficPolicy: { tls: { mode: "SIMPLE" } } },
				"istio-egress",
			),
		],
		finds: [],
	},
	"has nothing to say of hosts without a waypoint, and of Services": {
		object: settings({ tls: { mode: "ISTIO_MUTUAL" } }, {}, "direct.payments.example"),
		given,
		finds: [],
	},
	"has nothing to say of a Service": {
		object: settings({ tls: { mode: "ISTIO_MUTUAL" } }, {}, "orders"),
		given,
		finds: [],
	},
});
