import { coerce } from "../../core/coerce.ts";
import { quote } from "../../core/finding.ts";
import { kinds, withoutStatus } from "../../core/kinds.ts";
import { pruneNulls } from "../../core/prune-nulls.ts";
import type { Rule } from "../../core/rule.ts";

const words = {
	string: "a text belongs",
	number: "a number belongs",
	boolean: "true or false belongs",
	list: "a list belongs",
	map: "fields belong",
} as const;

/** More mistakes than this are one mistake, such as a template that nobody rendered. */
const mostFaults = 8;

/** An object of the right shape has nothing that this rule is about. */
function isMisshapen(): boolean {
	return false;
}

function found(value: unknown): string {
	if (typeof value === "string") {
		return quote(value);
	}
	return Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : String(value);
}

/** Whatever Waymark reads in the metadata and spec of an object has the type that its kind wants. */
export const objectShape: Rule<"VirtualService"> = {
	id: "object-shape",
	kind: "VirtualService",
	everyKind: true,
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	seesAnyShape: true,
	docs: {
		summary: "Every field of an object that Waymark reads must have the type that the object's kind wants",
		why: "Nothing can be said of an object one of whose fields cannot be read: whether it keeps within the policy is not known. The API server refuses it as well where the schema of the CustomResourceDefinition is whole; where it is not, an update could otherwise hide whatever else it changes. A status counts as absent where it cannot be read, since its author is another.",
		fix: "Write the type that the field wants: a list of hosts even for one, a port without quotes. A ServiceEntry has the rule serviceentry-schema for this.",
		sources: ["istio.io/api kubernetes/customresourcedefinitions.gen.yaml"],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "VirtualService",
			metadata: { name: "payments", namespace: "shop" },
			spec: { hosts: ["api.example.com"], http: [{ route: [{ destination: { host: "api.example.com" } }] }] },
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "VirtualService",
			metadata: { name: "payments", namespace: "shop" },
			spec: { hosts: "api.example.com", http: [{ route: [{ destination: { host: "api.example.com" } }] }] },
		} as never,
	},
	when: isMisshapen,
	*check(object, { kind }) {
		// A rule of its own says more of it.
		if (kind === "ServiceEntry") {
			return;
		}
		const { faults } = coerce(withoutStatus(pruneNulls(object)), kinds[kind].shape);
		for (const { path, expected, value } of faults.slice(0, mostFaults)) {
			yield {
				path,
				message: `Here ${words[expected]}, and not ${found(value)}, so nothing can be said of the rest`,
				hint: `Write what a ${kinds[kind].kind} has there`,
			};
		}
	},
};
