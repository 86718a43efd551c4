import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { GeneratedPolicies } from "../export/authorization-policies.ts";
import { generatePolicies } from "../export/authorization-policies.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { reachKinds, readReach } from "../reach/reach.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

/** `waymark export authorization-policies`: what makes the policies of namespaces hold at the waypoints. */
export const exportAuthorizationPolicies: Verb = {
	summary: "AuthorizationPolicies by which the waypoints refuse what a namespace's policy does not allow",
	usage: `Usage: waymark export authorization-policies [FILE|DIR|-]…
       waymark export authorization-policies --cluster

Prints, for each ServiceEntry that is bound to a waypoint, one AuthorizationPolicy of action DENY on it, in its namespace,
for the namespaces and the service accounts that their policies do not allow. Nothing is printed where nothing is
forbidden. What no AuthorizationPolicy can refuse is named on the standard error.

${worldUsage}
  --output yaml|json  json is a List

Exit: 0, 64 usage, 65 unreadable input, 70 fault`,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: { ...worldArguments, output: { type: "string", short: "o", default: "yaml" } },
		});
		const { output } = values;
		if (output !== "yaml" && output !== "json") {
			throw new UsageError("--output must be yaml or json");
		}
		const world = await readWorld("export authorization-policies", positionals, values, reachKinds, streams);
		if (world === undefined) {
			return exitCodes.unreadable;
		}
		const today = readToday();
		const generated = generatePolicies(readReach(world, today), world, today);
		streams.out(output === "json" ? asList(generated) : asYaml(generated));
		for (const { entry, host, reason } of generated.remainders) {
			streams.error(`waymark: ServiceEntry ${entry.namespace}/${entry.name}, ${host}: ${reason}\n`);
		}
		return exitCodes.clean;
	},
};

function asList({ policies }: GeneratedPolicies): string {
	return `${JSON.stringify({ apiVersion: "v1", kind: "List", items: policies }, undefined, "\t")}\n`;
}

function asYaml({ policies }: GeneratedPolicies): string {
	return policies
		.map(
			(policy) => `---\n${stringify(policy, { ...kubectlYaml, lineWidth: 0, aliasDuplicateObjects: false })}`,
		)
		.join("");
}
