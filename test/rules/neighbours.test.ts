import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, DestinationRule, ServiceEntry, WorkloadEntry } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withLabels,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { gateOr, longestVerdictMs, sampleOf } from "../support/long-form.ts";
import { subjectOf, world } from "../support/rule-example.ts";
import { growthOf, leastMs } from "../support/slope.ts";

const engine = createEngine(rules);
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const otherNamespace: AnyObject = {
	...teamNamespace,
	metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } },
};

/** Entries beside the one that is judged: making their worlds takes longer than judging. */
const mostNeighbours = gateOr(100, 200);
/** The same where what the object has is looked up, and what the neighbours have is not walked. */
const mostLookedUp = gateOr(100, 1_000);

type Spec = NonNullable<ServiceEntry["spec"]>;

/** A stored entry of another name. */
function neighbour(
	index: number,
	namespace: string,
	labels: Readonly<Record<string, string>>,
	spec: Spec,
): AnyObject {
	return withSpec({ ...plainEntry, metadata: { name: `n${index}`, namespace, labels } }, spec);
}

function machine(index: number): WorkloadEntry {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: `w${index}`, namespace: "other" },
		spec: { address: `203.0.${114 + (index >> 8)}.${index & 255}` },
	};
}

const manyHosts = numbers(256).map((index) => `h${index}.example.com`);
const manyWildcards = numbers(256).map((index) => `*.w${index}.example.com`);
const manyAddresses = numbers(256).map((index) => `203.0.113.${index}`);
const wideBlocks = (index: number): readonly string[] =>
	numbers(256).map((each) => `${10 + (index % 100)}.${each}.0.0/15`);
const wideBlocksOfSix = (index: number): readonly string[] =>
	numbers(256).map((each) => `${(0x2100 + (index % 100)).toString(16)}:${each.toString(16)}00::/24`);
const listed = (addresses: readonly string[], more: Spec = {}): Spec => ({
	addresses,
	resolution: "STATIC",
	...more,
});

const manyEndpoints = numbers(1_024).map((index) => ({
	address: `203.0.${113 + (index >> 8)}.${index & 255}`,
}));
const httpPorts = [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }];

function tlsRule(host: string, mode: string): DestinationRule {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "tls", namespace: "team" },
		spec: { host, trafficPolicy: { tls: { mode, credentialName: "mine" } } },
	};
}

interface Pair {
	readonly object: AnyObject;
	/** The object that an update replaces. */
	readonly old?: AnyObject;
	readonly neighbour: (index: number) => AnyObject;
	/** How many there are of them at most, where it is not `mostNeighbours`. */
	readonly most?: number;
}

/** An object as large as the bounds allow, beside neighbours as large as they allow that have what it has, or nearly. */
const pairs: Readonly<Record<string, Pair>> = {
	"256 addresses beside entries of 256 wide blocks elsewhere": {
		object: withSpec(boundEntry, listed(manyAddresses)),
		neighbour: (index) =>
			neighbour(index, "team", bound, listed(wideBlocks(index), { hosts: [`n${index}.example.com`] })),
		most: mostLookedUp,
	},
	"256 addresses of IPv6 beside entries of 256 wide blocks elsewhere": {
		object: withSpec(boundEntry, listed(numbers(256).map((index) => `2001:db8::${index.toString(16)}`))),
		neighbour: (index) =>
			neighbour(index, "team", bound, listed(wideBlocksOfSix(index), { hosts: [`n${index}.example.com`] })),
		most: mostLookedUp,
	},
	"256 addresses and hosts beside unbound entries of the same": {
		object: withSpec(boundEntry, listed(manyAddresses, { hosts: manyHosts })),
		neighbour: (index) => neighbour(index, "other", {}, listed(manyAddresses, { hosts: manyHosts })),
	},
	"256 addresses and hosts beside bound entries of the same": {
		object: withSpec(boundEntry, listed(manyAddresses, { hosts: manyHosts })),
		neighbour: (index) => neighbour(index, "team", bound, listed(manyAddresses, { hosts: manyHosts })),
	},
	"256 wide blocks beside entries of 256 addresses elsewhere": {
		object: withSpec(boundEntry, { addresses: numbers(256).map((index) => `204.${index & 254}.0.0/15`) }),
		neighbour: (index) =>
			neighbour(index, "other", bound, listed(manyAddresses, { hosts: [`n${index}.example.com`] })),
		most: mostLookedUp,
	},
	"256 hosts beside entries of the same hosts in their namespace": {
		object: withSpec(boundEntry, { hosts: manyHosts }),
		neighbour: (index) => neighbour(index, "team", bound, { hosts: manyHosts }),
	},
	"256 unbound hosts beside entries of the same hosts in other namespaces": {
		object: withSpec(plainEntry, { hosts: manyHosts }),
		neighbour: (index) => neighbour(index, `other-${index}`, {}, { hosts: manyHosts }),
	},
	"256 wildcards beside entries of 256 hosts of their domain": {
		object: withSpec(boundEntry, { hosts: manyWildcards, resolution: "DYNAMIC_DNS" }),
		neighbour: (index) =>
			neighbour(index, "other", {}, { hosts: numbers(256).map((each) => `a${index}.x${each}.example.com`) }),
	},
	"4,096 endpoints beside entries of 256 wide blocks elsewhere": {
		object: withSpec(boundEntry, {
			resolution: "STATIC",
			endpoints: numbers(4_096).map((index) => ({ address: `203.0.${112 + (index >> 8)}.${index & 255}` })),
		}),
		neighbour: (index) =>
			neighbour(index, "other", bound, listed(wideBlocks(index), { hosts: [`n${index}.example.com`] })),
		most: mostLookedUp,
	},
	"256 addresses beside entries of 500 endpoints elsewhere": {
		object: withSpec(boundEntry, listed(manyAddresses)),
		neighbour: (index) =>
			neighbour(index, "other", bound, {
				hosts: [`n${index}.example.com`],
				resolution: "STATIC",
				endpoints: numbers(500).map((each) => ({ address: `203.0.${114 + (each >> 8)}.${each & 255}` })),
			}),
		most: mostLookedUp,
	},
	"256 unbound wildcards beside entries of the same wildcards in other namespaces": {
		object: withSpec(plainEntry, { hosts: manyWildcards, resolution: "DYNAMIC_DNS" }),
		neighbour: (index) =>
			neighbour(index, `other-${index}`, {}, { hosts: manyWildcards, resolution: "DYNAMIC_DNS" }),
	},
	"256 unbound hosts beside unbound entries of the wildcard above them in other namespaces": {
		object: withSpec(plainEntry, { hosts: manyHosts }),
		neighbour: (index) =>
			neighbour(index, `other-${index}`, {}, { hosts: ["*.example.com"], resolution: "DYNAMIC_DNS" }),
		most: 4_000,
	},
	"256 wildcards beside entries of a host below each of them": {
		object: withSpec(boundEntry, { hosts: manyWildcards, resolution: "DYNAMIC_DNS" }),
		neighbour: (index) =>
			neighbour(index, "other", {}, { hosts: numbers(256).map((each) => `a${index}.w${each}.example.com`) }),
	},
	"256 hosts beside entries of other namespaces that send them through the same waypoint": {
		object: withSpec(boundEntry, { hosts: manyHosts.slice(0, 255).concat("one.example.com") }),
		neighbour: (index) =>
			neighbour(index, `other-${index}`, { "istio.io/use-waypoint": "none" }, { hosts: manyHosts }),
	},
	"a DestinationRule for a wildcard that is changed beside entries of 256 hosts below it": {
		object: tlsRule("*.example.com", "MUTUAL"),
		old: tlsRule("*.example.com", "SIMPLE"),
		neighbour: (index) =>
			neighbour(index, "team", bound, {
				hosts: numbers(256).map((each) => `a${each}-${index}.example.com`),
				ports: httpPorts,
			}),
	},
	"a DestinationRule for a host beside entries of 256 hosts and 256 ports that have it": {
		object: tlsRule("h0.example.com", "ISTIO_MUTUAL"),
		neighbour: (index) =>
			neighbour(index, "team", bound, {
				hosts: manyHosts,
				ports: numbers(256).map((each) => ({ number: 1_000 + each, name: `h${each}`, protocol: "HTTP" })),
			}),
	},
	"an update of 1,024 endpoints beside unbound entries of the same addresses": {
		object: withSpec(boundEntry, { resolution: "STATIC", endpoints: manyEndpoints }),
		old: withSpec(boundEntry, { resolution: "STATIC", endpoints: manyEndpoints.toReversed() }),
		neighbour: (index) => neighbour(index, "other", {}, listed(manyAddresses)),
	},
	"an update of 1,024 endpoints beside bound entries of the same addresses": {
		object: withSpec(boundEntry, { resolution: "STATIC", endpoints: manyEndpoints }),
		old: withSpec(boundEntry, { resolution: "STATIC", endpoints: manyEndpoints.toReversed() }),
		neighbour: (index) => neighbour(index, "other", bound, listed(manyAddresses)),
	},
	"a Namespace whose lists become tighter beside entries of 256 hosts": {
		object: withAnnotations(teamNamespace, {
			"egress.waymark.dev/waypoint": "istio-egress/egress",
			"egress.waymark.dev/allowed-hosts": `${numbers(2_000)
				.map((index) => `x${index}.example.org`)
				.join(", ")}, *.example.com`,
		}),
		old: teamNamespace,
		neighbour: (index) => neighbour(index, "team", bound, { hosts: manyHosts }),
	},
	"a waypoint that stops serving entries beside those that ask for it": {
		object: withLabels(egressWaypoint, { "istio.io/waypoint-for": "none" }),
		old: egressWaypoint,
		neighbour: (index) => neighbour(index, `other-${index % 100}`, bound, { hosts: manyHosts }),
	},
	"256 addresses beside WorkloadEntries elsewhere": {
		object: withSpec(boundEntry, listed(manyAddresses)),
		neighbour: machine,
		most: 4_000,
	},
};

describe("evaluate() of the largest objects beside many neighbours", () => {
	for (const [name, { object, old, neighbour: make, most = mostNeighbours }] of sampleOf(
		Object.entries(pairs),
	)) {
		it(`evaluate() judges ${name} in its share of time, and of ${most} in ${longestVerdictMs} ms of CPU`, () => {
			const subject = subjectOf(object, old);
			const besidePart = (part: number): (() => unknown) => {
				const others = numbers(most / part).map(make);
				const state = world([teamNamespace, otherNamespace, egressNamespace, egressWaypoint, ...others]);
				return () => evaluate(engine, state, subject);
			};
			const { steep, last, lastMs } = growthOf([8, 4, 2, 1].map((part) => () => besidePart(part)));
			assert.equal(steep, undefined);
			// One that is long at first is looked at again, for others use the machine.
			const least = lastMs > longestVerdictMs ? leastMs(last, longestVerdictMs, 20) : lastMs;
			assert.ok(least <= longestVerdictMs, `${least} ms`);
		});
	}
});
