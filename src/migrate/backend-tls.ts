import type { BoundEntry } from "./bound-entry.ts";
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** What becomes of the BackendTLSPolicies of a bundle's ServiceEntries. */
export interface BackendTlsResult extends StepResult {
	/** Entries that must not be written, since the waypoint would connect in another way, by the reason. */
	readonly blocked: ReadonlyMap<BoundEntry, string>;
}

/**
 * BackendTLSPolicies on ServiceEntries of a bundle. istiod makes a DestinationRule for the host of each (Istio
 * pilot/pkg/config/kube/gateway/backend_policies.go), which the waypoint reads as the old gateway did, but by the ports
 * of the clients: where those lead to the port that the policy is for, TLS would not begin.
 */
export function backendTls(
	conversion: Conversion,
	entries: readonly BoundEntry[],
	inputs: readonly InputObject[],
): BackendTlsResult {
	const step = beginStep(conversion);
	const blocked = new Map<BoundEntry, string>();
	for (const input of inputs.filter(isBackendTls)) {
		for (const entry of entries.filter((each) => isFor(input, each))) {
			const reason = lossOf(input, entry);
			noteOutcome(input, entry, reason, step);
			if (reason !== undefined) {
				blocked.set(entry, `${titleOf(input)} ${reason}`);
			}
		}
	}
	return { blocked, ...endStep(step) };
}

function isBackendTls({ title, object }: InputObject): boolean {
	return (
		title === "BackendTLSPolicy" &&
		textOf(object.apiVersion)?.startsWith("gateway.networking.k8s.io/") === true
	);
}

function isFor({ namespace, object }: InputObject, { namespace: place, origin, name }: BoundEntry): boolean {
	return (
		namespace === place &&
		listOf(fieldsOf(object.spec).targetRefs)
			.map(fieldsOf)
			.some((target) => target.kind === "ServiceEntry" && target.name === (origin?.name ?? name))
	);
}

/** Why the policy would not hold at the waypoint as it held at the gateway; undefined when it does. */
function lossOf({ object }: InputObject, entry: BoundEntry): string | undefined {
	const moved = [...entry.behind].find(([port, target]) => port !== target);
	if (moved !== undefined) {
		const [port, target] = moved;
		return `begins TLS at port ${target} of ${entry.hosts.join(", ")}, and at a waypoint the clients' port ${port} counts, which leads there: say the same in a DestinationRule for port ${port} and take the policy out of the input`;
	}
	return fieldsOf(fieldsOf(object.spec).validation).caCertificateRefs === undefined
		? undefined
		: "has caCertificateRefs, which have to be given to the waypoint by hand: by credentialName in a DestinationRule";
}

function noteOutcome(
	input: InputObject,
	{ hosts }: BoundEntry,
	reason: string | undefined,
	{ ledger, notes }: Step,
): void {
	ledger.note(input, [], "carried", "stays as it is, the waypoint reads it");
	ledger.note(input, ["status"], "implied", "istiod writes it");
	if (reason !== undefined) {
		ledger.note(input, ["spec"], "not carried", `it ${reason}`);
		notes.push(`${titleOf(input)} ${reason}. Until then the way out of ${hosts.join(", ")} stays as it is.`);
	}
}
