import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import type { Output } from "./input-object.ts";
import type { NotedOutcome } from "./ledger.ts";
import { Ledger } from "./ledger.ts";
import type { Bundle } from "./participant.ts";
import type { PortDemand } from "./port-demands.ts";

/** What every step of a bundle's conversion reads. */
export interface Conversion {
	readonly bundle: Bundle;
	readonly demands: readonly PortDemand[];
	readonly inventory: Inventory;
	/** The waypoint for ServiceEntries of a namespace. */
	waypointOf(namespace: string): WaypointReference;
}

/** A step in work, with what it alone writes down. */
export interface Step extends Conversion {
	readonly ledger: Ledger;
	/** Things that a person has to know or do, in Markdown. */
	readonly notes: string[];
}

/** What a step leaves behind. */
export interface StepResult {
	readonly outputs: readonly Output[];
	readonly outcomes: readonly NotedOutcome[];
	readonly notes: readonly string[];
}

/** Begins a step of a conversion. */
export function beginStep(conversion: Conversion): Step {
	return { ...conversion, ledger: new Ledger(), notes: [] };
}

/** Ends a step with the objects that it writes. */
export function endStep({ ledger, notes }: Step, outputs: readonly Output[] = []): StepResult {
	return { outputs, outcomes: ledger.outcomes, notes };
}
