import { canonicalHost } from "../core/host-pattern.ts";
import { saysEgressGateway } from "../istio/egress/names.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { coversHost } from "./bundles.ts";
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { GatewayApiWorld } from "./gateway-api-world.ts";
import { routeTitles } from "./gateway-api-world.ts";
import type { InputObject } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { Bundle } from "./participant.ts";
import type { Conversion, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** Objects of the Gateway API that something else needs still. */
export interface SharedGateways extends StepResult {
	readonly staying: ReadonlySet<InputObject>;
}

/** Finds the Gateways, ListenerSets and XBackends of a bundle that also serve what is no part of it: they stay. */
export function sharedGateways(
	conversion: Conversion,
	world: GatewayApiWorld,
	entries: readonly BoundEntry[],
): SharedGateways {
	const step = beginStep(conversion);
	const staying = new Set<InputObject>();
	for (const { input, role } of step.bundle.participants) {
		const isCandidate = input.kind === "KubernetesGateway" || role === "listeners" || role === "backend";
		const reason = isCandidate ? reasonToStay(input, step.bundle, world, entries) : undefined;
		if (reason !== undefined) {
			staying.add(input);
			step.ledger.note(input, ["metadata", "name"], "not carried", `it stays: ${reason}`);
			step.notes.push(`${titleOf(input)} also serves other traffic, so do not delete it: ${reason}.`);
		}
	}
	return { staying, ...endStep(step) };
}

function reasonToStay(
	input: InputObject,
	bundle: Bundle,
	world: GatewayApiWorld,
	entries: readonly BoundEntry[],
): string | undefined {
	const user = strangersOf(input, bundle, world)[0];
	if (user !== undefined) {
		return `${titleOf(user)} uses it, which is no part of this way out`;
	}
	const sets = input.kind === "KubernetesGateway" ? world.usedBy(input) : [];
	const strange = sets.flatMap((set) => strangersOf(set, bundle, world))[0];
	if (strange !== undefined) {
		return `${titleOf(strange)} uses listeners of it, and is no part of this way out`;
	}
	return sets.length > 0 && hasOwnTraffic(world.originalOf(input), entries)
		? "it has listeners of its own beside those of its ListenerSets"
		: undefined;
}

/** The routes that use an object and are no part of the bundle. */
function strangersOf(input: InputObject, bundle: Bundle, world: GatewayApiWorld): readonly InputObject[] {
	const own = new Set(bundle.participants.map((each) => each.input));
	return world.inputs.filter(
		(each) =>
			routeTitles.has(each.title) &&
			!own.has(each) &&
			(world.usedBy(each).includes(input) || isAttached(each, input)),
	);
}

function isAttached(route: InputObject, gateway: InputObject): boolean {
	return (
		gateway.kind === "KubernetesGateway" &&
		listOf(fieldsOf(route.object.spec).parentRefs)
			.map(fieldsOf)
			.some(
				({ kind, name, namespace }) =>
					(kind ?? "Gateway") === "Gateway" &&
					name === gateway.name &&
					(namespace ?? route.namespace) === gateway.namespace,
			)
	);
}

/** A Gateway must have a listener: only where nothing says which way it serves may that be more than a stand-in. */
function hasOwnTraffic(gateway: InputObject, entries: readonly BoundEntry[]): boolean {
	const { annotations } = fieldsOf(gateway.object.metadata);
	const isInward = fieldsOf(annotations)["networking.istio.io/service-type"] === "ClusterIP";
	const hosts = listOf(fieldsOf(gateway.object.spec).listeners).map(
		(listener) => textOf(fieldsOf(listener).hostname) ?? "",
	);
	const replaced = entries.flatMap((entry) => entry.hosts);
	return hosts.some((written) => {
		const host = canonicalHost(written);
		return host === ""
			? !isInward && !saysEgressGateway(gateway.name)
			: !replaced.some((each) => each === host || coversHost(host, each));
	});
}
