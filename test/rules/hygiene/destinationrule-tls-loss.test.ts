import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { destinationruleTlsLoss as rule } from "../../../src/rules/hygiene/destinationrule-tls-loss.ts";
import { attachmentWorld } from "../../support/attachments.ts";
import { hostEntry, networking } from "../../support/governed-shop.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import { testRule } from "../../support/test-rule.ts";

function settings(trafficPolicy: object, more: object = {}, namespace = "shop", name = "tls"): AnyObject {
	return networking(
		"DestinationRule",
		name,
		{ host: "http.payments.example", trafficPolicy, ...more },
		namespace,
	);
}

const at80 = (mode: string): object => ({ portLevelSettings: [{ port: { number: 80 }, tls: { mode } }] });
const old = settings(at80("SIMPLE"));
const given = [...attachmentWorld, old];

testRule(rule, {
	"warns where mode DISABLE takes the place of SIMPLE": {
		object: settings(at80("DISABLE")),
		old,
		given,
		finds: ["warning spec"],
		says: /^The waypoint istio-egress\/egress originates TLS for "http\.payments\.example" until now, and then "DestinationRule shop\/tls" says "DISABLE" for port 80/,
	},
	"warns of ISTIO_MUTUAL, which is no TLS at a waypoint": {
		object: settings(at80("ISTIO_MUTUAL")),
		old,
		given,
		finds: ["warning spec"],
	},
	"warns where the settings go": {
		object: settings({}),
		old,
		given,
		finds: ["warning spec"],
		says: /and then nothing encrypts port 80/,
	},
	"warns of a workloadSelector, with which a waypoint passes over it": {
		object: settings(at80("SIMPLE"), { workloadSelector: { matchLabels: { app: "web" } } }),
		old,
		given,
		finds: ["warning spec"],
	},
	"warns where the waypoint's namespace no longer sees it": {
		object: settings(at80("SIMPLE"), { exportTo: ["."] }),
		old,
		given,
		finds: ["warning spec"],
	},
	"warns where it becomes another host's": {
		object: networking("DestinationRule", "tls", {
			host: "else.payments.example",
			trafficPolicy: at80("SIMPLE"),
		}),
		old,
		given,
		finds: ["warning spec"],
	},
	"warns of a new one that takes the place of another": {
		object: settings(at80("DISABLE"), {}, "istio-egress", "nearer"),
		given,
		finds: ["warning spec"],
		says: /"DestinationRule istio-egress\/nearer" says "DISABLE"/,
	},
	"warns of names below a wildcard": {
		object: networking("DestinationRule", "wild", {
			host: "*.payments.example",
			trafficPolicy: { tls: { mode: "DISABLE" } },
		}),
		old: networking("DestinationRule", "wild", {
			host: "*.payments.example",
			trafficPolicy: { tls: { mode: "SIMPLE" } },
		}),
		given: [
			...attachmentWorld,
			networking("DestinationRule", "wild", {
				host: "*.payments.example",
				trafficPolicy: { tls: { mode: "SIMPLE" } },
			}),
		],
		finds: ["warning spec"],
	},
	"accepts MUTUAL in the place of SIMPLE": { object: settings(at80("MUTUAL")), old, given, finds: [] },
	"accepts settings of the whole host in the place of a port's": {
		object: settings({ tls: { mode: "SIMPLE" } }),
		old,
		given,
		finds: [],
	},
	"has nothing to say of what was plain before": {
		object: settings(at80("DISABLE")),
		old: settings({}),
		given: [...attachmentWorld, settings({})],
		finds: [],
	},
	"has nothing to say of an entry without a waypoint": {
		object: networking("DestinationRule", "d", {
			host: "direct.payments.example",
			trafficPolicy: at80("DISABLE"),
		}),
		old: networking("DestinationRule", "d", {
			host: "direct.payments.example",
			trafficPolicy: at80("SIMPLE"),
		}),
		given: [...given, hostEntry("other.payments.example", "shop", "other")],
		finds: [],
	},
	"has nothing to say of a Service": {
		object: networking("DestinationRule", "d", { host: "orders", trafficPolicy: at80("DISABLE") }),
		old: networking("DestinationRule", "d", { host: "orders", trafficPolicy: at80("SIMPLE") }),
		given,
		finds: [],
	},
});

it("destinationrule-tls-loss tells who deletes one what leaves in plain text then", () => {
	const subject = { ...subjectOf(old), isDeletion: true as const };
	const { warnings } = evaluate(createEngine([rule as unknown as Rule]), world(given), subject);
	assert.equal(warnings.length, 1);
	assert.match(warnings[0]?.message ?? "", /and then nothing encrypts port 80 of ServiceEntry shop\/http/);
});
