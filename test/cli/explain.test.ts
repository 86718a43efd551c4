import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { rules } from "../../src/rules/table.ts";
import { runVerb } from "../support/run-verb.ts";

const folder = join(import.meta.dirname, "../../docs/rules");

/** The lines that a reader sees, of a page in Markdown or in the terminal, without what marks them up. */
function linesOf(text: string): readonly string[] {
	return text
		.split("\n")
		.filter((line) => !line.startsWith("```"))
		.map((line) =>
			line
				.replace(/^(?:## |> )/, "")
				.replace(/^`([^`]+)` /, "$1: ")
				.trim(),
		)
		.filter((line) => line !== "" && line !== ">");
}

describe("waymark explain RULE", () => {
	it("shows what the rule's page shows, what is given and what Waymark says among it, for every rule", async () => {
		for (const { id, docs } of rules) {
			const page = readFileSync(join(folder, `${id}.md`), "utf8");
			const body = linesOf(page.slice(page.indexOf("## Why")));
			const { code, out } = await runVerb("explain", id);
			assert.equal(code, 0, id);
			const shown = linesOf(out);
			const from = shown.indexOf("Why");
			// YAML breaks long lines where a terminal would, so what is compared is what stands there, and not where.
			assert.equal(shown.slice(from, -1).join(" "), body.join(" "), `${id} in the terminal, and on its page`);
			assert.ok(out.includes(`${docs.summary}.`), id);
		}
	});

	it("says in one line that there is no such rule, and which one is like it", async () => {
		const { code, error } = await runVerb("explain", "serviceentry-host-shadw");
		assert.equal(code, 64);
		assert.equal(
			error,
			'waymark: there is no rule "serviceentry-host-shadw"; did you mean serviceentry-host-shadow?\n',
		);
	});

	it("takes the address of the rule's page, as messages name it", async () => {
		const { out } = await runVerb("explain", "object-size");
		for (const given of [
			"http://waymark-operations.waymark-system:8081/docs/rules/object-size",
			"https://docs.example.com/rules/object-size.html?from=a#why",
			"docs/rules/object-size.md",
		]) {
			assert.equal((await runVerb("explain", given)).out, out, given);
		}
	});
});
