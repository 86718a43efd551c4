import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortNumber } from "../../../src/rules/validity/serviceentry-port-number.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortNumber, {
	"accepts the ends of the range": {
		object: {
			...plainEntry,
			spec: {
				ports: [
					{ number: 1, name: "a" },
					{ number: 65535, name: "b", targetPort: 1 },
				],
			},
		},
		given: [],
		finds: [],
	},
	"refuses numbers out of range and numbers used twice": {
		object: {
			...plainEntry,
			spec: {
				ports: [
					{ number: 0, name: "a" },
					{ number: 65536, name: "b", targetPort: -1 },
					{ number: 0, name: "c" },
				],
			},
		},
		given: [],
		finds: [
			"error spec.ports[0].number",
			"error spec.ports[1].number",
			"error spec.ports[1].targetPort",
			"error spec.ports[2].number",
			"error spec.ports[2].number",
		],
	},
});
