import type { AnyObject, ServiceEntry, WorkloadEntry } from "../../../src/core/kinds.ts";
import { serviceentryAddressWorkload } from "../../../src/rules/capture/serviceentry-address-workload.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const world: readonly AnyObject[] = [teamNamespace, egressNamespace, egressWaypoint];
const at = (
	address: string,
	endpoint: NonNullable<NonNullable<ServiceEntry["spec"]>["endpoints"]>[number],
	resolution = "STATIC",
): ServiceEntry => withSpec(boundEntry, { resolution, addresses: [address], endpoints: [endpoint] });
const block = withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] });
const machine = (address: string, more: object = {}): WorkloadEntry => ({
	apiVersion: "networking.istio.io/v1",
	kind: "WorkloadEntry",
	metadata: { name: "machine", namespace: "search" },
	spec: { address, ...more },
});
const neighbour = (endpoints: NonNullable<ServiceEntry["spec"]>["endpoints"], labels = {}): ServiceEntry => ({
	...withSpec(plainEntry, { hosts: ["status.example.org"], resolution: "STATIC", endpoints }),
	metadata: { name: "innocent", namespace: "search", labels },
});
const waypointForAll: AnyObject = {
	...egressWaypoint,
	metadata: { ...egressWaypoint.metadata, labels: { "istio.io/waypoint-for": "all" } },
} as AnyObject;
const found = ["error spec.addresses[0]"];

testRule(serviceentryAddressWorkload, {
	"refuses an address that is an endpoint of the same entry, by DNS as well": {
		object: at("198.51.100.7", { address: "198.51.100.7" }, "DNS"),
		finds: found,
		says: /"198\.51\.100\.7" is also the address of an endpoint of this entry, so connections to it go past istio-egress\/egress/,
		hints: /Leave addresses out/,
	},
	"compares addresses, not their spelling": {
		object: at("2001:DB8::7/128", { address: "2001:db8:0::7" }),
		finds: found,
	},
	"refuses a block around an endpoint": {
		object: at("198.51.100.0/24", { address: "198.51.100.7" }),
		finds: found,
	},
	"refuses a block around a WorkloadEntry of another namespace": {
		object: block,
		given: [...world, machine("203.0.113.10")],
		finds: found,
		says: /"203\.0\.113\.10" is also the address of WorkloadEntry search\/machine/,
		hints: /List no address that another object has$/,
	},
	"refuses a wide block around an endpoint of another namespace": {
		object: withSpec(block, { addresses: ["203.0.0.0/12"] }),
		given: [...world, neighbour([{ address: "203.0.113.10" }])],
		finds: found,
		says: /ServiceEntry search\/innocent/,
	},
	"is silent about endpoints apart, by name, and about an endpoint of another network": {
		object: block,
		given: [
			...world,
			neighbour([
				{ address: "198.51.100.7" },
				{ address: "db.example.net" },
				{ address: "203.0.113.9", network: "far" },
			]),
		],
		finds: [],
	},
	"knows that istiod keeps the network of an endpoint for the next one": {
		object: block,
		given: [...world, neighbour([{ address: "198.51.100.7", network: "far" }, { address: "203.0.113.9" }])],
		finds: [],
	},
	"knows the network of the cluster": {
		object: block,
		given: [
			...world,
			{
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name: "istio-system", labels: { "topology.istio.io/network": "here" } },
			},
			machine("203.0.113.9", { network: "here" }),
		],
		finds: found,
	},
	"is silent where the workload goes through the same waypoint": {
		object: at("198.51.100.7", {
			address: "198.51.100.7",
			labels: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
		}),
		given: [teamNamespace, egressNamespace, waypointForAll],
		finds: [],
	},
	"does not take the labels of the entry for those of its endpoints": {
		object: at("198.51.100.7", { address: "198.51.100.7" }),
		given: [teamNamespace, egressNamespace, waypointForAll],
		finds: found,
	},
	"only warns where ambient is not enforced": {
		object: at("198.51.100.7", { address: "198.51.100.7" }),
		given: [
			{
				...teamNamespace,
				metadata: {
					name: "team",
					annotations: { ...teamNamespace.metadata?.annotations, "egress.waymark.dev/ambient": "permitted" },
				},
			},
			egressNamespace,
			egressWaypoint,
		],
		finds: ["warning spec.addresses[0]"],
	},
	"is silent without a waypoint, and about an entry that istiod ignores": {
		object: {
			...at("198.51.100.7", { address: "198.51.100.7" }),
			metadata: {
				...boundEntry.metadata,
				labels: { ...boundEntry.metadata?.labels, "istio.io/rev": "gone" },
			},
		},
		finds: [],
	},
	"stands up to null everywhere": {
		object: { ...boundEntry, spec: { ...boundEntry.spec, addresses: ["203.0.113.1"], endpoints: [{}] } },
		given: [...world, machine("")],
		finds: [],
	},
});
