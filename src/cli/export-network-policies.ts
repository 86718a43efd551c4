import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { AddressRange } from "../core/address-range.ts";
import { cidrText, parseAddressRange } from "../core/address-range.ts";
import { generateNetworkPolicies } from "../export/network-policies.ts";
import { reachKinds, readReach } from "../reach/reach.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { namespaceArgument, readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

/** `waymark export network-policies`: default deny around what the waypoints govern. */
export const exportNetworkPolicies: Verb = {
	summary: "NetworkPolicies that leave pods DNS, the cluster and the waypoints",
	usage: `Usage: waymark export network-policies --allow CIDR [--allow CIDR]… [FILE|DIR|-]…
       waymark export network-policies --allow CIDR … --cluster

Prints, for each ambient namespace whose policy is enforced, one NetworkPolicy: its pods may open connections to the
cluster's DNS, to the ranges that --allow names, and to port 15008 of the waypoints. See docs/default-deny.md.

  --allow CIDR        a range inside the cluster: those of pods, of Services, of the API server; may be repeated, and
                      internal.addresses of the configuration is added
${worldUsage}
  --namespace, -n NS  those of one namespace, in the world of all

Exit: 0, 64 usage, 65 unreadable input, 70 fault`,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				...worldArguments,
				...namespaceArgument,
				allow: { type: "string", multiple: true, default: [] },
			},
		});
		const ranges = values.allow.map((text) => narrow("--allow", parseAddressRange(text), text));
		const world = await readWorld("export network-policies", positionals, values, reachKinds, streams);
		if (world === undefined) {
			return exitCodes.unreadable;
		}
		const declared = world.settings.internal.addresses.map((range) =>
			narrow("internal.addresses", range, range.text),
		);
		const inside = [...ranges, ...declared];
		if (inside.length === 0) {
			throw new UsageError(
				"--allow must name the ranges inside the cluster, or internal.addresses of the configuration: without them pods reach no Service",
			);
		}
		const reach = readReach(world, readToday());
		const policies = generateNetworkPolicies(reach, world, [...new Set(inside)].toSorted()).filter(
			({ metadata }) => values.namespace === undefined || metadata?.namespace === values.namespace,
		);
		streams.out(policies.map((policy) => `---\n${stringify(policy, { lineWidth: 0 })}`).join(""));
		return exitCodes.clean;
	},
};

/** The CIDR of a range inside the cluster; everything is no such range. */
function narrow(name: string, range: AddressRange | undefined, text: string): string {
	if (range === undefined || range.prefix === 0) {
		throw new UsageError(`${name} must be a range such as 10.0.0.0/8, and is ${JSON.stringify(text)}`);
	}
	return cidrText(range);
}
