import { test } from "node:test";
import { assertNullParity } from "./null-parity.ts";

// `node test/lint/null-parity.ts 20000` is the long form.
test("lint says of a world with nulls what the webhook says of what is stored, for 400 seeds", () => {
	for (let seed = 1; seed <= 400; seed++) {
		assertNullParity(seed);
	}
});
