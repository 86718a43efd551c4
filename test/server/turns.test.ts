import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { fastify } from "fastify";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { defaultTurnLimits, installTurns, TurnedAway } from "../../src/server/turns.ts";
import { largestEntry } from "../support/largest-entry.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import { runWebhook } from "../support/webhook.ts";

const webhook = await runWebhook(
	{ after },
	{ state: world([teamNamespace, egressNamespace, egressWaypoint]) },
);
const small = JSON.stringify(reviewOf(boundEntry));

const large = JSON.stringify(reviewOf(largestEntry));

interface Ended {
	readonly what: string;
	readonly status: number;
	readonly retryAfter: string | undefined;
}

/** Posts bodies at the same time, and gives the answers in the order in which they came. */
async function race(bodies: readonly (readonly [what: string, body: string])[]): Promise<readonly Ended[]> {
	const ended: Ended[] = [];
	await Promise.all(
		bodies.map(async ([what, body]) => {
			const { status, headers } = await webhook.post("/validate", body);
			ended.push({ what, status, retryAfter: headers["retry-after"] });
		}),
	);
	return ended;
}

describe("installTurns()", () => {
	it("answers who sends little before most of those who send much, though they came first", async () => {
		const crowd = Array.from({ length: 12 }, () => ["large", large] as const);
		const ended = await race([...crowd, ["small", small]]);
		const place = ended.findIndex(({ what }) => what === "small");
		assert.ok(place < 6, `was answered as number ${place + 1} of ${ended.length}`);
		assert.equal(ended[place]?.status, 200);
	});

	it("sends some of a crowd away, with 503 and Retry-After, and judges the others", async () => {
		const before = webhook.turns.turnedAway();
		const padded = (characters: number): string => `${large}${" ".repeat(characters)}`;
		const crowd = Array.from({ length: 60 }, (_, index) => [`${index}`, padded(index * 1_000)] as const);
		const ended = await race(crowd);
		const away = ended.filter(({ status }) => status === 503);
		assert.ok(away.length > 0 && away.length < 60, String(away.length));
		assert.equal(webhook.turns.turnedAway() - before, away.length);
		assert.deepEqual(new Set(away.map(({ retryAfter }) => retryAfter)), new Set(["1"]));
		assert.deepEqual(
			new Set(ended.filter(({ status }) => status !== 503).map(({ status }) => status)),
			new Set([200]),
		);
		assert.equal(webhook.turns.waiting(), 0);
	});

	it("sends exactly the largest away of those that wait at the same time", async () => {
		const app = fastify();
		const turns = installTurns(app, { longestMs: 60_000 });
		app.setErrorHandler((error, _request, reply) =>
			reply.code(error instanceof TurnedAway ? 503 : 500).send(),
		);
		app.post("/", () => "judged");
		await app.ready();
		// Without sockets, so that all wait before the first is judged, however slow the machine is.
		const statuses = await Promise.all(
			Array.from({ length: 40 }, async (_, index) => {
				const payload = `"${"x".repeat(100_000 - index * 1_000)}"`;
				const headers = { "content-type": "application/json" };
				const { statusCode } = await app.inject({ method: "POST", url: "/", headers, payload });
				return statusCode;
			}),
		);
		await app.close();
		const { mostWaiting } = defaultTurnLimits;
		const away = 40 - mostWaiting;
		assert.deepEqual(statuses, [...Array(away).fill(503), ...Array(mostWaiting).fill(200)]);
		assert.equal(turns.turnedAway(), away);
	});

	it("sends a body away that has waited too long, however small it is", async () => {
		const app = fastify();
		const turns = installTurns(app, { longestMs: -1 });
		app.setErrorHandler((error, _request, reply) =>
			reply.code(error instanceof TurnedAway ? 503 : 500).send(),
		);
		app.post("/", () => "judged");
		const { statusCode } = await app.inject({
			method: "POST",
			url: "/",
			headers: { "content-type": "application/json" },
			payload: `"${"x".repeat(20_000)}"`,
		});
		await app.close();
		assert.equal(statusCode, 503);
		assert.equal(turns.turnedAway(), 1);
	});

	it("judges a large body that nobody disturbs, and says of one that is no JSON what it says of a small one", async () => {
		const answer = await webhook.ask("validate", reviewOf(largestEntry));
		assert.equal(answer.allowed, true);
		for (const filler of ["", "x".repeat(20_000)]) {
			const { status, body } = await webhook.post("/validate", `{"request": ${filler}`);
			assert.deepEqual(
				[status, body],
				[400, { message: "The body is not an AdmissionReview: it is not valid JSON" }],
			);
		}
	});
});
