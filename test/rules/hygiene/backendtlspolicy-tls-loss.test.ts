import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { backendtlspolicyTlsLoss as rule } from "../../../src/rules/hygiene/backendtlspolicy-tls-loss.ts";
import { attachable, attachmentWorld, toEntry } from "../../support/attachments.ts";
import { networking } from "../../support/governed-shop.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import { testRule } from "../../support/test-rule.ts";

const validation = { hostname: "http.payments.example" };

function securing(target: object): AnyObject {
	return attachable("BackendTLSPolicy", { ...target, validation });
}

const old = securing(toEntry("http"));
const given = [...attachmentWorld, old];

testRule(rule, {
	"warns where it targets another entry": {
		object: securing(toEntry("api")),
		old,
		given,
		finds: ["warning spec.targetRefs"],
		says: /originates TLS for "http\.payments\.example" until now, and then nothing encrypts port 80/,
	},
	"accepts it where a DestinationRule does the same": {
		object: securing(toEntry("api")),
		old,
		given: [
			...given,
			networking("DestinationRule", "tls", {
				host: "http.payments.example",
				trafficPolicy: { tls: { mode: "SIMPLE" } },
			}),
		],
		finds: [],
	},
	"accepts what keeps its target": {
		object: { ...old, spec: { ...toEntry("http") } },
		old,
		given,
		finds: [],
	},
	"has nothing to say of a new one": { object: old, given: attachmentWorld, finds: [] },
});

it("backendtlspolicy-tls-loss tells who deletes one what leaves in plain text then", () => {
	const subject = { ...subjectOf(old), isDeletion: true as const };
	const { warnings } = evaluate(createEngine([rule as unknown as Rule]), world(given), subject);
	assert.match(warnings[0]?.message ?? "", /and then nothing encrypts port 80 of ServiceEntry shop\/http/);
});
