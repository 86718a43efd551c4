/** Work in many short steps, so that whoever does it can do something else between two of them. */
export type Stepwise<T> = Generator<void, T, void>;

/** Does all of it at once. */
export function finish<T>(work: Stepwise<T>): T {
	for (;;) {
		const { done, value } = work.next();
		if (done === true) {
			return value;
		}
	}
}
