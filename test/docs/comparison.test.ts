import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const text = readFileSync(join(import.meta.dirname, "../../docs/comparison.md"), "utf8");

/** The cells of the table of policy engines that speak of others: the third column and those behind it. */
function cellsOfOthers(): readonly string[] {
	const rows = text
		.slice(text.indexOf("## Policy engines"), text.indexOf("**Cost of a call**"))
		.split("\n")
		.filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
		.slice(1);
	assert.ok(rows.length > 8, `${rows.length} rows`);
	return rows.flatMap((row) => row.split(" | ").slice(2));
}

it("comparison.md says nothing of another engine without a source, but what every engine leaves to its user", () => {
	// Both say what is not there; and what Kubernetes has is what its own column is about.
	const needNone = new Set(["–", "You write it", "Is that"]);
	const bare = cellsOfOthers()
		.map((cell) => cell.replace(/ \|$/, "").trim())
		.filter((cell) => !needNone.has(cell) && !/\]\(https:\/\/[^)]+\)/.test(cell));
	assert.deepEqual(bare, []);
});
