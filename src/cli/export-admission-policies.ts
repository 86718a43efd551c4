import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { Rule } from "../core/rule.ts";
import type { Settings } from "../core/settings.ts";
import type { BackstopChoice } from "../export/admission-policies.ts";
import { backstop, heldRules, newestKubernetes, oldestKubernetes } from "../export/admission-policies.ts";
import type { Manifest } from "../export/mesh-table.ts";
import type { Action, BackstopOptions } from "../export/policy-objects.ts";
import { coveredRules, namespaceRules } from "../export/rule-policies.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { rules } from "../rules/table.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { ownVersion } from "./version.ts";
import { readSettings } from "./world.ts";

const usage = `Usage: waymark export admission-policies [--inject] [--live] [--warnings] [--config FILE]
                    [--kubernetes 1.${oldestKubernetes}…1.${newestKubernetes}] [--static-manifests] [--editors config|rbac]
                    [--exempt-namespace NAME]... [--istio-namespace NAME]
                    [--waymark-namespace NAME] [--service-account NAME]

Prints ValidatingAdmissionPolicies by which the API server itself refuses what must never pass, whether Waymark runs or
not. They read the annotations of namespaces as they are and need nothing else. The head of the output says which rules
they hold, and which not.

  --inject                 and a MutatingAdmissionPolicy that adds the waypoint labels; Kubernetes 1.36, or 1.34 with
                           the feature gate MutatingAdmissionPolicy
  --live                   and what needs a table of waypoints, which a running Waymark keeps
  --warnings               and policies for the modes warn and audit, which only warn and record
  --config FILE            the cluster configuration; print again when it changes
  --kubernetes 1.N         the version of the API server, 1.${newestKubernetes - 1} where it is not said
  --static-manifests       under names for files that the API server reads at its start (Kubernetes 1.36, alpha);
                           nobody can delete such a policy through the API. With --inject, only the policy that adds
                           labels, which goes into a folder of its own
  --editors rbac           who may write egress.waymark.dev annotations is whom RBAC lets "edit" the resource
                           egresspolicies.egress.waymark.dev of the namespace's name, instead of the configuration's
                           policyEditors
  --exempt-namespace NAME  a namespace that is not judged, besides those of the configuration
  --istio-namespace NAME   where istiod runs; istio-system where it is not said
  --waymark-namespace NAME where Waymark runs; waymark-system where it is not said
  --service-account NAME   by which it runs there, who alone writes the table; waymark where it is not said

Exit: 0, 64 usage, 65 unreadable configuration, 70 fault`;

interface Options extends BackstopChoice {
	readonly settings: Settings;
	readonly actions: readonly Action[];
	readonly editors: BackstopOptions["editors"];
	readonly exempt: readonly string[];
	readonly istioNamespace: string;
	readonly waymarkNamespace: string;
	readonly serviceAccount: string;
}

/** `waymark export admission-policies`: what the API server can refuse without Waymark. */
export const exportAdmissionPolicies: Verb = {
	summary: "Print policies by which the API server holds the essential rules itself",
	usage,
	async run(argv, streams) {
		const options = await readOptions(argv);
		const objects = backstop(
			{
				settings: options.settings,
				rules,
				exempt: [options.waymarkNamespace, ...options.exempt],
				labels: { "app.kubernetes.io/name": "waymark", "app.kubernetes.io/version": ownVersion() },
				actions: options.actions,
				editors: options.editors,
				istioNamespace: options.istioNamespace,
				account: `system:serviceaccount:${options.waymarkNamespace}:${options.serviceAccount}`,
			},
			options,
		);
		// An API server does not start with a file that has a document of comments alone.
		streams.out(`${head(options)}${options.staticManifests ? "" : "---\n"}${printManifests(objects)}`);
		return exitCodes.clean;
	},
};

/** Objects as documents of YAML: expressions as they were written, nothing folded or shared. */
export function printManifests(objects: readonly Manifest[]): string {
	return objects
		.map((object) =>
			stringify(object, {
				...kubectlYaml,
				lineWidth: 0,
				aliasDuplicateObjects: false,
				blockQuote: "literal",
			}),
		)
		.join("---\n");
}

async function readOptions(argv: readonly string[]): Promise<Options> {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			inject: { type: "boolean", default: false },
			live: { type: "boolean", default: false },
			warnings: { type: "boolean", default: false },
			config: { type: "string" },
			kubernetes: { type: "string", default: `1.${newestKubernetes - 1}` },
			"static-manifests": { type: "boolean", default: false },
			editors: { type: "string", default: "config" },
			"exempt-namespace": { type: "string", multiple: true, default: [] },
			"istio-namespace": { type: "string", default: "istio-system" },
			"waymark-namespace": { type: "string", default: "waymark-system" },
			"service-account": { type: "string", default: "waymark" },
		},
	});
	const kubernetesMinor = readMinor(values.kubernetes);
	if (values.editors !== "config" && values.editors !== "rbac") {
		throw new UsageError("--editors must be config or rbac");
	}
	if (values["static-manifests"] && values.live) {
		throw new UsageError("--static-manifests cannot use a table: policies in files have no parameter");
	}
	if (values["static-manifests"] && kubernetesMinor < 36) {
		throw new UsageError("--static-manifests needs Kubernetes 1.36");
	}
	if (values.inject && kubernetesMinor < 34) {
		throw new UsageError("--inject needs Kubernetes 1.34, which brings MutatingAdmissionPolicy as a beta");
	}
	for (const name of [
		values["istio-namespace"],
		values["waymark-namespace"],
		...values["exempt-namespace"],
	]) {
		if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
			throw new UsageError(`${JSON.stringify(name)} is not a name in Kubernetes`);
		}
	}
	return {
		settings: await readSettings(values.config),
		kubernetesMinor,
		inject: values.inject,
		live: values.live,
		staticManifests: values["static-manifests"],
		actions: values.warnings ? ["deny", "warn", "audit"] : ["deny"],
		editors: values.editors === "rbac" ? "rbac" : "settings",
		exempt: values["exempt-namespace"],
		istioNamespace: values["istio-namespace"],
		waymarkNamespace: values["waymark-namespace"],
		serviceAccount: values["service-account"],
	};
}

function readMinor(text: string): number {
	const minor = Number(/^1\.(\d{2})$/.exec(text)?.[1] ?? "0");
	if (minor < oldestKubernetes || minor > newestKubernetes) {
		throw new UsageError(
			`--kubernetes must be a version from 1.${oldestKubernetes} to 1.${newestKubernetes}, such as 1.36`,
		);
	}
	return minor;
}

/** Which rules the policies hold, and which only Waymark does, as comments. */
function head({ settings, live, inject, kubernetesMinor, staticManifests, editors }: Options): string {
	const known = heldRules(rules, kubernetesMinor);
	const covered = new Set(coveredRules(known, settings));
	const namesEditors = editors === "rbac" || settings.policyEditors !== undefined;
	const isHeldOfNamespaces = ({ id }: Rule): boolean =>
		namespaceRules.has(id) &&
		(settings.severities.get(id) ?? "error") === "error" &&
		(namesEditors || id === "namespace-annotation");
	// Files that add labels have nothing else in them.
	const isHeld = (rule: Rule): boolean =>
		!(staticManifests && inject) &&
		(isHeldOfNamespaces(rule) ||
			(covered.has(rule) && rule.cel?.problems.some(({ needs }) => needs === undefined || live) === true));
	const held = known.filter(isHeld);
	const gapOf = ({ id, cel }: Rule): string | undefined => cel?.gap ?? namespaceRules.get(id);
	const heldElsewhere = known.filter((rule) => !held.includes(rule));
	return [
		`# Printed by waymark ${ownVersion()} for Kubernetes 1.${kubernetesMinor}; print again when the configuration changes.`,
		...(inject && kubernetesMinor < 36
			? [
					"# The API server needs --feature-gates=MutatingAdmissionPolicy=true and --runtime-config for v1beta1.",
				]
			: []),
		...(staticManifests && inject
			? ["# They only add labels, and refuse nothing: what refuses is printed without --inject."]
			: []),
		...(namesEditors
			? []
			: [
					"# Nobody is named who may edit policies (policyEditors, or --editors rbac), so everybody who may write a Namespace may.",
				]),
		`# Held by these policies, ${held.length} rules:`,
		...held.map((rule) => `#   ${rule.id}${gapOf(rule) === undefined ? "" : ` (not ${gapOf(rule)})`}`),
		`# Held by Waymark only, ${heldElsewhere.length} rules:`,
		...wrapped(heldElsewhere.map((rule) => rule.id)).map((line) => `#   ${line}`),
		"",
	].join("\n");
}

function wrapped(words: readonly string[]): readonly string[] {
	const lines: string[] = [];
	for (const word of words) {
		const last = lines.at(-1);
		if (last === undefined || last.length + word.length > 100) {
			lines.push(word);
		} else {
			lines[lines.length - 1] = `${last}, ${word}`;
		}
	}
	return lines;
}
