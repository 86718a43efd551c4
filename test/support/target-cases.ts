import type { Rule } from "../../src/core/rule.ts";
import { attachable, attachmentWorld, toClass, toEntry, toGateway, toService } from "./attachments.ts";
import type { RuleCase } from "./test-rule.ts";
import { testRule } from "./test-rule.ts";

const name = "spec.targetRefs[0].name";

/** Tests what every rule about targets says, whatever its kind; `more` are the cases of one kind. */
export function testTargets(rule: Rule<never> | Rule, more: Readonly<Record<string, RuleCase>> = {}): void {
	const { kind } = rule;
	const given = attachmentWorld;
	const judged = (spec: object, namespace = "shop"): { object: object; given: typeof given } => ({
		object: attachable(kind, spec, namespace),
		given,
	});
	testRule(rule, {
		"warns of a target that is not there": {
			...judged(toEntry("renamed")),
			finds: [`warning ${name}`],
			says: /^There is no ServiceEntry renamed in namespace shop, so this holds nowhere$/,
		},
		"warns of a target in another namespace, and names that": {
			...judged(toEntry("files")),
			finds: [`warning ${name}`],
			says: /^ServiceEntry files stands in namespace bank, /,
			hints: /^Write it in namespace bank$/,
		},
		"warns of an entry that takes no waypoint": {
			...judged(toEntry("direct")),
			finds: [`warning ${name}`],
			says: /^ServiceEntry direct has no waypoint/,
		},
		"accepts an entry at the shared waypoint": { ...judged(toEntry("http")), finds: [] },
		"accepts an entry at an own waypoint": { ...judged(toEntry("local")), finds: [] },
		"has nothing to say of entries inside the cluster": { ...judged(toEntry("inside")), finds: [] },
		"has nothing to say of Services and of what Istio does not know": {
			...judged(toService("renamed")),
			finds: [],
		},
		"judges a null for what it is: absent": {
			...judged({ targetRefs: null, selector: null, workloadSelector: null }, "bank"),
			finds: [],
		},
		...more,
	});
}

/** Cases of the kinds that a waypoint reads by its Gateway, by its class, and by no selector. */
export function gatewayCases(
	kind: string,
	selector: (labels: object) => object = (matchLabels) => ({ selector: { matchLabels } }),
	path = "spec.selector.matchLabels",
): Readonly<Record<string, RuleCase>> {
	const given = attachmentWorld;
	const judged = (spec: object, namespace: string): { object: object; given: typeof given } => ({
		object: attachable(kind, spec, namespace),
		given,
	});
	const label = "gateway.networking.k8s.io/gateway-name";
	return {
		"accepts the Gateway of its own namespace": { ...judged(toGateway("egress"), "istio-egress"), finds: [] },
		"warns of a waypoint in another namespace": {
			...judged(toGateway("egress"), "bank"),
			finds: [`warning ${name}`],
			says: /^Gateway egress stands in namespace istio-egress, /,
		},
		"warns of a Gateway that is not there, beside a waypoint": {
			...judged(toGateway("egres"), "istio-egress"),
			finds: [`warning ${name}`],
			says: /^There is no Gateway egres in namespace istio-egress/,
		},
		"has nothing to say of a Gateway that is not there where no waypoint is": {
			...judged(toGateway("ingress"), "bank"),
			finds: [],
		},
		"warns of the class of waypoints outside the root namespace": {
			...judged(toClass(), "istio-egress"),
			finds: [`warning ${name}`],
			says: /root namespace only \(istio-system\)/,
		},
		"accepts the class of waypoints in the root namespace, and other classes": {
			...judged(toClass(), "istio-system"),
			finds: [],
		},
		"has nothing to say of other classes": { ...judged(toClass("nginx"), "bank"), finds: [] },
		"warns of a selector of a waypoint's pods": {
			...judged(selector({ [label]: "egress" }), "istio-egress"),
			finds: [`warning ${path}`],
			says: /^A waypoint reads what targets it and no selector, .* at istio-egress\/egress$/,
		},
		"warns of one from the root namespace": {
			...judged(selector({ [label]: "egress" }), "istio-system"),
			finds: [`warning ${path}`],
		},
		"warns of the other labels that Istio gives to a waypoint's pods": {
			...judged(selector({ "service.istio.io/canonical-name": "own" }), "shop"),
			finds: [`warning ${path}`],
		},
		"has nothing to say of other pods": { ...judged(selector({ app: "web" }), "istio-egress"), finds: [] },
	};
}

/** The case of the kinds that hold for a namespace, but not for its waypoint. */
export function namespaceCases(kind: string): Readonly<Record<string, RuleCase>> {
	return {
		"warns of what holds for the namespace of a shared waypoint, and not for what goes through it": {
			object: attachable(kind, {}, "istio-egress"),
			given: attachmentWorld,
			finds: ["warning spec"],
			says: /^The waypoint istio-egress\/egress reads what targets it/,
		},
		"has nothing to say of what holds for a namespace with a waypoint of its own": {
			object: attachable(kind, {}, "shop"),
			given: attachmentWorld,
			finds: [],
		},
		"has nothing to say of what holds for the whole mesh": {
			object: attachable(kind, {}, "istio-system"),
			given: attachmentWorld,
			finds: [],
		},
	};
}
