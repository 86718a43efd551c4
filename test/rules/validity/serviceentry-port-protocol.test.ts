import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortProtocol } from "../../../src/rules/validity/serviceentry-port-protocol.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortProtocol, {
	"accepts every protocol of Istio in any case, and none": {
		object: {
			...plainEntry,
			spec: {
				ports: [
					{ number: 1, name: "a", protocol: "grpc-WEB" },
					{ number: 2, name: "b" },
					{ number: 3, name: "c", protocol: "" },
				],
			},
		},
		given: [],
		finds: [],
	},
	"is not fooled by letters whose upper case is a Latin one": {
		object: {
			...plainEntry,
			spec: {
				ports: [
					{ number: 1, name: "a", protocol: "tlſ" },
					{ number: 2, name: "b", protocol: "HBONE" },
				],
			},
		},
		given: [],
		finds: ["error spec.ports[0].protocol", "error spec.ports[1].protocol"],
	},
});
