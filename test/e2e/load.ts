import { Agent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { reviewOf } from "../support/reviews.ts";
import type { Api, ApiAnswer, KubeObject } from "./api.ts";

/**
 * What became of one attempt: `right`, `wrong` (let through, refused or not fixed against the rules), `failed`
 * (a webhook was called and did not answer), `unanswered` (the API server itself was away).
 */
export interface Outcome {
	readonly kind: "right" | "wrong" | "failed" | "unanswered";
	/** What was answered, when it was not right. */
	readonly detail?: string;
}

/** Makes one attempt, the index-th. */
export type Attempt = (index: number) => Promise<Outcome>;

/** How many attempts came to what. */
export interface Counts {
	readonly asked: number;
	readonly wrong: number;
	readonly failed: number;
	readonly unanswered: number;
	/** What the rate came to. */
	readonly perSecond: number;
	readonly medianMs: number;
	/** What 99 of 100 took at most. */
	readonly p99Ms: number;
	readonly slowestMs: number;
	/** The first details of each kind that is not right. */
	readonly examples: readonly string[];
}

/** So many attempts are under way at most: a machine that cannot bear the rate shall get fewer, not choke on them. */
const mostAtOnce = 12;

/** Begins `rate` attempts a second, as far as the machine bears them, until `during` settles. */
export async function loadUntil(rate: number, attempt: Attempt, during: Promise<unknown>): Promise<Counts> {
	const totals = { right: 0, wrong: 0, failed: 0, unanswered: 0 };
	const latencies: number[] = [];
	const examples: string[] = [];
	const pending = new Set<Promise<void>>();
	const one = async (index: number): Promise<void> => {
		const start = performance.now();
		const { kind, detail } = await attempt(index);
		latencies.push(performance.now() - start);
		totals[kind] += 1;
		if (kind !== "right" && totals[kind] <= 3) {
			examples.push(`${kind}: ${detail}`);
		}
	};
	let isOver = false;
	const over = during.then(
		() => {
			isOver = true;
		},
		() => {
			isOver = true;
		},
	);
	let due = performance.now();
	const start = due;
	for (let index = 0; !isOver; await Promise.race([sleep(5), over])) {
		// What could not begin in time is not made up for later: that would be a burst.
		due = Math.max(due, performance.now() - 1_000);
		for (; due <= performance.now() && pending.size < mostAtOnce; due += 1_000 / rate) {
			const running = one(index++).finally(() => pending.delete(running));
			pending.add(running);
		}
	}
	const tookMs = performance.now() - start;
	await Promise.all(pending);
	await during;
	const sorted = latencies.toSorted((a, b) => a - b);
	const { wrong, failed, unanswered } = totals;
	return {
		asked: sorted.length,
		wrong,
		failed,
		unanswered,
		perSecond: sorted.length / (tookMs / 1_000),
		medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
		p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
		slowestMs: sorted.at(-1) ?? 0,
		examples,
	};
}

/** Objects that must be let through and fixed, and objects that must be refused by a rule. */
export interface Judgement {
	readonly good: (index: number) => KubeObject;
	/** The label that fixing adds. */
	readonly label: string;
	readonly bad: (index: number) => KubeObject;
	/** Part of the message of the denial. */
	readonly denial: string;
}

/** Applies good and bad objects in turn, by server-side apply through the API server. */
export function applying(api: Api, judgement: Judgement): Attempt {
	return async (index) => {
		const isBad = index % 2 === 1;
		const object = isBad ? judgement.bad(index) : judgement.good(index);
		const { namespace, name } = object.metadata;
		const path = `/apis/${object.apiVersion}/namespaces/${namespace}/serviceentries/${name}`;
		try {
			const answer = await api.request("PATCH", `${path}?fieldManager=waymark-e2e&force=true`, {
				body: object,
				contentType: "application/apply-patch+yaml",
			});
			return outcomeOf(answer, isBad, judgement);
		} catch (error) {
			return { kind: "unanswered", detail: String(error) };
		}
	};
}

function outcomeOf({ status, body }: ApiAnswer, isBad: boolean, judgement: Judgement): Outcome {
	const text = JSON.stringify(body);
	const detail = `${status} ${text.slice(0, 400)}`;
	if (text.includes("failed calling webhook")) {
		return { kind: "failed", detail };
	}
	// Nothing that is asked for is missing: a 404 means that the kind is not served yet.
	if ([404, 429, 503].includes(status) || text.includes("not yet ready to handle request")) {
		return { kind: "unanswered", detail };
	}
	const labels = (body as Partial<KubeObject>).metadata?.labels ?? {};
	const isRight = isBad
		? status === 403 && text.includes("validate.waymark.dev") && text.includes(judgement.denial)
		: (status === 200 || status === 201) && judgement.label in labels;
	return isRight ? { kind: "right" } : { kind: "wrong", detail };
}

/** Where reviews are posted without an API server between. */
export interface Target {
	readonly url: string;
	/** The CA bundle that the API server would verify the webhook by now. */
	readonly bundle: () => string;
	/** `false`: a connection, and so a handshake, for every review. */
	readonly keepAlive: boolean;
}

/** Posts reviews of good objects to `/mutate` and of bad ones to `/validate` in turn, by the API server's own rules. */
export function reviewing(target: Target, judgement: Judgement): Attempt & { close(): void } {
	let agent: { readonly bundle: string; readonly agent: Agent } | undefined;
	const currentAgent = (): Agent => {
		const bundle = target.bundle();
		if (agent?.bundle !== bundle) {
			// The API server, too, makes a client of its own for each CA bundle; open exchanges end on the old one.
			agent = { bundle, agent: new Agent({ keepAlive: target.keepAlive, ca: bundle, timeout: 90_000 }) };
		}
		return agent.agent;
	};
	const attempt: Attempt = async (index) => {
		const isBad = index % 2 === 1;
		const review = reviewOf(isBad ? judgement.bad(index) : judgement.good(index));
		const path = isBad ? "/validate" : "/mutate";
		try {
			const answer = await postAsApiServer(`${target.url}${path}?timeout=5s`, currentAgent, review);
			const text = JSON.stringify(answer);
			const patch = Buffer.from(answer.response?.patch ?? "", "base64").toString();
			const isRight = isBad
				? answer.response?.allowed === false && text.includes(judgement.denial)
				: patch.includes(judgement.label.replaceAll("/", "~1"));
			return isRight ? { kind: "right" } : { kind: "wrong", detail: text.slice(0, 400) };
		} catch (error) {
			return { kind: "failed", detail: `${path}: ${String(error)}` };
		}
	};
	return Object.assign(attempt, { close: () => agent?.agent.destroy() });
}

interface Answer {
	readonly response?: { readonly allowed?: boolean; readonly patch?: string };
}

/** A 503 with `Retry-After` is tried again within five seconds, a broken connection never (client-go rest/request.go). */
async function postAsApiServer(url: string, agent: () => Agent, review: object): Promise<Answer> {
	const deadline = performance.now() + 5_000;
	for (;;) {
		const left = deadline - performance.now();
		const { status, retryAfter, text } = await post(url, agent(), JSON.stringify(review), left);
		if (status === 200) {
			return JSON.parse(text) as Answer;
		}
		if (retryAfter === undefined || performance.now() + retryAfter * 1000 > deadline) {
			throw new Error(`Cannot get an answer: HTTP ${status} ${text}`);
		}
		await sleep(retryAfter * 1000);
	}
}

function post(
	url: string,
	agent: Agent,
	body: string,
	limitMs: number,
): Promise<{ readonly status: number; readonly retryAfter: number | undefined; readonly text: string }> {
	return new Promise((resolve, reject) => {
		const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
		const signal = AbortSignal.timeout(Math.max(Math.ceil(limitMs), 1));
		const call = httpsRequest(url, { method: "POST", agent, headers, signal }, async (answer) => {
			try {
				const text = Buffer.concat(await answer.toArray()).toString();
				const after = answer.headers["retry-after"];
				resolve({
					status: answer.statusCode ?? 0,
					retryAfter: after === undefined ? undefined : Number(after),
					text,
				});
			} catch (error) {
				reject(error);
			}
		});
		call.on("error", reject);
		call.end(body);
	});
}
