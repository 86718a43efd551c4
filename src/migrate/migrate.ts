import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import { convertAsm } from "./asm.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { bundlesOf, egressParticipants } from "./bundles.ts";
import { boundEntries } from "./entries.ts";
import { fieldsOf } from "./fields.ts";
import { gatewayApiRoutes } from "./gateway-api-routes.ts";
import { hostRules } from "./host-rules.ts";
import type { InputObject, Output } from "./input-object.ts";
import { outputKey } from "./input-object.ts";
import type { LedgerEntry } from "./ledger.ts";
import { ledgerOf } from "./ledger.ts";
import { noteOldObjects } from "./old-objects.ts";
import type { Bundle } from "./participant.ts";
import { movedPolicies } from "./policies.ts";
import { portDemandsOf } from "./port-demands.ts";
import { removalsOf } from "./removals.ts";
import { carriedRoutes } from "./route-features.ts";
import type { Conversion } from "./step.ts";
import { newWaypoint, waypointFor } from "./waypoints.ts";

/** One way out of the old kind and what became of it. */
export interface ConvertedBundle {
	readonly bundle: Bundle;
	readonly entries: readonly BoundEntry[];
	readonly outputs: readonly Output[];
	/** Why some of the outputs must not be written, by their keys. */
	readonly blocked: ReadonlyMap<string, string>;
	/** Whether every host of it has a ServiceEntry that is written, so that the old objects can go. */
	readonly isReplaced: boolean;
	readonly removals: readonly InputObject[];
	/** Those of the removals that a waypoint would obey, so that they have to go when the clients move. */
	readonly steering: readonly InputObject[];
	readonly ledger: readonly LedgerEntry[];
	/** What a person has to know or do, in Markdown. */
	readonly notes: readonly string[];
}

/** The result of a migration: nothing is written by it. */
export interface Migration {
	readonly bundles: readonly ConvertedBundle[];
	readonly outputs: readonly Output[];
	/** Objects of the input that take no part in sidecar-style egress. */
	readonly untouched: readonly InputObject[];
}

/** Finds the bundles of sidecar-style egress in a world and turns each into ambient manifests. */
export function migrate(
	inputs: readonly InputObject[],
	inventory: Inventory,
	asked: WaypointReference | undefined,
): Migration {
	const found = bundlesOf(egressParticipants(inputs, inventory), inputs, inventory);
	const bundles = withOwnNames(found.map((bundle) => convert(bundle, inputs, inventory, asked)));
	const entries = bundles.flatMap((each) => each.entries);
	const waypoints = [...new Set(entries.map(({ namespace }) => namespace))]
		.map((namespace) => waypointFor(namespace, inventory, asked))
		.filter(({ isNew }) => isNew)
		.map(({ reference }) => newWaypoint(reference));
	const outputs = new Map<string, Output>();
	for (const output of [...waypoints, ...bundles.flatMap((each) => each.outputs)]) {
		const key = outputKey(output.object);
		if (!outputs.has(key)) {
			outputs.set(key, output);
		}
	}
	const involved = new Set([
		...found.flatMap(({ participants }) => participants.map(({ input }) => input)),
		...bundles.flatMap(({ ledger }) => ledger.map(({ input }) => input)),
	]);
	return {
		bundles,
		outputs: [...outputs.values()],
		untouched: inputs.filter((input) => !involved.has(input)),
	};
}

/** Gives another name to an object that would overwrite another one that the migration writes. */
function withOwnNames(bundles: readonly ConvertedBundle[]): readonly ConvertedBundle[] {
	const taken = new Map<string, string>();
	const rename = (output: Output): Output => {
		const { object } = output;
		const text = JSON.stringify(object);
		const before = taken.get(outputKey(object));
		if (before === undefined || before === text || object.kind === "ServiceEntry") {
			taken.set(outputKey(object), text);
			return output;
		}
		const metadata = fieldsOf(object.metadata);
		const name = `${String(metadata.name).slice(0, 240)}-${taken.size}`;
		return rename({ ...output, object: { ...object, metadata: { ...metadata, name } } });
	};
	return bundles.map((bundle) => ({ ...bundle, outputs: bundle.outputs.map(rename) }));
}

function convert(
	bundle: Bundle,
	inputs: readonly InputObject[],
	inventory: Inventory,
	asked: WaypointReference | undefined,
): ConvertedBundle {
	const { demands, outcomes } = portDemandsOf(bundle, inventory);
	const conversion: Conversion = {
		bundle,
		demands,
		inventory,
		waypointOf: (namespace) => waypointFor(namespace, inventory, asked).reference,
	};
	const bound = boundEntries(conversion);
	const asm = convertAsm(conversion, inputs, bound.entries);
	const entries = [...bound.entries, ...asm.entries];
	const old = noteOldObjects(conversion, entries);
	const rules = hostRules(conversion, entries);
	const routes = carriedRoutes(conversion, entries);
	const gatewayApi = gatewayApiRoutes(conversion, entries);
	const policies = movedPolicies(conversion, entries, inputs);
	const removal = removalsOf(conversion, entries, rules.replaced, bound.dropped);
	const steps = [asm, bound, old, rules, routes, gatewayApi, policies, removal];
	const noted = [...outcomes, ...steps.flatMap((step) => step.outcomes)];
	const own = [...new Set([...bundle.participants, ...noted].map(({ input }) => input))];
	return {
		bundle,
		entries,
		outputs: [
			...entries.map((entry) => withItsRule(entry, rules.outputs)),
			...steps.flatMap((step) => step.outputs),
		],
		blocked: new Map(
			[...rules.blocked, ...asm.blocked].map(([entry, reason]) => [outputKey(entry.output.object), reason]),
		),
		isReplaced: entries.length > 0,
		removals: removal.removals,
		steering: removal.steering,
		ledger: ledgerOf(own, noted),
		notes: [...new Set(steps.flatMap((step) => step.notes))],
	};
}

/** An entry whose traffic goes to another port goes together with the rule that begins TLS there. */
function withItsRule({ hosts, ports, output }: BoundEntry, rules: readonly Output[]): Output {
	const isMoved = ports.some(({ targetPort }) => targetPort !== undefined);
	const hasRule = rules.some(({ object }) =>
		hosts.includes(canonicalHost(String(fieldsOf(object.spec).host))),
	);
	return isMoved && hasRule ? { ...output, stage: "2-switch" } : output;
}
