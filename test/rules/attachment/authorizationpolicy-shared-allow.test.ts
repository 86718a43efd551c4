import type { AnyObject } from "../../../src/core/kinds.ts";
import { authorizationpolicySharedAllow as rule } from "../../../src/rules/attachment/authorizationpolicy-shared-allow.ts";
import {
	attachable,
	attachmentWorld,
	developer,
	editor,
	editors as settings,
	toClass,
	toEntry,
	toGateway,
} from "../../support/attachments.ts";
import { testRule } from "../../support/test-rule.ts";

const get = { to: [{ operation: { methods: ["GET"] } }] };
const onlyGet = attachable(
	"AuthorizationPolicy",
	toGateway("egress", { rules: [get] }),
	"istio-egress",
	"get",
);
const given = [...attachmentWorld, onlyGet];
const all = attachable("AuthorizationPolicy", toEntry("api", { action: "ALLOW", rules: [{}] }));
const place = "spec.targetRefs[0].name";

function annotated(object: AnyObject, annotations: Readonly<Record<string, string>>): AnyObject {
	return { ...object, metadata: { ...object.metadata, annotations } };
}

testRule(rule, {
	"refuses a tenant's ALLOW that joins the waypoint's": {
		object: all,
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /^Joins AuthorizationPolicy istio-egress\/get at istio-egress\/egress: a request to ServiceEntry api passes/,
	},
	"refuses it without an action, which is ALLOW, and by the old single reference": {
		object: attachable("AuthorizationPolicy", {
			targetRef: { group: "networking.istio.io", kind: "ServiceEntry", name: "api" },
			rules: [get],
		}),
		given,
		settings,
		requester: developer,
		finds: ["error spec.targetRef.name"],
	},
	"refuses it where the waypoint's policy holds for all waypoints": {
		object: all,
		given: [
			...attachmentWorld,
			attachable("AuthorizationPolicy", toClass("istio-waypoint", { rules: [get] }), "istio-system", "get"),
		],
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /istio-system\/get/,
	},
	"warns where nobody knows who asks": { object: all, given, settings, finds: [`warning ${place}`] },
	"warns where the configuration names no editors": {
		object: all,
		given,
		requester: developer,
		finds: [`warning ${place}`],
	},
	"warns where it joins a policy of the same entry": {
		object: all,
		given: [
			...attachmentWorld,
			attachable("AuthorizationPolicy", toEntry("api", { rules: [get] }), "shop", "get"),
		],
		settings,
		requester: developer,
		finds: [`warning ${place}`],
		says: /^Joins AuthorizationPolicy shop\/get/,
	},
	"lets policy editors do it": { object: all, given, settings, requester: editor, finds: [] },
	"refuses an update that makes a DENY an ALLOW": {
		object: all,
		old: attachable("AuthorizationPolicy", toEntry("api", { action: "DENY", rules: [{}] })),
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
	},
	"refuses an update of what joined before": {
		object: all,
		old: attachable("AuthorizationPolicy", toEntry("api", { action: "ALLOW", rules: [get] })),
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
	},
	"only warns of an update that leaves the policy as it was": {
		object: annotated(all, { note: "x" }),
		old: all,
		given,
		settings,
		requester: developer,
		finds: [`warning ${place}`],
	},
	"accepts DENY and CUSTOM, which narrow": {
		object: attachable("AuthorizationPolicy", toEntry("api", { action: "DENY", rules: [get] })),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts a policy without rules, which lets nothing through": {
		object: attachable("AuthorizationPolicy", toEntry("api")),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts one that is only tried": {
		object: annotated(all, { "istio.io/dry-run": "true" }),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts it where there is nothing to join: it narrows": {
		object: all,
		given: attachmentWorld,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts it where the waypoint's own policy is no ALLOW": {
		object: all,
		given: [
			...attachmentWorld,
			attachable(
				"AuthorizationPolicy",
				toGateway("egress", { action: "DENY", rules: [get] }),
				"istio-egress",
				"get",
			),
		],
		settings,
		requester: developer,
		finds: [],
	},
	"accepts it at the team's own waypoint": {
		object: attachable("AuthorizationPolicy", toEntry("local", { rules: [{}] })),
		given: [...given, attachable("AuthorizationPolicy", toGateway("own", { rules: [get] }), "shop", "get")],
		settings,
		requester: developer,
		finds: [],
	},
	"tells the security team which policies join theirs": {
		object: onlyGet,
		given: [...given, all],
		settings,
		requester: editor,
		finds: [`warning ${place}`],
		says: /^Is joined by 1 ALLOW policy of other namespaces for their own entries \(shop\/own\)/,
	},
	"tells it nothing where none joins": { object: onlyGet, given, settings, requester: editor, finds: [] },
});
