import type { AnyObject } from "../../../src/core/kinds.ts";
import { authorizationpolicyHttpField as rule } from "../../../src/rules/attachment/authorizationpolicy-http-field.ts";
import { attachable, attachmentWorld as given, toEntry, toGateway } from "../../support/attachments.ts";
import { testRule } from "../../support/test-rule.ts";

const get = { to: [{ operation: { methods: ["GET"] } }] };

function policy(rules: readonly object[], more: object = {}, target = "tls"): AnyObject {
	return attachable("AuthorizationPolicy", toEntry(target, { rules, ...more }));
}

testRule(rule, {
	"warns of an ALLOW that lets nothing through a port of connections": {
		object: policy([get]),
		given,
		finds: ["warning spec.rules"],
		says: /^Port 443 \(TLS\) of ServiceEntry shop\/tls passes as TCP, .* nothing is let through$/,
	},
	"warns of every field of requests": {
		object: policy([
			{ to: [{ operation: { paths: ["/v1/*"] } }] },
			{ from: [{ source: { requestPrincipals: ["*"] } }] },
			{ when: [{ key: "request.headers[x]", values: ["y"] }] },
			{ to: [{ operation: { hosts: ["a.example"] } }] },
		]),
		given,
		finds: ["warning spec.rules"],
	},
	"warns of a DENY that refuses more than it says, at each such rule": {
		object: policy([get, { from: [{ source: { namespaces: ["bank"] } }] }, get], { action: "DENY" }),
		given,
		finds: ["warning spec.rules[0]", "warning spec.rules[2]"],
		says: /so it refuses every connection/,
	},
	"warns of the ports of connections beside those of requests": {
		object: policy([get], {}, "api"),
		given,
		finds: ["warning spec.rules"],
	},
	"accepts rules for the ports of requests": {
		object: policy([{ to: [{ operation: { methods: ["GET"], ports: ["80"] } }] }], {}, "api"),
		given,
		finds: [],
	},
	"accepts rules that leave the port of connections out": {
		object: policy(
			[{ to: [{ operation: { methods: ["GET"], notPorts: ["443"] } }] }],
			{ action: "DENY" },
			"api",
		),
		given,
		finds: [],
	},
	"accepts an ALLOW that has a rule for connections": {
		object: policy([get, { to: [{ operation: { ports: ["443"] } }] }], {}, "api"),
		given,
		finds: [],
	},
	"accepts it where another policy of the entry lets connections through": {
		object: policy([get], {}, "api"),
		given: [
			...given,
			attachable(
				"AuthorizationPolicy",
				toEntry("api", { rules: [{ to: [{ operation: { ports: ["443"] } }] }] }),
				"shop",
				"connections",
			),
		],
		finds: [],
	},
	"accepts an entry whose requests are read": { object: policy([get], {}, "http"), given, finds: [] },
	"accepts rules that name who connects": {
		object: policy([{ from: [{ source: { namespaces: ["shop"] } }] }]),
		given,
		finds: [],
	},
	"has nothing to say of a trial, and of CUSTOM and AUDIT": {
		object: policy([get], { action: "CUSTOM", provider: { name: "opa" } }),
		given,
		finds: [],
	},
	"looks at what is bound to a waypoint that is targeted": {
		object: attachable("AuthorizationPolicy", toGateway("egress", { rules: [get] }), "istio-egress"),
		given,
		finds: ["warning spec.rules"],
	},
	"has nothing to say of a waypoint that only reads requests": {
		object: attachable("AuthorizationPolicy", toGateway("own", { rules: [get] })),
		given: given.filter(({ metadata }) => metadata?.name !== "local"),
		finds: [],
	},
	"has nothing to say of a policy without rules": { object: policy([]), given, finds: [] },
});
