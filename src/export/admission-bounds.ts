import type { CelProblem } from "../core/cel.ts";
import { celIsTooMuch, celMostDoubtful, celMostNames, celMostPorts, celMostText } from "../core/cel.ts";

/** The most characters of all endpoints' addresses that are looked into: 4,096 IPv6 addresses have fewer. */
export const mostPlaces = 262_144;

/** Endpoints that are compared one by one with those that they replace. */
export const fewEndpoints = 64;

/** The most endpoints of which an entry that calls itself internal is asked whether they are; of more it counts as external. */
export const mostInternal = 512;

/** Addresses times denied ranges. */
const mostRanges = 20_000;

const rangesOfPorts = "variables.allowedPorts.map(l, l.of.size()).sum()";

const tooLarge = (path: string, when: string): CelProblem => ({
	when,
	path,
	message:
		"Too large for the API server to judge by itself against the policy of this namespace and the limits of the cluster",
	hint: "Divide the object, or shorten the policy's lists",
});

/**
 * What the API server cannot judge within the cost that it allows an expression, as findings of `object-size`: the rules
 * that would have to look leave it alone, and it is refused with these words rather than with those of CEL.
 */
export const excesses: readonly CelProblem[] = [
	tooLarge("spec.hosts", `e.governed && ${celIsTooMuch("e.names", "variables.objects.size()")}`),
	tooLarge(
		"spec.endpoints",
		`e.extent > ${mostPlaces} || e.doubtful.size() > ${celMostDoubtful} || e.gateways.size() > ${celMostDoubtful} ||
  (e.ends.size() > ${celMostNames} ? e.extent * variables.listLength > ${celMostText} :
    ${celIsTooMuch("e.ends")}) ||
  e.portMaps.map(x, x.ports.size()).sum() * ${rangesOfPorts} > ${celMostPorts}`,
	),
	tooLarge(
		"spec.ports",
		`e.governed && variables.objects.size() * e.ports.size() * ${rangesOfPorts} > ${celMostPorts}`,
	),
	tooLarge("spec.addresses", `e.addresses.size() * variables.deniedAddresses.size() > ${mostRanges}`),
];
