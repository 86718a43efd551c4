import { serviceentryEndpointSocket as rule } from "../../../src/rules/capture/serviceentry-endpoint-socket.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const cluster = [teamNamespace, egressNamespace, egressWaypoint];
const socket = { resolution: "STATIC", endpoints: [{ address: "unix:///run/app.sock" }] };
const permitted = { ...teamNamespace, metadata: { name: "team" } };

testRule(rule, {
	"names the waypoint that would open the socket, and abstract sockets too": [
		{
			object: rule.docs.bad,
			given: cluster,
			finds: ["error spec.endpoints[0].address"],
			says: /^The waypoint istio-egress\/egress would open "unix:/,
		},
		{
			object: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "unix://@app" }] }),
			given: cluster,
			finds: ["error spec.endpoints[0].address"],
		},
	],
	"refuses a socket where ambient is enforced, bound or not": {
		object: withLabels(withSpec(plainEntry, socket), { "istio.io/use-waypoint": "none" }),
		given: cluster,
		finds: ["error spec.endpoints[0].address"],
	},
	"leaves sidecars their sockets": [
		{ object: withSpec(plainEntry, socket), given: [permitted], finds: [] },
		{ object: withSpec(boundEntry, socket), given: [permitted], finds: ["error spec.endpoints[0].address"] },
	],
	"is silent about addresses, names and endpoints without either": {
		object: withSpec(boundEntry, {
			endpoints: [{ address: "10.0.0.7" }, { address: "unix.example.com" }, { address: null }, {}],
		}),
		given: cluster,
		finds: [],
	},
});
