import { closest } from "../core/closest.ts";
import type { Verb } from "./verb.ts";
import { UsageError } from "./verb.ts";

/** What can be exported; each is loaded only when it is asked for. */
const subjects: ReadonlyMap<string, () => Promise<Verb>> = new Map([
	[
		"authorization-policies",
		async () => (await import("./export-authorization-policies.ts")).exportAuthorizationPolicies,
	],
	[
		"admission-policies",
		async () => (await import("./export-admission-policies.ts")).exportAdmissionPolicies,
	],
	["network-policies", async () => (await import("./export-network-policies.ts")).exportNetworkPolicies],
]);

/** `waymark export`: what other parts of the cluster can hold by themselves, as manifests. */
export const exportVerb: Verb = {
	summary: "Print manifests by which the cluster holds the policy itself",
	usage: `Usage: waymark export SUBJECT [--help]

  ${[...subjects.keys()].join("\n  ")}

Exit: 0, 64 usage, 65 unreadable input, 70 fault`,
	words: async () => [...subjects.keys()],
	part: async (name) => await subjects.get(name ?? "")?.(),
	run([name]) {
		const meant = name === undefined || name.length > 64 ? undefined : closest(name, [...subjects.keys()]);
		const advice =
			meant === undefined ? `it is one of ${[...subjects.keys()].join(", ")}` : `did you mean ${meant}?`;
		const asked =
			name === undefined ? "export needs a subject" : `there is no export ${JSON.stringify(name)}`;
		throw new UsageError(`${asked}; ${advice}`);
	},
};
