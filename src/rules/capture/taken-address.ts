import type { Path, Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { GovernedAddress } from "../../istio/capture/workload-address.ts";

/** What a workload does to an entry whose address it takes: an error where the entry's namespace enforces ambient. */
export function takenAddress(
	{ place, range, waypoint }: GovernedAddress,
	{ path, what, inventory }: { readonly path: Path; readonly what: string; readonly inventory: Inventory },
): Problem {
	const isEnforced = inventory.policy(place.namespace).ambient === "enforced";
	return {
		path,
		message: `${what} is an address that ServiceEntry ${mention(`${place.namespace}/${place.name}`)} sends through ${mention(waypoint)}${isSame(what, range.text) ? "" : ` (${mention(range.text)})`}: connections to it would go past that waypoint`,
		hint: "Use a host name or another address, or ask the owner of that ServiceEntry to list other addresses",
		...(isEnforced ? {} : { severity: "warning" as const }),
	};
}

function isSame(what: string, text: string): boolean {
	return what.endsWith(`"${text}"`);
}
