import type { AnyObject } from "../../../src/core/kinds.ts";
import { backendtlspolicyPolicyHostname as rule } from "../../../src/rules/policy/backendtlspolicy-policy-hostname.ts";
import {
	attachable,
	developer,
	editor,
	attachmentWorld as given,
	editors as settings,
	toEntry,
	toService,
} from "../../support/attachments.ts";
import { testRule } from "../../support/test-rule.ts";

function securing(hostname: string, target = toEntry("api")): AnyObject {
	return attachable("BackendTLSPolicy", { ...target, validation: { hostname } });
}

const place = "spec.validation.hostname";

testRule(rule, {
	"refuses the name of a host that the namespace may not reach": {
		object: securing("files.bank.example"),
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /^SNI "files\.bank\.example" is not among the hosts/,
	},
	"accepts the host of the entry in any spelling, and an allowed one": {
		object: securing("API.shop.example."),
		given,
		finds: [],
	},
	"accepts an allowed one": { object: securing("x.payments.example"), given, finds: [] },
	"has nothing to say of Services": {
		object: securing("files.bank.example", toService("orders")),
		given,
		finds: [],
	},
	"has nothing to say of an entry inside the cluster": {
		object: securing("files.bank.example", toEntry("inside")),
		given,
		finds: [],
	},
	"lets policy editors do it": {
		object: securing("files.bank.example"),
		given,
		settings,
		requester: editor,
		finds: [],
	},
});
