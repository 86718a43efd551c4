import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortName } from "../../../src/rules/validity/serviceentry-port-name.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortName, {
	"refuses bad names and names used twice": {
		object: {
			...plainEntry,
			spec: {
				ports: [
					{ number: 1, name: "A-1" },
					{ number: 2, name: "" },
					{ number: 3, name: "A-1" },
				],
			},
		},
		given: [],
		finds: ["error spec.ports[1].name", "error spec.ports[2].name"],
	},
});
