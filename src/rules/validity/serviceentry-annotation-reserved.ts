import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { goQuote } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

const refusedAnnotations: readonly string[] = [
	"istio.io/dry-run",
	"internal.istio.io/webhook-always-reject",
	"internal.istio.io/parent-namespace",
	"internal.istio.io/parents",
];

/** The object carries no annotation that istiod refuses on sight. */
export const serviceentryAnnotationReserved: Rule<"ServiceEntry"> = {
	id: "serviceentry-annotation-reserved",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The object carries no annotation that istiod refuses on sight",
		why: "istiod's webhook refuses the object for the annotation alone and then reports none of its other mistakes.",
		fix: "Remove the annotation.",
		sources: ["istio/istio pkg/config/validation/validation.go: validateMetadata"],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop", annotations: { "istio.io/dry-run": "true" } },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasIstioMetadata,
	check(entry, context) {
		return validateAnnotations(entry, context);
	},
};

/** Annotations that make istiod refuse an object whatever else it says (validation.go: validateMetadata). */
function* validateAnnotations(entry: ServiceEntry, context: RuleContext): Iterable<ValidationProblem> {
	const annotations = entry.metadata?.annotations ?? {};
	const found = refusedAnnotations.filter((annotation) => Object.hasOwn(annotations, annotation));
	for (const [index, annotation] of found.entries()) {
		// istiod stops at the first.
		yield {
			path: ["metadata", "annotations", annotation],
			...(index === 0 ? { istiodMessage: messageOnAnnotation(annotation, context) } : {}),
			message: `The annotation ${annotation} is not for a ServiceEntry, and istiod refuses every object that carries it`,
			hint: "Remove the annotation",
		};
	}
}

function messageOnAnnotation(annotation: string, { namespace, name = "" }: RuleContext): string {
	if (annotation === "istio.io/dry-run") {
		return `${namespace}/${name} has unsupported annotation ${annotation}, please remove the annotation`;
	}
	return annotation.endsWith("always-reject")
		? `${goQuote(annotation)} annotation found, rejecting`
		: `${goQuote(annotation)} annotation found, this may not be set by users`;
}
