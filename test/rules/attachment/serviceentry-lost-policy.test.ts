import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { serviceentryLostPolicy as rule } from "../../../src/rules/attachment/serviceentry-lost-policy.ts";
import { attachable, attachmentWorld, developer, toEntry, toGateway } from "../../support/attachments.ts";
import { hostEntry } from "../../support/governed-shop.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import { testRule } from "../../support/test-rule.ts";

const get = { rules: [{ to: [{ operation: { methods: ["GET"] } }] }] };

function onEntry(name: string, namespace = "shop"): AnyObject {
	return attachable("AuthorizationPolicy", toEntry(name, get), namespace, `${name}-get`);
}

const wild = hostEntry("*.payments.example", "shop", "wild");
const central = hostEntry("central.payments.example", "istio-egress", "central");
const given = [
	...attachmentWorld,
	wild,
	central,
	onEntry("api"),
	onEntry("wild"),
	onEntry("central", "istio-egress"),
];
const without = (name: string): readonly AnyObject[] =>
	given.filter(({ kind, metadata }) => kind !== "ServiceEntry" || metadata?.name !== name);

testRule(rule, {
	"warns of the same host under another name": {
		object: hostEntry("API.shop.example.", "shop", "api2"),
		given,
		finds: ["warning spec.hosts[0]"],
		says: /^AuthorizationPolicy shop\/api-get governs "API\.shop\.example\." on ServiceEntry shop\/api, which has it as well; none targets this entry/,
	},
	"warns of an entry that takes the place of one that was deleted": {
		object: hostEntry("api.shop.example", "shop", "api2"),
		given: without("api"),
		requester: developer,
		finds: ["warning metadata.name"],
		says: /^AuthorizationPolicy shop\/api-get targets ServiceEntry api, which is not there/,
	},
	"warns of a name below a wildcard that a policy governs": {
		object: hostEntry("one.payments.example", "shop", "one"),
		given,
		finds: ["warning spec.hosts[0]"],
		says: /which has it by "\*\.payments\.example"/,
	},
	"warns of a narrower wildcard": {
		object: hostEntry("*.eu.payments.example", "shop", "eu"),
		given,
		finds: ["warning spec.hosts[0]"],
	},
	"warns of a copy in another namespace, of each entry that it leaves": {
		object: hostEntry("central.payments.example", "shop", "central"),
		given,
		finds: ["warning spec.hosts[0]", "warning spec.hosts[0]"],
		says: /on ServiceEntry istio-egress\/central/,
	},
	"warns of the issuers of tokens that are left behind": {
		object: hostEntry("api.shop.example", "shop", "api2"),
		given: [
			...attachmentWorld,
			attachable("RequestAuthentication", toEntry("api", { jwtRules: [{ issuer: "a" }] })),
		],
		finds: ["warning spec.hosts[0]"],
		says: /^RequestAuthentication shop\/own governs/,
	},
	"accepts an entry that has a policy": {
		object: hostEntry("api.shop.example", "shop", "api2"),
		given: [...given, onEntry("api2")],
		requester: developer,
		finds: [],
	},
	"accepts the entry itself": {
		object: hostEntry("api.shop.example"),
		given,
		requester: developer,
		finds: [],
	},
	"accepts a host that no policy governs by an entry": {
		object: hostEntry("new.shop.example", "shop", "new"),
		given,
		requester: developer,
		finds: [],
	},
	"accepts it where the policy stands on the waypoint": {
		object: hostEntry("api.shop.example", "shop", "api2"),
		given: [
			...attachmentWorld,
			attachable("AuthorizationPolicy", toGateway("egress", get), "istio-egress", "get"),
		],
		requester: developer,
		finds: [],
	},
	"says nothing of policies that Waymark writes itself for every entry": {
		object: hostEntry("api.shop.example", "shop", "api2"),
		given: [
			...attachmentWorld,
			{
				...onEntry("api"),
				metadata: {
					name: "generated",
					namespace: "shop",
					labels: { "egress.waymark.dev/generated-from": "api" },
				},
			},
		],
		finds: [],
	},
	"warns of a host that an update takes from a governed entry": {
		object: hostEntry("new.payments.example"),
		old: hostEntry("api.shop.example"),
		given,
		finds: ["warning spec.hosts"],
		says: /^AuthorizationPolicy shop\/api-get governs "api\.shop\.example" on ServiceEntry api, which gives the host up/,
	},
	"accepts an update that keeps the hosts": {
		object: hostEntry("API.shop.example"),
		old: hostEntry("api.shop.example"),
		given,
		finds: [],
	},
	"says nothing of policies that lost their entry to an update": {
		object: hostEntry("new.shop.example", "shop", "new"),
		old: hostEntry("new.shop.example", "shop", "new"),
		given: without("api"),
		requester: developer,
		finds: [],
	},
	"has nothing to say of entries inside the cluster": {
		object: {
			...hostEntry("a.shop.svc.cluster.local", "shop", "a"),
			spec: {
				hosts: ["a.shop.svc.cluster.local"],
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				workloadSelector: { labels: { app: "a" } },
			},
		},
		given: without("api"),
		requester: developer,
		finds: [],
	},
});

it("serviceentry-lost-policy tells who deletes an entry which policies hold nowhere then", () => {
	const subject = { ...subjectOf(hostEntry("api.shop.example")), isDeletion: true as const };
	const { warnings } = evaluate(createEngine([rule as unknown as Rule]), world(given), subject);
	assert.deepEqual(
		warnings.map(({ message }) => message),
		[
			'AuthorizationPolicy shop/api-get targets ServiceEntry api and holds nowhere without it, whatever other entry takes "api.shop.example"',
		],
	);
});
