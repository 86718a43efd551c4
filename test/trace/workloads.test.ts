import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject, ServiceEntry } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";
import { traceRoute } from "../../src/trace/route.ts";
import { world } from "../support/rule-example.ts";

const base: readonly AnyObject[] = [teamNamespace, egressNamespace, egressWaypoint];
const database = (labels: Readonly<Record<string, string>> = {}): ServiceEntry =>
	withSpec(boundEntry, {
		resolution: "STATIC",
		addresses: ["203.0.113.10"],
		endpoints: [{ address: "203.0.113.10", labels }],
	});

it("traceRoute says that connections to a workload's address go directly, by the name and by the address", () => {
	for (const host of ["api.payments.example.com", "203.0.113.10"]) {
		const { outcome, steps } = traceRoute({ host, port: 443, from: "team" }, world([...base, database()]));
		assert.deepEqual(outcome, {
			kind: "direct",
			waypoint: null,
			text: "directly, past istio-egress/egress",
		});
		assert.equal(
			steps.at(-1)?.text,
			"203.0.113.10 is also the address of a workload, ServiceEntry team/payments: ztunnel asks the workload first, and no service",
		);
	}
});

it("traceRoute follows a workload to a waypoint of its own", () => {
	const other: AnyObject = {
		...egressWaypoint,
		metadata: { name: "all", namespace: "team", labels: { "istio.io/waypoint-for": "all" } },
	};
	const entry = database({ "istio.io/use-waypoint": "all" });
	const { outcome } = traceRoute(
		{ host: "203.0.113.10", port: 443, from: "team" },
		world([...base, other, entry]),
	);
	assert.deepEqual(outcome, { kind: "waypoint", waypoint: "team/all", text: "through team/all" });
});

it("traceRoute keeps to the waypoint for the other addresses of a block", () => {
	const block = withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] });
	const machine: AnyObject = {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: "machine", namespace: "search" },
		spec: { address: "203.0.113.10" },
	} as AnyObject;
	const inventory = world([...base, block, machine]);
	const ask = (host: string): string => traceRoute({ host, port: 443, from: "team" }, inventory).outcome.kind;
	assert.equal(ask("203.0.113.10"), "direct");
	assert.equal(ask("203.0.113.11"), "waypoint");
});
