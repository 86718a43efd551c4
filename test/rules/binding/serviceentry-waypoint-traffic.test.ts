import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryWaypointTraffic as rule } from "../../../src/rules/binding/serviceentry-waypoint-traffic.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, message, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

const bound = boundTo("istio-egress/egress");
const error = [`error ${nameLabelPath}`];

function serving(type: string | undefined, classType?: string) {
	const labels = type === undefined ? {} : { labels: { "istio.io/waypoint-for": type } };
	const classes: AnyObject[] = [];
	if (classType !== undefined) {
		classes.push({
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "GatewayClass",
			metadata: { name: "istio-waypoint", labels: { "istio.io/waypoint-for": classType } },
			spec: { controllerName: "istio.io/mesh-controller" },
		} as AnyObject);
	}
	return { given: [team(), waypoint("istio-egress/egress", labels), ...classes] };
}

describe("serviceentry-waypoint-traffic", () => {
	for (const type of [undefined, "service", "all"]) {
		it(`serviceentry-waypoint-traffic accepts a waypoint for ${type ?? "what the default is"}`, () => {
			assert.deepEqual(places(rule, bound, serving(type)), []);
		});
	}

	for (const type of ["workload", "none", "", "Service", "ALL", "services"]) {
		it(`serviceentry-waypoint-traffic refuses a waypoint for "${type}", which istiod reads verbatim`, () => {
			assert.deepEqual(places(rule, bound, serving(type)), error);
			assert.match(
				message(rule, bound, serving(type)),
				new RegExp(`traffic type "${type}" and not services`),
			);
		});
	}

	it("serviceentry-waypoint-traffic reads the class's label where the Gateway has none, and only there", () => {
		assert.deepEqual(places(rule, bound, serving(undefined, "workload")), error);
		assert.deepEqual(places(rule, bound, serving("service", "workload")), []);
		assert.deepEqual(places(rule, bound, serving("", "service")), error);
	});

	it("serviceentry-waypoint-traffic speaks of the policy's waypoint before the labels are there", () => {
		assert.deepEqual(places(rule, plainEntry, serving("workload")), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-traffic leaves what is missing or no waypoint to other rules", () => {
		assert.deepEqual(places(rule, bound, { given: [team()] }), []);
		const labels = { "istio.io/waypoint-for": "workload" };
		const ingress = waypoint("istio-egress/egress", { labels, spec: { gatewayClassName: "istio" } });
		assert.deepEqual(places(rule, bound, { given: [team(), ingress] }), []);
	});
});
