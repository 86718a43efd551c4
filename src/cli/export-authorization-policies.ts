import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { GeneratedPolicies } from "../export/authorization-policies.ts";
import { generatePolicies, mostBytes, mostPolicyBytes } from "../export/authorization-policies.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { reachKinds, readReach } from "../reach/reach.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { namespaceArgument, readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

/** `waymark export authorization-policies`: what makes the policies of namespaces hold at the waypoints. */
export const exportAuthorizationPolicies: Verb = {
	summary: "AuthorizationPolicies by which the waypoints refuse what a namespace's policy does not allow",
	usage: `Usage: waymark export authorization-policies [FILE|DIR|-]…
       waymark export authorization-policies --cluster

Prints, for each ServiceEntry that is bound to a waypoint, one AuthorizationPolicy of action DENY on it, in its namespace,
for the namespaces and the service accounts that their policies do not allow. Nothing is printed where nothing is
forbidden. What no AuthorizationPolicy can refuse is named on the standard error.

${worldUsage}
  --namespace, -n NS  those of one namespace, in the world of all
  --output yaml|json  json is a List

Exit: 0, 64 usage, 65 unreadable input, 70 fault`,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				...worldArguments,
				...namespaceArgument,
				output: { type: "string", short: "o", default: "yaml" },
			},
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
		const all = generatePolicies(readReach(world, today), world, today);
		const generated = values.namespace === undefined ? all : ofNamespace(all, values.namespace);
		streams.out(output === "json" ? asList(generated) : asYaml(generated));
		for (const { entry, host, reason } of generated.remainders) {
			streams.error(`waymark: ServiceEntry ${entry.namespace}/${entry.name}, ${host}: ${reason}\n`);
		}
		streams.error(tooLarge(generated));
		return exitCodes.clean;
	},
};

/** What is generated for the entries of one namespace; sizes are of all, since they are borne together. */
function ofNamespace(generated: GeneratedPolicies, namespace: string): GeneratedPolicies {
	return {
		...generated,
		policies: generated.policies.filter(({ metadata }) => metadata?.namespace === namespace),
		remainders: generated.remainders.filter(({ entry }) => entry.namespace === namespace),
	};
}

/** What is left out, in one line; "" where nothing is. */
function tooLarge({ oversized, bytes }: GeneratedPolicies): string {
	if (oversized.length === 0) {
		return "";
	}
	const named = oversized
		.slice(0, 3)
		.map((each) => `${each.entry.namespace}/${each.entry.name} (${kib(each.bytes)} KiB)`)
		.join(", ");
	const more = oversized.length > 3 ? ` and ${oversized.length - 3} more` : "";
	return `waymark: ${oversized.length} policies are left out: all together would have ${kib(bytes)} KiB, and ${kib(mostBytes)} are borne, ${kib(mostPolicyBytes)} in one: ${named}${more}. Let defaults.allowedHosts deny the namespaces that say nothing: then the allowed ones are listed (docs/reach.md)\n`;
}

function kib(bytes: number): number {
	return Math.ceil(bytes / 1024);
}

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
