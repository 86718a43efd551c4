import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import { convertAsm } from "./asm.ts";
import { backendTls } from "./backend-tls.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { bundlesOf, egressParticipants } from "./bundles.ts";
import { boundEntries } from "./entries.ts";
import { externalBackends } from "./external-backends.ts";
import { fieldsOf } from "./fields.ts";
import { gatewayApiRoutes } from "./gateway-api-routes.ts";
import type { GatewayApiWorld } from "./gateway-api-world.ts";
import { backendOf, gatewayApiWorld, gatewayOfSet, isListenerSet } from "./gateway-api-world.ts";
import { hostRules } from "./host-rules.ts";
import type { InputObject, Output } from "./input-object.ts";
import { outputKey } from "./input-object.ts";
import type { LedgerEntry } from "./ledger.ts";
import { ledgerOf } from "./ledger.ts";
import { noteOldObjects } from "./old-objects.ts";
import type { Bundle, Participant } from "./participant.ts";
import { movedPolicies } from "./policies.ts";
import { portDemandsOf } from "./port-demands.ts";
import { removalsOf } from "./removals.ts";
import { carriedRoutes } from "./route-features.ts";
import { sharedGateways } from "./shared-gateways.ts";
import type { Conversion } from "./step.ts";
import { noteSurroundings } from "./surroundings.ts";
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
	/** Objects of the input that no way out accounts for. */
	readonly untouched: readonly InputObject[];
}

/** Finds the bundles of sidecar-style egress in a world and turns each into ambient manifests. */
export function migrate(
	given: readonly InputObject[],
	known: Inventory,
	asked: WaypointReference | undefined,
): Migration {
	const world = gatewayApiWorld(given, known);
	const { inputs, inventory } = world;
	const participants = withParts(egressParticipants(inputs, inventory), world);
	const found = bundlesOf(participants, inputs, inventory);
	const bundles = withOwnNames(found.map((bundle) => convert(bundle, world, asked)));
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
		...bundles.flatMap(({ bundle }) => bundle.participants.map(({ input }) => input)),
		...bundles.flatMap(({ ledger }) => ledger.map(({ input }) => input)),
	]);
	return {
		bundles,
		outputs: [...outputs.values()],
		untouched: given.filter((input) => !involved.has(input)),
	};
}

/** The participants with the ListenerSets and XBackends that they use. */
function withParts(participants: readonly Participant[], world: GatewayApiWorld): readonly Participant[] {
	const parts = new Map<InputObject, Participant>();
	for (const { input: user, hosts } of participants) {
		for (const input of world.usedBy(user)) {
			const backend = backendOf(input);
			const part: Participant = isListenerSet(input)
				? { input, role: "listeners", hosts: [], ties: [`kubernetes ${gatewayOfSet(input)}`] }
				: { input, role: "backend", hosts: backend === undefined ? hosts : [backend.host], ties: [] };
			parts.set(input, part);
		}
	}
	return [...participants, ...parts.values()];
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
	world: GatewayApiWorld,
	asked: WaypointReference | undefined,
): ConvertedBundle {
	const { inputs, inventory, originalOf } = world;
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
	const routes = carriedRoutes(conversion, entries, inputs);
	const gatewayApi = gatewayApiRoutes(conversion, entries);
	const policies = movedPolicies(conversion, entries, inputs);
	const backends = externalBackends(conversion, entries);
	const tls = backendTls(conversion, entries, inputs);
	const around = noteSurroundings(conversion, entries, inputs);
	const shared = sharedGateways(conversion, world, entries);
	const removal = removalsOf(conversion, entries, rules.replaced, bound.dropped);
	const steps = [
		asm,
		bound,
		old,
		rules,
		routes,
		gatewayApi,
		policies,
		backends,
		tls,
		shared,
		around,
		removal,
	];
	const noted = [...outcomes, ...steps.flatMap((step) => step.outcomes)].map((each) => ({
		...each,
		input: originalOf(each.input),
	}));
	const written = bundle.participants.map((each) => ({ ...each, input: originalOf(each.input) }));
	const own = [...new Set([...written, ...noted].map(({ input }) => input))];
	return {
		bundle: { ...bundle, participants: written },
		entries,
		outputs: [
			...entries.map((entry) => withItsRule(entry, [...rules.outputs, ...backends.outputs])),
			...steps.flatMap((step) => step.outputs),
		],
		blocked: new Map(
			[...rules.blocked, ...asm.blocked, ...backends.blocked, ...tls.blocked].map(([entry, reason]) => [
				outputKey(entry.output.object),
				reason,
			]),
		),
		isReplaced: entries.length > 0,
		removals: removal.removals.filter((each) => !shared.staying.has(each)).map(originalOf),
		steering: removal.steering.map(originalOf),
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
