import { requestauthenticationSharedIssuer as rule } from "../../../src/rules/attachment/requestauthentication-shared-issuer.ts";
import {
	attachable,
	attachmentWorld,
	developer,
	editor,
	editors as settings,
	toEntry,
	toGateway,
} from "../../support/attachments.ts";
import { testRule } from "../../support/test-rule.ts";

const jwtRules = [{ issuer: "https://own.example" }];
const object = attachable("RequestAuthentication", toEntry("api", { jwtRules }));
const place = "spec.targetRefs[0].name";
const policyOf = (rule: object): object =>
	attachable("AuthorizationPolicy", toGateway("egress", { rules: [rule] }), "istio-egress", "tokens");
const given = [
	...attachmentWorld,
	policyOf({ when: [{ key: "request.auth.claims[team]", values: ["shop"] }] }) as never,
];

testRule(rule, {
	"refuses a tenant's issuer where a policy of the waypoint decides by claims": {
		object,
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /^Tokens of issuer "https:\/\/own\.example" would count at istio-egress\/egress .* AuthorizationPolicy istio-egress\/tokens decides by tokens$/,
	},
	"refuses it where the waypoint has issuers of its own": {
		object,
		given: [
			...attachmentWorld,
			attachable("RequestAuthentication", toGateway("egress", { jwtRules }), "istio-egress", "issuers"),
		],
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /RequestAuthentication istio-egress\/issuers/,
	},
	"warns where nobody knows who asks": { object, given, finds: [`warning ${place}`] },
	"lets policy editors do it": { object, given, settings, requester: editor, finds: [] },
	"accepts it where nothing of the waypoint asks for tokens": {
		object,
		given: [...attachmentWorld, policyOf({ to: [{ operation: { methods: ["GET"] } }] }) as never],
		settings,
		requester: developer,
		finds: [],
	},
	"accepts it at the team's own waypoint": {
		object: attachable("RequestAuthentication", toEntry("local", { jwtRules })),
		given,
		settings,
		requester: developer,
		finds: [],
	},
});
