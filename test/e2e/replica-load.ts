import type { Api } from "./api.ts";
import type { Counts, Judgement } from "./load.ts";
import { applying, loadUntil, reviewing } from "./load.ts";
import type { ServeReplicas } from "./serve-replicas.ts";

/** What became of the attempts of each kind. */
export interface Load {
	/** Written through the API server. */
	readonly applied: Counts;
	/** Posted straight to the balancer, by connections that stay. */
	readonly kept: Counts;
	/** Posted straight to the balancer, each by a connection of its own. */
	readonly fresh: Counts;
}

/** Attempts a second: through the API server, and straight to the balancer for each kind of connection. */
export interface Rates {
	readonly applied: number;
	readonly posted: number;
}

/**
 * Three loads on replicas until `during` settles: applies, and reviews posted with and without keep-alive.
 * @param judgement the objects of one load, by the letter of its name
 */
export async function loadReplicas(
	fleet: ServeReplicas,
	api: Api,
	rates: Rates,
	judgement: (letter: "a" | "k" | "c") => Judgement,
	during: Promise<unknown>,
): Promise<Load> {
	let bundle = await fleet.bundle();
	const following = setInterval(() => {
		// The API server may be away.
		fleet.bundle().then(
			(next) => {
				bundle = next;
			},
			() => {},
		);
	}, 200);
	const target = (keepAlive: boolean) => ({ url: fleet.url, bundle: () => bundle, keepAlive });
	const keeping = reviewing(target(true), judgement("k"));
	const closing = reviewing(target(false), judgement("c"));
	try {
		const [applied, kept, fresh] = await Promise.all([
			loadUntil(rates.applied, applying(api, judgement("a")), during),
			loadUntil(rates.posted, keeping, during),
			loadUntil(rates.posted, closing, during),
		]);
		return { applied, kept, fresh };
	} finally {
		clearInterval(following);
		keeping.close();
		closing.close();
	}
}

/** What became of them, a line for each kind. */
export function describeLoad({ applied, kept, fresh }: Load): readonly string[] {
	return Object.entries({ applied, "posted, keep-alive": kept, "posted, no keep-alive": fresh }).map(
		([name, { asked, failed, wrong, unanswered, perSecond, medianMs, p99Ms, slowestMs }]) =>
			`${name}: ${asked} asked, ${failed} failed, ${wrong} wrong, ${unanswered} unanswered; ${perSecond.toFixed(0)}/s, median ${medianMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(0)} ms, slowest ${slowestMs.toFixed(0)} ms`,
	);
}
