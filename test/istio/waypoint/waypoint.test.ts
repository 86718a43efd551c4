import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClusterState } from "../../../src/core/cluster-state.ts";
import type { AnyObject, KubernetesGateway, Namespace } from "../../../src/core/kinds.ts";
import type { MeshFacts } from "../../../src/core/mesh.ts";
import { defaultSettings } from "../../../src/core/settings.ts";
import {
	attachmentListener,
	bindingOf,
	controllerOf,
	inspectWaypoint,
	isWaypoint,
	requestedWaypoint,
	trafficTypeOf,
	visibilityOf,
} from "../../../src/istio/waypoint/waypoint.ts";
import { brokenSelectorWaypoint, egressWaypoint } from "../../../src/rules/examples.ts";
import { world } from "../../support/rule-example.ts";
import { listeners, surroundings, team, waypoint } from "../../support/team.ts";

type Labels = Readonly<Record<string, string>>;

const name = "istio.io/use-waypoint";
const namespace = "istio.io/use-waypoint-namespace";
const shared = { [name]: "egress", [namespace]: "istio-egress" };

/** What istiod would write into `istio.io/WaypointBound` of an object with these labels in `team`. */
function condition(labels: Labels | null, teamLabels: Labels = {}, ...more: readonly AnyObject[]): string {
	const binding = bindingOf(labels, "team", world([team({}, teamLabels), ...surroundings, ...more]));
	return binding.status === "None" ? "None" : `${binding.status}/${binding.reason}`;
}

function inEgress(parts: Parameters<typeof waypoint>[1]): KubernetesGateway {
	return waypoint("istio-egress/other", parts);
}

const other = { [name]: "other", [namespace]: "istio-egress" };

/** The table of what a running istiod was seen to do, as far as labels and waypoints decide it. */
const seen: readonly (readonly [string, string, Labels | null, Labels?, (AnyObject | undefined)?])[] = [
	["an own label for a ready waypoint that admits all", "True/WaypointAccepted", shared],
	["no label in a labelled namespace", "True/WaypointAccepted", null, shared],
	["no label anywhere", "None", null],
	[
		"a waypoint that admits its own namespace only",
		"False/AttachmentDenied",
		other,
		{},
		inEgress({ spec: listeners({ from: "Same" }) }),
	],
	[
		"a waypoint for workloads",
		"False/UnsupportedTrafficType",
		other,
		{},
		inEgress({ labels: { "istio.io/waypoint-for": "workload" } }),
	],
	[
		"a waypoint that does not exist, in a namespace that names a good one",
		"False/WaypointIsNotReady",
		{ [name]: "gone" },
		shared,
	],
	["an empty label in a labelled namespace", "False/WaypointIsNotReady", { [name]: "" }, shared],
	["None in another case in a labelled namespace", "False/WaypointIsNotReady", { [name]: "None" }, shared],
	["none in a labelled namespace", "None", { [name]: "none" }, shared],
	["none on the namespace", "None", null, { [name]: "none" }],
	["a label on an object of a namespace that opts out", "True/WaypointAccepted", shared, { [name]: "none" }],
	["only the namespace of the waypoint", "None", { [namespace]: "istio-egress" }],
	[
		"only its namespace, in a labelled namespace",
		"True/WaypointAccepted",
		{ [namespace]: "nowhere" },
		shared,
	],
	[
		"only its name, in a namespace whose pair is elsewhere",
		"False/WaypointIsNotReady",
		{ [name]: "egress" },
		shared,
	],
	["an empty namespace of the waypoint", "False/WaypointIsNotReady", { [name]: "egress", [namespace]: "" }],
	[
		"a waypoint without an address",
		"False/WaypointIsNotReady",
		other,
		{},
		inEgress({ status: { addresses: [] } }),
	],
	["a waypoint whose status is null", "False/WaypointIsNotReady", other, {}, inEgress({ status: null })],
	[
		"an ingress gateway with an address, which istiod binds to",
		"False/AttachmentDenied",
		other,
		{},
		inEgress({ spec: { gatewayClassName: "istio", listeners: [] } }),
	],
	[
		"a waypoint whose address ztunnel cannot use",
		"True/WaypointAccepted",
		other,
		{},
		inEgress({ status: { addresses: [{ type: "x.dev/y", value: "z" }] } }),
	],
	[
		"an empty traffic type",
		"False/UnsupportedTrafficType",
		other,
		{},
		inEgress({ labels: { "istio.io/waypoint-for": "" } }),
	],
	[
		"a waypoint that is denied and serves workloads",
		"False/AttachmentDenied",
		other,
		{},
		inEgress({ labels: { "istio.io/waypoint-for": "workload" }, spec: listeners(undefined) }),
	],
	[
		"the label of a waypoint's own Service",
		"None",
		{ ...shared, "gateway.istio.io/managed": "istio.io-mesh-controller" },
	],
	[
		"the label of an east-west gateway",
		"None",
		{ ...shared, "gateway.istio.io/managed": "istio.io-eastwest-controller" },
	],
	[
		"the label of an ordinary gateway",
		"True/WaypointAccepted",
		{ ...shared, "gateway.istio.io/managed": "istio.io-gateway-controller" },
	],
];

describe("bindingOf()", () => {
	for (const [what, expected, labels, teamLabels = {}, gateway] of seen) {
		it(`bindingOf() of ${what} is ${expected}`, () => {
			assert.equal(condition(labels, teamLabels, ...(gateway === undefined ? [] : [gateway])), expected);
		});
	}

	it("bindingOf() in a waypoint's own namespace needs neither allowedRoutes nor an HBONE listener", () => {
		for (const spec of [listeners(undefined), { listeners: [] }, listeners({ from: "Same" })]) {
			assert.equal(
				condition({ [name]: "local" }, {}, waypoint("team/local", { spec })),
				"True/WaypointAccepted",
			);
		}
	});

	it("bindingOf() in a namespace that nobody knows goes by the object alone", () => {
		assert.equal(bindingOf(shared, "unknown", world(surroundings)).status, "True");
		assert.equal(bindingOf(undefined, "unknown", world(surroundings)).status, "None");
	});

	it("bindingOf() forbids another namespace's waypoint under visibility NAMESPACE, last of all reasons", () => {
		const state = world([team({}), ...surroundings, inEgress({ spec: listeners(undefined) })]);
		const reason = (labels: Labels): string => {
			const binding = bindingOf(labels, "team", state);
			return binding.status === "None" ? "None" : binding.reason;
		};
		state.learn({ serviceEntryVisibility: { defaultVisibility: "NAMESPACE", policies: [] } });
		assert.equal(reason(shared), "CrossNamespaceWaypointForbidden");
		assert.equal(reason(other), "AttachmentDenied");
		state.learn({ istioMinor: 30 });
		assert.equal(reason(shared), "WaypointAccepted");
	});
});

describe("requestedWaypoint()", () => {
	for (const [what, own, inherited, expected] of [
		[
			"both labels",
			shared,
			{},
			{ asked: true, by: "object", waypoint: { namespace: "istio-egress", name: "egress" } },
		],
		[
			"a name alone",
			{ [name]: "a" },
			shared,
			{ asked: true, by: "object", waypoint: { namespace: "team", name: "a" } },
		],
		[
			"the namespace's name alone",
			{},
			{ [name]: "a" },
			{ asked: true, by: "namespace", waypoint: { namespace: "team", name: "a" } },
		],
		["none", { [name]: "none", [namespace]: "x" }, shared, { asked: false, optedOut: "object" }],
		["the namespace's none", {}, { [name]: "none" }, { asked: false, optedOut: "namespace" }],
		["null labels", null, null, { asked: false }],
		["nothing", undefined, undefined, { asked: false }],
	] as const) {
		it(`requestedWaypoint() reads ${what}`, () => {
			assert.deepEqual(requestedWaypoint(own, "team", inherited), expected);
		});
	}
});

describe("controllerOf(), isWaypoint() and trafficTypeOf()", () => {
	const ofClass = (gatewayClassName: string): KubernetesGateway => inEgress({ spec: { gatewayClassName } });

	it("controllerOf() knows Istio's classes without an object, and believes the object where there is one", () => {
		assert.equal(controllerOf(ofClass("istio-waypoint"), world()), "istio.io/mesh-controller");
		assert.equal(controllerOf(ofClass("acme"), world()), undefined);
		const acme = {
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "GatewayClass",
			metadata: { name: "istio-waypoint" },
		};
		const spec = { controllerName: "acme.dev/gateway" };
		assert.equal(
			controllerOf(ofClass("istio-waypoint"), world([{ ...acme, spec } as AnyObject])),
			"acme.dev/gateway",
		);
		assert.equal(controllerOf(ofClass("istio-waypoint"), world([acme])), "istio.io/mesh-controller");
		assert.equal(controllerOf({ spec: null }, world()), undefined);
	});

	it("isWaypoint() is true, false, or not known", () => {
		assert.equal(isWaypoint(ofClass("istio-waypoint"), world()), true);
		assert.equal(isWaypoint(ofClass("istio"), world()), false);
		assert.equal(isWaypoint(ofClass("acme"), world()), undefined);
	});

	it("trafficTypeOf() reads the Gateway's label, then its class's, then says service", () => {
		assert.equal(trafficTypeOf(egressWaypoint, world()), "service");
		const labels = { "istio.io/waypoint-for": "workload" };
		const metadata = { name: "istio-waypoint", labels };
		const gatewayClass = { apiVersion: "gateway.networking.k8s.io/v1", kind: "GatewayClass", metadata };
		assert.equal(trafficTypeOf(egressWaypoint, world([gatewayClass])), "workload");
		assert.equal(
			trafficTypeOf(inEgress({ labels: { "istio.io/waypoint-for": "all" } }), world([gatewayClass])),
			"all",
		);
	});
});

describe("attachmentListener()", () => {
	const mesh = { name: "mesh", port: 15008, protocol: "HBONE" };
	const proxy = { name: "proxy", port: 15088, protocol: "istio.io/PROXY" };
	const binding = "ambient.istio.io/waypoint-inbound-binding";
	const chosen = (list: readonly object[], annotation?: string): number | undefined => {
		const annotations = annotation === undefined ? {} : { [binding]: annotation };
		return attachmentListener(inEgress({ annotations, spec: { listeners: list } }), world())?.index;
	};

	it("attachmentListener() is the first HBONE one on 15008, without an annotation", () => {
		assert.equal(chosen([proxy, mesh, mesh]), 1);
		assert.equal(chosen([proxy]), undefined);
		assert.equal(chosen([]), undefined);
		assert.equal(attachmentListener({ spec: { listeners: null } }, world()), undefined);
	});

	for (const [annotation, expected] of [
		["PROXY", 1],
		["PROXY/15088", 1],
		["NONE/15088", 1],
		["NONE", 0],
		["PROXY/0", 1],
		["PROXY/15099", 0],
		["PROXY/abc", 1],
		["NONE/abc", 0],
		["PROXY/1/2", 0],
		["HBONE", 0],
		["", 0],
	] as const) {
		it(`attachmentListener() follows the annotation "${annotation}" as istiod does`, () => {
			assert.equal(chosen([mesh, proxy], annotation), expected);
		});
	}

	it("attachmentListener() reads the annotation of the class where the Gateway has none", () => {
		const metadata = { name: "istio-waypoint", annotations: { [binding]: "PROXY" } };
		const gatewayClass = { apiVersion: "gateway.networking.k8s.io/v1", kind: "GatewayClass", metadata };
		const gateway = inEgress({ spec: { listeners: [mesh, proxy] } });
		assert.equal(attachmentListener(gateway, world([gatewayClass]))?.index, 1);
	});
});

describe("inspectWaypoint()", () => {
	const reference = { namespace: "istio-egress", name: "broken" };

	it("inspectWaypoint() calls a selector that stops istiod a fault and no admission", () => {
		const state = inspectWaypoint(reference, "team", world([team(), brokenSelectorWaypoint]));
		assert.equal(state.admits, false);
		assert.equal(state.selectorFault, "operator In needs at least one value");
	});

	it("inspectWaypoint() of a Gateway that does not exist says no to everything", () => {
		const state = inspectWaypoint(reference, "team", world());
		assert.deepEqual(
			[state.gateway, state.ready, state.reachable, state.admits, state.servesServices, state.forbidden],
			[undefined, false, false, false, false, false],
		);
	});

	it("inspectWaypoint() takes a manifest without a status for ready offline, and nothing else", () => {
		const inspect = (gateway: KubernetesGateway, offline: boolean) => {
			const state = new ClusterState(defaultSettings, { offline });
			state.set("KubernetesGateway", gateway);
			const found = inspectWaypoint({ namespace: "istio-egress", name: "other" }, "team", state);
			return [found.ready, found.reachable];
		};
		assert.deepEqual(inspect(inEgress({ status: undefined }), true), [true, true]);
		assert.deepEqual(inspect(inEgress({ status: undefined }), false), [false, false]);
		assert.deepEqual(inspect(inEgress({ status: { addresses: null } }), true), [false, false]);
	});
});

describe("visibilityOf()", () => {
	const labelled: Namespace = team({}, { tier: "gold" });
	const gold = { namespaceSelector: { matchLabels: { tier: "gold" } } };
	const byName = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "team" } } };
	const visibility = (facts: MeshFacts["serviceEntryVisibility"]): string => {
		const state = world([labelled]);
		state.learn({ serviceEntryVisibility: facts });
		return visibilityOf("team", state);
	};

	it("visibilityOf() is PUBLIC where the mesh configures nothing, else the default, else the first match", () => {
		assert.equal(visibility(undefined), "PUBLIC");
		assert.equal(visibility({ defaultVisibility: "NONE", policies: [] }), "NONE");
		const policies = [
			{ visibility: "PUBLIC", rules: [gold, { namespaceSelector: { matchLabels: { a: "b" } } }] },
			{ visibility: "NAMESPACE", rules: [gold, byName] },
			{ visibility: "NONE", rules: [] },
		] as const;
		assert.equal(visibility({ defaultVisibility: "PUBLIC", policies }), "NAMESPACE");
	});
});
