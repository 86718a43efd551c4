import type { Path, Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { AnyObject } from "../../core/kinds.ts";
import type { GovernedAddress } from "../../istio/capture/workload-address.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** For examples: another namespace's entry sends 203.0.113.0/24 through the waypoint. */
export const governedBlock: readonly AnyObject[] = [
	teamNamespace,
	egressNamespace,
	egressWaypoint,
	{ ...teamNamespace, metadata: { ...teamNamespace.metadata, name: "other" } },
	{
		...withSpec(boundEntry, {
			hosts: ["partner.example.net"],
			resolution: "NONE",
			addresses: ["203.0.113.0/24"],
		}),
		metadata: { ...boundEntry.metadata, name: "partner", namespace: "other" },
	},
];

/** What a workload does to an entry whose address it takes: an error where the entry's namespace enforces ambient. */
export function takenAddress(
	{ objectName, range, waypoint }: GovernedAddress,
	{ path, what, inventory }: { readonly path: Path; readonly what: string; readonly inventory: Inventory },
): Problem {
	const isEnforced = inventory.policy(objectName.namespace).ambient === "enforced";
	return {
		path,
		message: `${what} is an address that ServiceEntry ${mention(`${objectName.namespace}/${objectName.name}`)} sends through ${mention(waypoint)}${isSame(what, range.text) ? "" : ` (${mention(range.text)})`}: connections to it would go past that waypoint`,
		hint: "Use a host name or another address, or ask the owner of that ServiceEntry to list other addresses",
		...(isEnforced ? {} : { severity: "warning" as const }),
	};
}

function isSame(what: string, text: string): boolean {
	return what.endsWith(`"${text}"`);
}
