import type { ServiceEntry } from "../../src/core/kinds.ts";
import { boundEntry, withSpec } from "../../src/rules/examples.ts";

/** About as much as may be written and is judged by every rule: 250 hosts and 3,000 endpoints, most of a megabyte. */
export const largestEntry: ServiceEntry = withSpec(boundEntry, {
	hosts: Array.from({ length: 250 }, (_, host) => `h${host}.example.com`),
	resolution: "STATIC",
	endpoints: Array.from({ length: 3_000 }, (_, index) => ({
		address: `192.0.${index >> 8}.${index & 255}`,
		labels: { app: "x".repeat(60), zone: "y".repeat(60) },
		locality: `${"region/zone/".repeat(8)}${index}`,
	})),
});
