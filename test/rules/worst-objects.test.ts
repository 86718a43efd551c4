import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngine, fixingPart } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { longestVerdictMs } from "../support/long-form.ts";
import { subjectOf, world } from "../support/rule-example.ts";
import { leastMs } from "../support/slope.ts";

const engine = createEngine(rules);
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function route(gateways: number, routes: number): AnyObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		metadata: { name: "many", namespace: "team" },
		spec: {
			hosts: ["api.example.com"],
			gateways: numbers(gateways).map((index) => `gateway-${index}`),
			http: numbers(routes).map((index) => ({ route: [{ destination: { host: `h${index}.example.com` } }] })),
		},
	} as AnyObject;
}

/** Objects that ended or held a replica: 24 to 200 KB each. */
const worst: Readonly<Record<string, AnyObject>> = {
	"500 gateways and 500 routes": route(500, 500),
	"2,000 gateways and 2,000 routes": route(2_000, 2_000),
	"256 gateways and 3,000 routes": route(256, 3_000),
	"a host of 5,000 labels": withSpec(boundEntry, { hosts: ["a.".repeat(5_000)] }),
	"a host of 20,000 labels": withSpec(boundEntry, { hosts: ["a.".repeat(20_000)] }),
	"exportTo with 4,000 duplicates": withSpec(boundEntry, {
		exportTo: numbers(4_000).map((index) => `team-${index % 2_000}`),
	}),
	"exportTo with 20,000 duplicates": withSpec(boundEntry, {
		exportTo: numbers(20_000).map((index) => `team-${index % 10_000}`),
	}),
	"3,000 addresses": withSpec(boundEntry, {
		addresses: numbers(3_000).map((index) => `203.0.${index >> 8}.${index % 256}`),
	}),
	"an exemption of 200,000 spaces": withAnnotations(teamNamespace, {
		"egress.waymark.dev/exempt.serviceentry-location": `until=2026-12-01${" ".repeat(200_000)}x`,
	}),
};

const neighbours = world([
	teamNamespace,
	egressNamespace,
	egressWaypoint,
	...numbers(200).map((index) => ({
		...withSpec(boundEntry, {
			hosts: [`n${index}.example.com`],
			addresses: numbers(256).map((each) => `${10 + (index % 100)}.${each}.0.0/15`),
			resolution: "STATIC",
		}),
		metadata: { name: `n${index}`, namespace: "team" },
	})),
]);

for (const [name, object] of Object.entries(worst)) {
	it(`evaluate() judges ${name} in ${longestVerdictMs} ms of CPU, for both endpoints`, () => {
		for (const part of [engine, fixingPart(engine)]) {
			const least = leastMs(() => evaluate(part, neighbours, subjectOf(object)), longestVerdictMs, 10);
			assert.ok(least <= longestVerdictMs, `${least} ms`);
		}
	});
}

it(`evaluate() judges 256 addresses beside 200 entries of 256 wide blocks each in ${longestVerdictMs} ms of CPU`, () => {
	const object = withSpec(boundEntry, {
		addresses: numbers(256).map((index) => `203.0.113.${index}`),
		resolution: "STATIC",
	});
	const least = leastMs(() => evaluate(engine, neighbours, subjectOf(object)), longestVerdictMs, 20);
	assert.ok(least <= longestVerdictMs, `${least} ms`);
});
