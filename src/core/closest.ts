/** The name that is most like a misspelt one; undefined when none is like it. At most some dozens of candidates. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
	let best: string | undefined;
	let least = Math.max(2, Math.floor(name.length / 3)) + 1;
	for (const candidate of candidates) {
		const distance =
			isAbbreviation(name, candidate) || isAbbreviation(candidate, name)
				? Math.min(2, Math.abs(candidate.length - name.length))
				: editDistance(name.slice(0, 63), candidate.slice(0, 63));
		if (distance < least) {
			least = distance;
			best = candidate;
		}
	}
	return best;
}

/** Whether the letters of a short name stand in a long one in this order, or the name as a whole: `egress-gw` for `egress-gateway`. */
function isAbbreviation(short: string, long: string): boolean {
	if (short.length >= 5 && long.includes(short)) {
		return true;
	}
	let at = 0;
	for (const letter of long) {
		at += letter === short[at] ? 1 : 0;
	}
	return at === short.length && short.length >= 3 && short[0] === long[0];
}

function editDistance(one: string, other: string): number {
	let row = Array.from({ length: other.length + 1 }, (_, index) => index);
	for (let index = 0; index < one.length; index++) {
		const next = [index + 1];
		for (let at = 0; at < other.length; at++) {
			const replaced = (row[at] ?? 0) + (one[index] === other[at] ? 0 : 1);
			next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
		}
		row = next;
	}
	return row.at(-1) ?? 0;
}
