import type { AnyObject } from "../../../src/core/kinds.ts";
import { telemetrySharedSilence as rule } from "../../../src/rules/attachment/telemetry-shared-silence.ts";
import {
	attachable,
	developer,
	editor,
	attachmentWorld as given,
	editors as settings,
	toEntry,
} from "../../support/attachments.ts";
import { testRule } from "../../support/test-rule.ts";

function silent(spec: object, target = "api"): AnyObject {
	return attachable("Telemetry", toEntry(target, spec));
}

const noLog = { accessLogging: [{ disabled: true }] };

testRule(rule, {
	"refuses what a tenant switches off at a shared waypoint": {
		object: silent({
			...noLog,
			metrics: [{ overrides: [{ match: { metric: "ALL_METRICS" }, disabled: true }] }],
			tracing: [{ disableSpanReporting: true }],
		}),
		given,
		settings,
		requester: developer,
		finds: [
			"error spec.accessLogging[0].disabled",
			"error spec.metrics[0].overrides[0].disabled",
			"error spec.tracing[0].disableSpanReporting",
		],
		says: /^Switches off the access log of the waypoint istio-egress\/egress for ServiceEntry api/,
	},
	"refuses a single metric, one without a name, and a log of which a part is left": {
		object: silent({
			accessLogging: [{ filter: { expression: "response.code >= 500" } }],
			metrics: [
				{
					overrides: [
						{ match: { metric: "REQUEST_COUNT", mode: "SERVER" }, disabled: true },
						{ disabled: true },
					],
				},
			],
		}),
		given,
		settings,
		requester: developer,
		finds: [
			"error spec.accessLogging[0].filter.expression",
			"error spec.metrics[0].overrides[0].disabled",
			"error spec.metrics[0].overrides[1].disabled",
		],
	},
	"accepts what only clients would tell": {
		object: silent({
			accessLogging: [{ match: { mode: "CLIENT" }, disabled: true }],
			metrics: [{ overrides: [{ match: { mode: "CLIENT" }, disabled: true }] }],
			tracing: [{ match: { mode: "CLIENT" }, disableSpanReporting: true }],
		}),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts what switches more on": {
		object: silent({
			accessLogging: [{}, { providers: [{ name: "otel" }, { name: "envoy" }] }],
			metrics: [
				{ providers: [{ name: "prometheus" }], overrides: [{ tagOverrides: { team: { value: "'shop'" } } }] },
			],
			tracing: [{ randomSamplingPercentage: 100 }],
		}),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"warns of other providers, a label less and no sample: they take a part from who reads it now": {
		object: silent({
			accessLogging: [{ providers: [{ name: "nowhere" }] }],
			metrics: [
				{
					providers: [{ name: "nowhere" }],
					overrides: [{ tagOverrides: { source_principal: { operation: "REMOVE" } } }],
				},
			],
			tracing: [{ providers: [{ name: "nowhere" }], randomSamplingPercentage: 0 }],
		}),
		given,
		settings,
		requester: developer,
		finds: [
			"warning spec.accessLogging[0].providers",
			"warning spec.metrics[0].providers",
			"warning spec.metrics[0].overrides[0].tagOverrides.source_principal",
			"warning spec.tracing[0].providers",
			"error spec.tracing[0].randomSamplingPercentage",
		],
		says: /^Takes the access log of the waypoint istio-egress\/egress for ServiceEntry api from whoever reads it now$/,
	},
	"warns of one for the namespace of a waypoint, which holds for entries of other namespaces": {
		object: attachable("Telemetry", noLog, "istio-egress"),
		given,
		settings,
		requester: developer,
		finds: ["warning spec.accessLogging[0].disabled"],
		says: /for ServiceEntry shop\/api, so nobody sees/,
	},
	"lets policy editors do that": {
		object: attachable("Telemetry", noLog, "istio-egress"),
		given,
		settings,
		requester: editor,
		finds: [],
	},
	"warns of one that holds for a namespace with entries at a shared waypoint": {
		object: attachable("Telemetry", noLog),
		given,
		settings,
		requester: developer,
		finds: ["warning spec.accessLogging[0].disabled"],
	},
	"has nothing to say of one for the pods of a namespace": {
		object: attachable("Telemetry", { selector: { matchLabels: { app: "web" } }, ...noLog }),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"has nothing to say of a namespace without such entries": {
		object: attachable("Telemetry", noLog, "elsewhere"),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"accepts it at the team's own waypoint": {
		object: silent(noLog, "local"),
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"lets policy editors do it": { object: silent(noLog), given, settings, requester: editor, finds: [] },
	"warns where nobody knows who asks": {
		object: silent(noLog),
		given,
		finds: ["warning spec.accessLogging[0].disabled"],
	},
	"only warns of an update that leaves it as it was": {
		object: silent(noLog),
		old: silent(noLog),
		given,
		settings,
		requester: developer,
		finds: ["warning spec.accessLogging[0].disabled"],
	},
});
