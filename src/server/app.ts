import type { Server } from "node:https";
import { performance } from "node:perf_hooks";
import type { FastifyError, FastifyInstance, FastifyReply } from "fastify";
import { fastify } from "fastify";
import type { Logger } from "pino";
import type { AnsweredReview } from "../admission/response.ts";
import { allowed, faulty, mutated, unjudged, validated } from "../admission/response.ts";
import type { Review, Unreadable } from "../admission/review.ts";
import { readReview } from "../admission/review.ts";
import type { Engine } from "../core/engine.ts";
import { fixingPart } from "../core/engine.ts";
import type { Verdict } from "../core/evaluate.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Bodies } from "./bodies.ts";
import { installBodyBudget } from "./bodies.ts";
import { installCanary } from "./canary.ts";
import { refuseClient } from "./client-error.ts";
import type { Connections } from "./connections.ts";
import { limitConnections, webhookConnectionLimits } from "./connections.ts";
import type { Endpoint } from "./duration-metrics.ts";
import type { Handshakes } from "./handshakes.ts";
import { countHandshakes } from "./handshakes.ts";
import type { Confirm, Judgement, StaleKinds } from "./judgement.ts";
import { judge } from "./judgement.ts";
import type { Metrics } from "./metrics.ts";
import { countVerdict } from "./metrics.ts";
import type { RecentIds } from "./retry-later.ts";
import { answerRetryLater, createRecentIds } from "./retry-later.ts";
import type { TlsContext } from "./tls.ts";
import type { Turns } from "./turns.ts";
import { installTurns, TurnedAway } from "./turns.ts";

/**
 * The largest body: a review carries the object and the one it replaces, each at most the API server's 3 MiB, and
 * as much again as both together have left for the rest (controller-runtime pkg/webhook/admission/http.go: 7 MiB).
 */
export const bodyLimit: number = 7 * 1024 * 1024;

/** What the webhook needs. */
export interface WebhookOptions {
	readonly engine: Engine;
	readonly inventory: Inventory;
	readonly metrics: Metrics;
	readonly log: Logger;
	readonly tls: TlsContext;
	/** Absent without a cluster: then the inventory is all there is. */
	readonly confirm?: Confirm;
	/** The kinds without a watch; absent without a cluster. */
	readonly stale?: () => StaleKinds | undefined;
	/** The clock, for exemptions that end: milliseconds since 1970. */
	readonly now?: () => number;
	/** Hooks that must stand before the routes: drain, overload. */
	readonly before?: (app: FastifyInstance, connections: Connections) => void;
}

/** The webhook's app, and the TLS server below it. */
export interface Webhook {
	readonly app: FastifyInstance;
	readonly server: Server;
	readonly connections: Connections;
	readonly handshakes: Handshakes;
	readonly bodies: Bodies;
	readonly turns: Turns;
}

/** The webhook: HTTPS with `POST /mutate` and `POST /validate`, for the API server only. */
export function createWebhook(options: WebhookOptions): Webhook {
	const secure = fastify({
		// The API server speaks HTTP/1.1 to webhooks and reuses a connection for 90 s: it must never find it closed.
		https: {
			...options.tls,
			handshakeTimeout: webhookConnectionLimits.handshakeMs,
			headersTimeout: 10_000,
			connectionsCheckingInterval: 2_000,
		},
		keepAliveTimeout: 120_000,
		requestTimeout: 15_000,
		bodyLimit,
		return503OnClosing: false,
		forceCloseConnections: false,
		pluginTimeout: 60_000,
		logger: false,
		// A key named __proto__ is legal in an object: refusing it would let the object past a webhook that fails
		// open. JSON.parse makes it a plain own property, and nothing here merges objects.
		onProtoPoisoning: "ignore",
		onConstructorPoisoning: "ignore",
		clientErrorHandler: (error, socket) => refuseClient(error, socket, connections),
		// What the router itself refuses; the framework's own answer would repeat the path.
		frameworkErrors: (error, _request, reply) => rejectBody(options, error, reply),
	});
	const { server } = secure;
	const connections = limitConnections(server, webhookConnectionLimits);
	const handshakes = countHandshakes(server);
	// Nothing below depends on the kind of server, and plug-ins are written for the general type.
	const app = secure as unknown as FastifyInstance;
	// Nobody sends a review as text: without this it would be read, and then be called no JSON object.
	app.removeContentTypeParser("text/plain");
	app.addHook("onRequest", (request, _reply, done) => {
		connections.reading(request.raw);
		done();
	});
	app.addHook("onClose", () => connections.stop());
	options.before?.(app, connections);
	const bodies = installBodyBudget(app, connections, bodyLimit);
	const turns = installTurns(app);
	app.setErrorHandler((error: FastifyError, _request, reply) => rejectBody(options, error, reply));
	app.setNotFoundHandler((_request, reply) => {
		options.metrics.rejected.inc({ code: 404 });
		return reply
			.code(404)
			.send({ message: "Not found: the webhook answers POST /mutate and POST /validate" });
	});
	// The API server never compresses a review, and unpacking what anybody sends is a way to be flooded.
	app.addHook("onRequest", (request, reply, done) => {
		const encoding = request.headers["content-encoding"];
		if (encoding !== undefined && encoding !== "identity") {
			options.metrics.rejected.inc({ code: 415 });
			reply.code(415).send({ message: "The body must be application/json, without compression" });
			return;
		}
		done();
	});
	const today = dayClock(options.now ?? Date.now);
	const passedOn = createRecentIds();
	const engines = { mutate: fixingPart(options.engine), validate: options.engine } as const;
	for (const endpoint of ["mutate", "validate"] as const) {
		const judging = { ...options, engine: engines[endpoint], passedOn };
		app.post<{ Querystring: { timeout?: unknown } }>(`/${endpoint}`, (request, reply) =>
			answer(judging, endpoint, readReview(request.body, today()), request.query.timeout, reply),
		);
	}
	installCanary(app);
	return { app, server, connections, handshakes, bodies, turns };
}

function rejectBody(options: WebhookOptions, error: FastifyError, reply: FastifyReply): FastifyReply {
	if (error instanceof TurnedAway) {
		answerRetryLater(reply, "keep-alive");
		return reply;
	}
	const code = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500;
	options.metrics.rejected.inc({ code });
	if (code >= 500) {
		options.log.error({ err: error }, "request failed");
	}
	const message =
		code >= 500 ? "Cannot answer the request: an unexpected fault, see the log" : plainMessage(error, code);
	return reply.code(code).send({ message });
}

function plainMessage(error: FastifyError, code: number): string {
	switch (code) {
		case 413:
			return "The body is larger than 7 MiB, the most that a review of two objects can be";
		case 415:
			return "The body must be application/json, without compression";
		case 414:
			return "The path is too long: the webhook answers POST /mutate and POST /validate";
		default:
			if (error.code === "FST_ERR_BAD_URL") {
				return "The path is no URL: the webhook answers POST /mutate and POST /validate";
			}
			return error.code === "FST_ERR_CTP_EMPTY_JSON_BODY"
				? "The body is empty: an AdmissionReview was expected"
				: "The body is not an AdmissionReview: it is not valid JSON";
	}
}

function answer(
	options: WebhookOptions & { readonly passedOn: RecentIds },
	endpoint: Endpoint,
	review: Review | Unreadable,
	timeout: unknown,
	reply: FastifyReply,
): AnsweredReview | FastifyReply | Promise<AnsweredReview | FastifyReply> {
	const start = performance.now();
	if (!("uid" in review)) {
		options.metrics.rejected.inc({ code: 400 });
		return reply.code(400).send({ message: review.message });
	}
	const { subject, fault } = review;
	if (fault !== undefined && endpoint === "validate") {
		options.log.warn({ uid: short(review.uid), webhook: endpoint, fault }, "review cannot be judged");
		options.metrics.durations.observe(endpoint, "deny", elapsed(start));
		return faulty(review, fault);
	}
	if (subject === undefined || fault !== undefined) {
		options.metrics.durations.observe(endpoint, "skip", elapsed(start));
		return allowed(review);
	}
	const judgement = judge(
		{
			...options,
			onConfirm: (result) => options.metrics.confirmations.inc({ result }),
		},
		subject,
		() => deadline(timeout, start),
	);
	return judgement instanceof Promise
		? judgement.then((judged) => finish(options, endpoint, review, judged, start, reply))
		: finish(options, endpoint, review, judgement, start, reply);
}

/** The time left for asking, in milliseconds: half of what the API server still waits, at most half a second. */
function deadline(timeout: unknown, start: number): number {
	const match = typeof timeout === "string" ? /^(\d{1,3})s$/.exec(timeout) : null;
	const left = (match === null ? 5 : Number(match[1])) * 1000 - (performance.now() - start);
	return Math.max(50, Math.min(500, left / 2));
}

function finish(
	options: WebhookOptions & { readonly passedOn: RecentIds },
	endpoint: Endpoint,
	review: Review,
	judgement: Judgement | undefined,
	start: number,
	reply: FastifyReply,
): AnsweredReview | FastifyReply {
	if (judgement === undefined) {
		return passOn(options, endpoint, review, start, reply);
	}
	const { verdict, basis } = judgement;
	const result =
		endpoint === "mutate"
			? mutated(review, verdict)
			: validated(review, verdict, basis, options.inventory.settings);
	if (endpoint === "validate") {
		countVerdict(options.metrics, verdict);
		if (basis.staleMs !== undefined) {
			options.metrics.staleVerdicts.inc();
		}
	}
	const decision = !result.response.allowed
		? "deny"
		: result.response.patch === undefined
			? "allow"
			: "patch";
	options.metrics.durations.observe(endpoint, decision, elapsed(start));
	logVerdict(options, endpoint, review, verdict, decision);
	return result;
}

/**
 * Nobody knows the namespace: another replica may, so the API server is told to ask again. Who comes back here has found
 * none, and is refused; `/mutate` has nothing to fix then, and leaves the refusal to `/validate`.
 */
function passOn(
	options: WebhookOptions & { readonly passedOn: RecentIds },
	endpoint: Endpoint,
	review: Review,
	start: number,
	reply: FastifyReply,
): AnsweredReview | FastifyReply {
	const answer = options.passedOn.add(`${endpoint} ${review.uid}`) ? "refused" : "retry";
	options.metrics.unjudged.inc({ answer });
	options.log.warn(
		{ uid: short(review.uid), webhook: endpoint, namespace: short(review.namespace), answer },
		"namespace unknown and API server not reachable",
	);
	if (answer === "retry") {
		// On a connection of its own, which the Service may lead to another replica.
		answerRetryLater(reply, "close");
		return reply;
	}
	const result = endpoint === "mutate" ? allowed(review) : unjudged(review);
	options.metrics.durations.observe(endpoint, endpoint === "mutate" ? "allow" : "deny", elapsed(start));
	return result;
}

function logVerdict(
	options: WebhookOptions,
	endpoint: Endpoint,
	review: Review,
	verdict: Verdict,
	decision: string,
): void {
	for (const fault of verdict.faults) {
		options.log.error({ uid: short(review.uid), rule: fault.rule, err: fault.error }, "rule failed");
	}
	// What is let pass with findings leaves a trace once: /mutate sees the same before it.
	if (decision === "allow" && (endpoint === "mutate" || verdict.findings.length === 0)) {
		return;
	}
	options.log.info(
		{
			uid: short(review.uid),
			webhook: endpoint,
			decision,
			mode: verdict.mode,
			kind: review.subject?.kind,
			user: short(review.subject?.requester?.username),
			namespace: short(review.namespace),
			name: short(review.name),
			dryRun: review.dryRun,
			...(verdict.isRestored === true ? { restored: true } : {}),
			...(verdict.isCut === true ? { cut: true } : {}),
			rules: [
				...new Set((decision === "deny" ? verdict.denials : verdict.findings).map((each) => each.rule)),
			],
		},
		"admission answered",
	);
}

/** Names of Kubernetes are no longer. */
const longestName = 253;

/** A name for the log, where a review may say megabytes. */
function short(text: string | undefined): string | undefined {
	return text === undefined || text.length <= longestName ? text : `${text.slice(0, longestName)}…`;
}

function elapsed(start: number): number {
	return (performance.now() - start) / 1000;
}

const dayMs = 86_400_000;

/** Gives the day in UTC, as YYYY-MM-DD; the text is made once a day and not for every request. */
function dayClock(now: () => number): () => string {
	let number = Number.NaN;
	let text = "";
	return () => {
		const current = Math.floor(now() / dayMs);
		if (current !== number) {
			number = current;
			text = new Date(current * dayMs).toISOString().slice(0, 10);
		}
		return text;
	};
}
