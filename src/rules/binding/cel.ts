import type { CelCheck } from "../../core/cel.ts";

/** What the table says of the waypoint that an entry shall take. */
export function waypointFault(id: string, hint: string): CelCheck {
	return {
		problems: [
			{
				needs: "table",
				each: ["f", `e.faults.filter(f, f.rule == '${id}' && f.severity == 'error')`],
				when: "true",
				path: "metadata.labels",
				message: "{f.message.replace('ORIGIN', e.origin)}",
				hint,
				isAboutWhole: true,
			},
		],
	};
}
