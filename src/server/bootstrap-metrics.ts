import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** What is asked about the bootstrap when it is scraped. */
export interface BootstrapFigures {
	readonly isStrict: () => boolean;
	/** Whether a person keeps the validating webhooks at `Ignore`. */
	readonly isGlassBroken: () => boolean;
	/** Milliseconds since the API server last reached the webhooks; 0 while it does. */
	readonly unreachedMs: () => number;
}

/** Registers whether this replica saw the validating webhooks fail closed, and whether they are reached. */
export function createBootstrapMetrics(
	registry: Registry,
	{ isStrict, isGlassBroken, unreachedMs }: BootstrapFigures,
): void {
	new Gauge({
		name: "waymark_fails_closed",
		help: "1 when the validating webhooks were last seen to fail closed, else 0",
		registers: [registry],
		collect() {
			this.set(isStrict() ? 1 : 0);
		},
	});
	new Gauge({
		name: "waymark_break_glass",
		help: "1 while a person keeps the validating webhooks at Ignore, by ConfigMap or annotation, else 0",
		registers: [registry],
		collect() {
			this.set(isGlassBroken() ? 1 : 0);
		},
	});
	new Gauge({
		name: "waymark_unreached_seconds",
		help: "For how long no canary has come back although the webhooks fail closed; 0 while the API server reaches them",
		registers: [registry],
		collect() {
			this.set(unreachedMs() / 1000);
		},
	});
}
