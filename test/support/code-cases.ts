import type { Rule } from "../../src/core/rule.ts";
import {
	attachable,
	developer,
	editor,
	attachmentWorld as given,
	editors as settings,
	toEntry,
	toGateway,
} from "./attachments.ts";
import { testRule } from "./test-rule.ts";

/** Tests what the rules about a tenant's code at its own entries say, whatever their kind. */
export function testCode(rule: Rule<never> | Rule): void {
	const { kind } = rule;
	const object = attachable(kind, toEntry("api", { url: "oci://registry.example/own:2" }));
	const place = "spec.targetRefs[0].name";
	testRule(rule, {
		"refuses a tenant's code in a shared waypoint": {
			object,
			given,
			settings,
			requester: developer,
			finds: [`error ${place}`],
			says: /^Runs code of namespace shop in the waypoint istio-egress\/egress, which is not its own, for ServiceEntry api$/,
		},
		"refuses other code in the place of what was there": {
			object,
			old: attachable(kind, toEntry("api", { url: "oci://registry.example/own:1" })),
			given,
			settings,
			requester: developer,
			finds: [`error ${place}`],
		},
		"only warns of an update that leaves the code as it was": {
			object: { ...object, metadata: { ...object.metadata, labels: { team: "shop" } } },
			old: object,
			given,
			settings,
			requester: developer,
			finds: [`warning ${place}`],
		},
		"warns where nobody knows who asks": { object, given, settings, finds: [`warning ${place}`] },
		"warns where the configuration names no editors": {
			object,
			given,
			requester: developer,
			finds: [`warning ${place}`],
		},
		"lets policy editors do it": { object, given, settings, requester: editor, finds: [] },
		"accepts it at the team's own waypoint": {
			object: attachable(kind, toEntry("local")),
			given,
			settings,
			requester: developer,
			finds: [],
		},
		"accepts it on an entry inside the cluster": {
			object: attachable(kind, toEntry("inside")),
			given,
			settings,
			requester: developer,
			finds: [],
		},
		"refuses it on the Gateway of a waypoint that serves others": {
			object: attachable(kind, toGateway("egress"), "istio-egress"),
			given,
			settings,
			requester: developer,
			finds: [`error ${place}`],
			says: /which serves other namespaces too/,
		},
		"has nothing to say of that Gateway where nobody knows who asks": {
			object: attachable(kind, toGateway("egress"), "istio-egress"),
			given,
			settings,
			finds: [],
		},
	});
}
