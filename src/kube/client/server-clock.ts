/** How far this machine's clock is from the API server's, by the `Date` of its answers (RFC 9110, section 6.6.1). */
export interface ServerClock {
	/**
	 * Milliseconds by which this machine is ahead, negative where it is behind; 0 while both may be the same, since `Date`
	 * counts whole seconds and an answer takes its time. Undefined before the first answer.
	 */
	skewMs(): number | undefined;
	/** Takes note of an answer's `Date`, by this machine's clock when it was asked and when the answer began. */
	observe(date: string | undefined, askedAt: number, answeredAt: number): void;
}

/** Several API servers may answer, one of them with a bad clock, so it is the middle of the last answers that counts. */
const mostAnswers = 5;

/** For how long an answer counts beside later ones, in milliseconds: a clock that was set right is right at once. */
const rememberMs = 60_000;

/** An answer that took longer says too little about a clock, in milliseconds. */
const slowMs = 10_000;

/** Makes a clock that knows nothing yet. */
export function createServerClock(): ServerClock {
	let answers: readonly { readonly skewMs: number; readonly at: number }[] = [];
	return {
		skewMs() {
			const sorted = answers.map((each) => each.skewMs).toSorted((one, other) => one - other);
			return sorted[Math.floor(sorted.length / 2)];
		},
		observe(date, askedAt, answeredAt) {
			const told = date === undefined ? Number.NaN : Date.parse(date);
			if (Number.isNaN(told) || answeredAt < askedAt || answeredAt - askedAt > slowMs) {
				return;
			}
			const at = performance.now();
			answers = [
				...answers.filter((each) => at - each.at < rememberMs).slice(1 - mostAnswers),
				{ skewMs: distance(told, askedAt, answeredAt), at },
			];
		},
	};
}

/** The server's clock stood somewhere in the second that `told` begins, at some time between asking and answering. */
function distance(told: number, askedAt: number, answeredAt: number): number {
	const ahead = askedAt - (told + 1000);
	const behind = answeredAt - told;
	if (ahead > 0) {
		return ahead;
	}
	return behind < 0 ? behind : 0;
}
