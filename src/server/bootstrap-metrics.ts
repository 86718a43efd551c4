import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** Registers whether this replica saw the validating webhooks fail closed; asked when it is scraped. */
export function createBootstrapMetrics(registry: Registry, isStrict: () => boolean): void {
	new Gauge({
		name: "waymark_fails_closed",
		help: "1 when the validating webhooks were last seen to fail closed, else 0",
		registers: [registry],
		collect() {
			this.set(isStrict() ? 1 : 0);
		},
	});
}
