import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import { refuseClient } from "./client-error.ts";
import { limitConnections, operationsConnectionLimits } from "./connections.ts";
import type { Metrics } from "./metrics.ts";
import type { Pages } from "./pages.ts";
import { showPages } from "./pages.ts";

/** One condition of readiness; `detail` says what is the matter or how things stand. */
export interface Check {
	readonly name: string;
	readonly ok: boolean;
	readonly detail: string;
	/** Shown, and no reason to take the replica out of the Service. */
	readonly advisory?: boolean;
}

/** Gives the checks as they stand now. */
export type Checks = () => readonly Check[];

/**
 * The operations server: plain HTTP for the kubelet and Prometheus, on a port of its own.
 * @param pages the documentation, shown below `/docs/`; undefined: there is none
 */
export function createOperations(checks: Checks, metrics: Metrics, pages?: Pages): FastifyInstance {
	const app = fastify({
		logger: false,
		http: { headersTimeout: 5_000, connectionsCheckingInterval: 2_000 },
		requestTimeout: 5_000,
		keepAliveTimeout: 65_000,
		bodyLimit: 1024,
		clientErrorHandler: (error, socket) => refuseClient(error, socket, connections),
	});
	// The kubelet must get through, whoever else holds connections.
	const connections = limitConnections(app.server, operationsConnectionLimits);
	app.addHook("onClose", () => connections.stop());
	// Alive is whoever answers: a stuck event loop cannot.
	app.get("/livez", (_request, reply) => reply.type("text/plain").send("ok\n"));
	app.get<{ Querystring: { verbose?: string } }>("/readyz", (request, reply) => {
		const all = checks();
		const ready = all.every((check) => check.ok || check.advisory === true);
		const lines = all.map(
			(check) => `[${check.ok ? "+" : check.advisory === true ? "!" : "-"}] ${check.name}: ${check.detail}`,
		);
		const detail = request.query.verbose !== undefined || !ready ? `${lines.join("\n")}\n` : "";
		return reply
			.code(ready ? 200 : 503)
			.type("text/plain")
			.send(`${detail}${ready ? "ok" : "not ready"}\n`);
	});
	app.get("/metrics", async (_request, reply) => {
		const text = await metrics.registry.metrics();
		return reply.type(metrics.registry.contentType).send(text);
	});
	if (pages !== undefined) {
		showPages(app, pages);
	}
	return app;
}
