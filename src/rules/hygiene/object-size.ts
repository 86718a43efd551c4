import { kinds } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { mostItems } from "../../core/size.ts";

/** An object that is not too large has nothing that this rule is about. */
function isOversized(): boolean {
	return false;
}

/** An object is small enough to be judged in the time of a request. */
export const objectSize: Rule<"VirtualService"> = {
	id: "object-size",
	kind: "VirtualService",
	everyKind: true,
	family: "hygiene",
	severity: "error",
	reads: [],
	fixable: false,
	seesAnySize: true,
	docs: {
		summary: "An object must be small enough to be judged in the time of a request",
		why: "Everybody's requests wait while one is judged, so an object has bounds: 4,096 items of a list, 4,096 characters of a text, 32,768 values that Waymark reads in all, and whatever the CustomResourceDefinition bounds closer. An object beyond them is judged by no other rule, and refused where the namespace enforces; an update that changes nothing of it is not. The same holds where judging an object within the bounds takes more than half a second of processor time because of what the cluster holds beside it.",
		fix: "Divide the object: several ServiceEntries, several VirtualServices for other hosts.",
		sources: ["istio.io/api kubernetes/customresourcedefinitions.gen.yaml", "docs/operations.md"],
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
			spec: {
				hosts: ["api.example.com"],
				http: [{ name: "a".repeat(mostItems + 1), route: [{ destination: { host: "api.example.com" } }] }],
			},
		},
	},
	when: isOversized,
	*check(object, { kind }) {
		const { excess } = kinds[kind].measure(object);
		if (excess !== undefined) {
			yield {
				path: excess.path,
				message: `Too large to judge: ${excess.path.length === 0 ? "the object" : "this"} ${excess.reason}`,
				hint: "Divide the object",
			};
		}
	},
	*onCut() {
		yield {
			path: [],
			message:
				"Too costly to judge: half a second is not enough to compare the object with all that has its hosts, addresses or targets",
			hint: "Divide the object, or remove objects that have the same hosts or addresses",
		};
	},
};
