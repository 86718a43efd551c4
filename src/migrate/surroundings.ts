import type { BoundEntry } from "./bound-entry.ts";
import { fieldsOf, listOf, textOf, textsOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** Says what of the input around a way out bears on the new one: rules of the network, grants, revisions. */
export function noteSurroundings(
	conversion: Conversion,
	entries: readonly BoundEntry[],
	inputs: readonly InputObject[],
): StepResult {
	const step = beginStep(conversion);
	if (entries.length > 0) {
		for (const input of inputs) {
			noteNetworkPolicy(input, entries, step);
			noteGrant(input, step);
		}
		noteRevisions(step);
	}
	return endStep(step);
}

/** Where the clients of a bundle are, as far as its routes to the gateway say it. */
function clientNamespaces({ bundle }: Step): readonly string[] {
	return bundle.participants
		.filter(({ hops, ties, role }) =>
			hops === undefined
				? role === "route" && ties.some((tie) => tie.startsWith("entry "))
				: hops.toGateway.length > 0,
		)
		.map(({ input }) => input.namespace);
}

/** A NetworkPolicy that lets pods reach the egress gateway alone also stops them on the way to a waypoint. */
function noteNetworkPolicy(input: InputObject, entries: readonly BoundEntry[], step: Step): void {
	const { policyTypes, egress } = fieldsOf(input.object.spec);
	const limits = egress !== undefined || textsOf(policyTypes).includes("Egress");
	if (input.title !== "NetworkPolicy" || !limits || !clientNamespaces(step).includes(input.namespace)) {
		return;
	}
	const places = [...new Set(entries.map(({ waypoint }) => `\`${waypoint.namespace}\``))].join(", ");
	step.notes.push(
		`${titleOf(input)} says where pods of \`${input.namespace}\` may connect to: before they move, see that it lets them reach the waypoint's pods in ${places} on port 15008.`,
	);
}

/** What let routes of one namespace name the gateway's Service in another serves nothing when they are gone. */
function noteGrant(input: InputObject, { bundle, notes }: Step): void {
	if (input.title !== "ReferenceGrant") {
		return;
	}
	const from = listOf(fieldsOf(input.object.spec).from).map(fieldsOf);
	const isFor = bundle.participants.some(
		({ input: route, role, ties }) =>
			role === "route" &&
			from.some(({ kind, namespace }) => kind === route.title && namespace === route.namespace) &&
			ties.some((tie) => tie.startsWith(`backend ${input.namespace}/`)),
	);
	if (isFor) {
		notes.push(
			`${titleOf(input)} let routes of this way out name the gateway's Service: delete it with them, if nothing else needs it.`,
		);
	}
}

/** Objects of several revisions were never read by one istiod: what is written for them is read by every one. */
function noteRevisions({ bundle, ledger, notes }: Step): void {
	const labelled = bundle.participants
		.filter(({ role }) => role === "route" || role === "gateway" || role === "host rule")
		.map(({ input }) => ({ input, revision: textOf(labelsOf(input)["istio.io/rev"]) }));
	const revisions = new Set(labelled.map(({ revision }) => revision));
	if (revisions.size < 2) {
		return;
	}
	const reason = "an istiod of another revision passed over it, and reads what is written for it";
	const named = labelled.filter(({ revision }) => revision !== undefined);
	for (const { input } of named) {
		ledger.note(input, ["metadata", "labels", "istio.io/rev"], "not carried", reason);
	}
	notes.push(
		`Objects of this way out are of different revisions (${named.map(({ input, revision }) => `${titleOf(input)} of \`${String(revision)}\``).join(", ")}): each istiod read its own, and from now on every one reads the same. Migrate one revision's objects at a time, or check the routes that are written.`,
	);
}

function labelsOf({ object }: InputObject): Readonly<Record<string, unknown>> {
	return fieldsOf(fieldsOf(object.metadata).labels);
}
