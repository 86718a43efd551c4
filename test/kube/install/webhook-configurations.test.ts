import assert from "node:assert/strict";
import { it } from "node:test";
import type { WebhookConfiguration } from "../../../src/kube/install/webhook-configurations.ts";
import { withoutPolicyClaim } from "../../../src/kube/install/webhook-configurations.ts";

const claims = (...fields: readonly string[]): object => ({
	"f:webhooks": {
		'k:{"name":"validate.waymark.dev"}': Object.fromEntries(fields.map((field) => [`f:${field}`, {}])),
	},
});

function configuration(...entries: readonly (readonly [string, object])[]): WebhookConfiguration {
	return {
		metadata: {
			resourceVersion: "7",
			managedFields: entries.map(([manager, fieldsV1]) => ({ manager, fieldsV1 })),
		},
		webhooks: [],
	};
}

it("withoutPolicyClaim() gives up our claim on failurePolicy, and leaves our others and everybody else's", () => {
	const helm = ["helm", claims("failurePolicy", "rules")] as const;
	const given = withoutPolicyClaim(configuration(helm, ["waymark", claims("clientConfig", "failurePolicy")]));
	assert.deepEqual(given, configuration(helm, ["waymark", claims("clientConfig")]));
});

it("withoutPolicyClaim() has nothing to do where we claim nothing", () => {
	assert.equal(withoutPolicyClaim(configuration(["helm", claims("failurePolicy")])), null);
	assert.equal(withoutPolicyClaim(configuration(["waymark", claims("clientConfig")])), null);
	assert.equal(withoutPolicyClaim({ metadata: {} }), null);
});
