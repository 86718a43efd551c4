import type { Registry } from "prom-client";
import { Counter, Gauge } from "prom-client";
import { expiryTime } from "../certificates/inspect.ts";
import type { Bodies } from "./bodies.ts";
import type { Connections } from "./connections.ts";
import { cutReasons } from "./connections.ts";
import type { Drain } from "./drain.ts";
import type { Handshakes } from "./handshakes.ts";
import { handshakeFailures } from "./handshakes.ts";
import type { Overload } from "./overload.ts";
import type { AppliedCertificates } from "./tls.ts";
import type { Turns } from "./turns.ts";

/** What is asked when the metrics of a server are scraped. */
export interface Serving {
	readonly drain: Pick<Drain, "inFlight" | "refused">;
	readonly overload: Pick<Overload, "shed" | "delayMs">;
	readonly connections: Pick<Connections, "cut" | "open">;
	readonly handshakes: Handshakes;
	readonly bodies: Pick<Bodies, "turnedAway">;
	readonly turns: Pick<Turns, "turnedAway">;
	readonly certificates: Pick<AppliedCertificates, "served" | "faults">;
}

/** Registers the metrics of a server; all of them are read off when they are scraped. */
export function createServingMetrics(registry: Registry, serving: Serving): void {
	const registers = [registry];
	const { drain, overload, connections, handshakes, bodies, turns, certificates } = serving;
	new Gauge({
		name: "waymark_admission_in_flight",
		help: "Requests that are being read or answered",
		registers,
		collect() {
			this.set(drain.inFlight());
		},
	});
	new Counter({
		name: "waymark_http_turned_away_total",
		help: "Requests answered 503 with Retry-After, by reason; the API server asks again",
		labelNames: ["reason"],
		registers,
		collect() {
			// A counter can only be raised: from nothing to the present sum, at each scrape.
			this.reset();
			this.inc({ reason: "concurrency" }, overload.shed("concurrency"));
			this.inc({ reason: "event-loop" }, overload.shed("event-loop"));
			this.inc({ reason: "bodies" }, bodies.turnedAway());
			this.inc({ reason: "size" }, turns.turnedAway());
			this.inc({ reason: "draining" }, drain.refused());
		},
	});
	new Gauge({
		name: "waymark_connections",
		help: "Connections to the webhook",
		registers,
		collect() {
			this.set(connections.open());
		},
	});
	new Counter({
		name: "waymark_connections_cut_total",
		help: "Connections that were ended to keep room for others, by reason",
		labelNames: ["reason"],
		registers,
		collect() {
			this.reset();
			for (const reason of cutReasons) {
				this.inc({ reason }, connections.cut(reason));
			}
		},
	});
	new Counter({
		name: "waymark_tls_handshake_failures_total",
		help: "TLS handshakes of the webhook that failed, by reason; distrusted: the client does not trust our certificate",
		labelNames: ["reason"],
		registers,
		collect() {
			this.reset();
			for (const reason of handshakeFailures) {
				this.inc({ reason }, handshakes.failed(reason));
			}
		},
	});
	new Gauge({
		name: "waymark_event_loop_delay_seconds",
		help: "How late the event loop was at worst in the last quarter of a second",
		registers,
		collect() {
			this.set(overload.delayMs() / 1000);
		},
	});
	new Gauge({
		name: "waymark_certificate_expiry_timestamp_seconds",
		help: "When the certificate that is served ends, in Unix time",
		registers,
		collect() {
			this.set((expiryTime(certificates.served().cert)?.getTime() ?? 0) / 1000);
		},
	});
	new Counter({
		name: "waymark_certificate_faults_total",
		help: "New certificates that could not be served; the one before stayed in use",
		registers,
		collect() {
			this.reset();
			this.inc(certificates.faults());
		},
	});
}
