import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** Registers whether each policy of the backstop was last seen as it should be; asked when it is scraped. */
export function createBackstopMetrics(registry: Registry, states: () => ReadonlyMap<string, string>): void {
	new Gauge({
		name: "waymark_backstop_policy_present",
		help: "1 when the admission policy was last seen in the API server and of this version, else 0",
		labelNames: ["policy"],
		registers: [registry],
		collect() {
			for (const [policy, state] of states()) {
				this.set({ policy }, state === "present" ? 1 : 0);
			}
		},
	});
}
