import type { Change } from "../../core/changed-inventory.ts";
import type { Path, Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { WaypointEntry } from "../../istio/capture/tls-loss.ts";
import { firstTlsLoss } from "../../istio/capture/tls-loss.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";

/** What is said where a change makes requests leave in plain text that a waypoint has encrypted so far. */
export function* tlsLossProblems(
	entries: Iterable<WaypointEntry>,
	old: Change["object"],
	change: Change,
	inventory: Inventory,
	path: Path,
): Iterable<Problem> {
	const loss = firstTlsLoss(entries, old, change, inventory);
	if (loss !== undefined) {
		const { host, port, waypoint, entry } = loss.lost;
		const { namespace, name } = entry.metadata ?? {};
		const because =
			loss.after === undefined
				? "nothing encrypts"
				: `${mention(loss.after.source)} says ${quote(loss.after.mode)} for`;
		yield {
			path,
			message: `The waypoint ${formatWaypoint(waypoint)} originates TLS for ${quote(host)} until now, and then ${because} port ${port.number} of ServiceEntry ${mention(`${namespace ?? ""}/${name ?? ""}`)}: requests leave in plain text`,
			hint: "Keep tls mode SIMPLE for the port, or move the clients to a port that carries TLS first",
		};
	}
}
