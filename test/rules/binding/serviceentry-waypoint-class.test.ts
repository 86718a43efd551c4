import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryWaypointClass as rule } from "../../../src/rules/binding/serviceentry-waypoint-class.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, judge, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

function ofClass(name: string, ...more: readonly AnyObject[]) {
	return { given: [team(), waypoint("istio-egress/egress", { spec: { gatewayClassName: name } }), ...more] };
}

function gatewayClass(name: string, controllerName: string): AnyObject & { readonly spec: object } {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name },
		spec: { controllerName },
	};
}

const bound = boundTo("istio-egress/egress");

describe("serviceentry-waypoint-class", () => {
	for (const name of ["istio", "istio-remote", "istio-east-west", "istio-agentgateway"]) {
		it(`serviceentry-waypoint-class refuses the class ${name}, which is no waypoint's`, () => {
			assert.deepEqual(places(rule, bound, ofClass(name)), [`error ${nameLabelPath}`]);
		});
	}

	for (const name of ["istio-waypoint", "istio-agentgateway-waypoint"]) {
		it(`serviceentry-waypoint-class accepts the class ${name}, which needs no object in the cluster`, () => {
			assert.deepEqual(places(rule, bound, ofClass(name)), []);
		});
	}

	it("serviceentry-waypoint-class goes by the controller of a class and not by its name", () => {
		const own = gatewayClass("shop-waypoint", "istio.io/mesh-controller");
		assert.deepEqual(places(rule, bound, ofClass("shop-waypoint", own)), []);
		const disguised = gatewayClass("istio-waypoint", "nginx.org/gateway");
		assert.deepEqual(places(rule, bound, ofClass("istio-waypoint", disguised)), [`error ${nameLabelPath}`]);
	});

	it("serviceentry-waypoint-class accepts the controllers and the classes that the configuration names", () => {
		const foreign = ofClass("acme", gatewayClass("acme", "acme.dev/waypoint"));
		assert.deepEqual(places(rule, bound, foreign), [`warning ${nameLabelPath}`]);
		for (const waypoints of [{ controllers: ["acme.dev/waypoint"] }, { classes: ["acme"] }]) {
			assert.deepEqual(places(rule, bound, { ...foreign, settings: { waypoints } }), []);
		}
		assert.deepEqual(
			places(rule, bound, { ...ofClass("acme"), settings: { waypoints: { classes: ["acme"] } } }),
			[],
		);
	});

	it("serviceentry-waypoint-class warns of a class that nobody knows, and says where to name it", () => {
		assert.deepEqual(places(rule, bound, ofClass("acme")), [`warning ${nameLabelPath}`]);
		const [finding] = judge(rule, bound, ofClass("acme"));
		assert.match(finding?.message ?? "", /the class "acme", of which nobody said that it makes waypoints$/);
		assert.match(finding?.hint ?? "", /waypoints\.classes/);
		const ofOthers = gatewayClass("acme", "istio.io/gateway-controller");
		assert.deepEqual(places(rule, bound, ofClass("acme", ofOthers)), [`error ${nameLabelPath}`]);
	});

	it("serviceentry-waypoint-class speaks of the policy's waypoint before the labels are there", () => {
		assert.deepEqual(places(rule, plainEntry, ofClass("istio")), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-class is silent where the Gateway does not exist", () => {
		assert.deepEqual(places(rule, bound, { given: [team()] }), []);
	});
});
