import type { CelCheck } from "../../core/cel.ts";
import {
	celCanonicalHost,
	celCovers,
	celIsTooMuch,
	celMostNames,
	celMostText,
	celOverlaps,
} from "../../core/cel.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned, outsideName } from "../../istio/entry/border.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../examples.ts";
import { forbiddenHost, limitsHosts } from "./limits.ts";

/** The hosts of an external ServiceEntry are ones that its namespace and the cluster allow. */
export const serviceentryPolicyHost: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-host",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary:
			"Every host and named endpoint of an external ServiceEntry must be allowed by the cluster's limits and by the namespace",
		why: "The security team says with egress.waymark.dev/allowed-hosts and denied-hosts what a namespace may reach; the cluster's limits say what any namespace may. A denial wins over an allowance, and a wildcard counts as every name under it. An endpoint that is a name counts too, since traffic for the hosts goes there. Spelling makes no difference: case, a trailing dot and punycode are compared in one form.",
		fix: "Remove the host, or ask the security team to add it to the namespace's annotation egress.waymark.dev/allowed-hosts.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["API.Payments.example.com.", "files.example.org"] }),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-hosts": "*.example.com",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: limitsHosts,
	*check(entry, context) {
		if (!isGoverned(entry, context)) {
			return;
		}
		for (const [index, host] of (entry.spec?.hosts ?? []).entries()) {
			const path = ["spec", "hosts", index];
			yield* forbiddenHost("Host", host, path, context.policy);
			const target = hasEndpoints(entry) ? undefined : outsideName(host, context.inventory);
			// An ExternalName Service of the host's name answers with another name.
			if (target !== undefined && target !== canonicalHost(host)) {
				yield* forbiddenHost("Endpoint", target, path, context.policy);
			}
		}
		for (const [index, endpoint] of (entry.spec?.endpoints ?? []).entries()) {
			const target = outsideName(endpoint.address ?? "", context.inventory);
			if (target !== undefined) {
				yield* forbiddenHost("Endpoint", target, ["spec", "endpoints", index, "address"], context.policy);
			}
		}
	},
	cel: {
		isCostly: true,
		problems: [
			...hostProblems(
				"Host",
				"h",
				`(e.governed && !${celIsTooMuch("e.names", "variables.objects.size()")} ? e.hosts : [])`,
				"spec.hosts",
			),
			...hostProblems(
				"Endpoint",
				"h",
				`(e.ends.size() > ${celMostNames} || ${celIsTooMuch("e.ends")} ? [] : e.ends)`,
				"spec.endpoints",
			),
			...manyEndpoints(),
		],
	},
};

function denies(host: string): string {
	return `variables.deniedHosts.filter(l, ${celOverlaps("l.of", host)})`;
}

function refuses(host: string): string {
	return `variables.allowedHosts.filter(l, !${celCovers("l.of", host)})`;
}

/** The first list that refuses an item, found without a search where there is but one: each costs as much as the verdict. */
function refusing(item: string): string {
	return `variables.allowedHosts.filter(l, variables.allowedHosts.size() == 1 ||
  [${celCanonicalHost(item)}].exists(n, !${celCovers("l.of", "n")}))[0]`;
}

function hostProblems(what: string, item: string, list: string, path: string): CelCheck["problems"] {
	const isDenied = `[${celCanonicalHost(item)}].exists(n, ${denies("n")}.size() > 0)`;
	return [
		{
			each: [item, list],
			when: isDenied,
			path,
			message: `${what} "{${item}}" is denied by {(variables.deniedHosts.filter(l, variables.deniedHosts.size() == 1 ||
  [${celCanonicalHost(item)}].exists(n, ${celOverlaps("l.of", "n")}))[0].by.startsWith('the') ? 'the cluster\\'s limits' : 'this namespace\\'s policy')}`,
			hint: `Remove the ${what.toLowerCase()}, or ask the security team`,
		},
		{
			each: [item, list],
			when: `!${isDenied} && [${celCanonicalHost(item)}].exists(n, ${refuses("n")}.size() > 0)`,
			path,
			message: `${what} "{${item}}" is not among the hosts that {[${refusing(item)}].map(l,
  l.by + ' (' + l.of.trim().split(' ', 4).filter(i, !i.contains(' ')).join(', ') + ')')[0]}`,
			hint: `Remove the ${what.toLowerCase()}, or ask the security team to allow it`,
		},
	];
}

/** The items of a list in a text that has each between spaces of its own, as a regular expression. */
function formOf(list: string): string {
	return `' (?:' + ${list}.trim().replace('.', '[.]').replace(' ', '|').replace('*', '[^ ]+') + ') '`;
}

/** Thousands of endpoints by name, which are compared as one text. */
function manyEndpoints(): CelCheck["problems"] {
	const many = (lists: string, when: string): string =>
		`e.ends.size() > ${celMostNames} && ${lists}.size() > 0 && e.extent * variables.listLength <= ${celMostText} &&
  [' ' + e.ends.join('  ') + ' '].exists(t, ${lists}.exists(l, ${when}))`;
	return [
		{
			when: many("variables.deniedHosts", `t.findAll(${formOf("l.of")}, 1).size() > 0`),
			path: "spec.endpoints",
			message:
				"One of {string(e.ends.size())} endpoints by name is denied by this namespace's policy or the cluster's limits",
			hint: "Remove the endpoint, or ask the security team",
		},
		{
			when: many("variables.allowedHosts", `t.findAll(${formOf("l.of")}).size() < e.ends.size()`),
			path: "spec.endpoints",
			message:
				"Not all of {string(e.ends.size())} endpoints by name are among the hosts that this namespace's policy and the cluster's limits allow",
			hint: "Remove those that are not, or ask the security team to allow them",
		},
	];
}
