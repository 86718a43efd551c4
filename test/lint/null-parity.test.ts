import { test } from "node:test";
import { gateOr } from "../support/long-form.ts";
import { assertNullParity } from "./null-parity.ts";

const seeds = gateOr(100, 400);

// `node test/lint/null-parity.ts 20000` is the long form.
test("lint says of a world with nulls what the webhook says of what is stored, for many seeds", () => {
	for (let seed = 1; seed <= seeds; seed++) {
		assertNullParity(seed);
	}
});
