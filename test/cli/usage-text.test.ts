import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usageText } from "../../src/cli/usage-text.ts";
import type { Verb } from "../../src/cli/verb.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { main } from "../../src/main.ts";

/** The usages of all verbs and of their parts. */
async function usages(): Promise<readonly (readonly [name: string, usage: string])[]> {
	const found: [string, string][] = [];
	const add = async (name: string, verb: Verb): Promise<void> => {
		found.push([name, verb.usage]);
		for (const word of (await verb.part?.("")) === undefined ? ((await verb.words?.()) ?? []) : []) {
			const part = await verb.part?.(word);
			if (part !== undefined) {
				await add(`${name} ${word}`, part);
			}
		}
	};
	for (const [name, load] of verbs) {
		await add(name, await load());
	}
	return found;
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

describe("usageText()", () => {
	it("fits every usage into 60, 80 and 100 columns, and keeps every word in its place", async () => {
		for (const [name, usage] of await usages()) {
			for (const width of [60, 80, 100]) {
				const text = usageText(usage, width);
				assert.deepEqual(words(text), words(usage), name);
				for (const line of text.split("\n").filter((each) => !each.startsWith("kubectl "))) {
					assert.ok(line.length <= width || words(line).length <= 2, `${name} at ${width}: ${line}`);
				}
			}
		}
	});

	it("leaves what fits as it is written", async () => {
		for (const [name, usage] of await usages()) {
			if (usage.split("\n").every((line) => line.length <= 120)) {
				assert.equal(usageText(usage, 200), usage, name);
			}
		}
	});

	it("puts descriptions below each other, and breaks no flag from its value in a form", () => {
		const usage = `Usage: waymark x [FILE]... [--one A|B] [--two NAME]

Says what it says to whoever asks.

  --one A|B   what one is, in
              more words
  --two-names NAME what two is

Exit: 0 clean, 1 errors,
      64 usage`;
		assert.equal(
			usageText(usage, 30),
			`Usage: waymark x [FILE]...
                 [--one A|B]
                 [--two NAME]

Says what it says to whoever
asks.

  --one A|B   what one is, in
              more words
  --two-names NAME what two is

Exit: 0 clean, 1 errors,
      64 usage`,
		);
	});

	it("is what --help prints, at the width of the terminal and at 80 columns without one", async () => {
		for (const [width, longest] of [
			[undefined, 80],
			[100, 100],
			[60, 60],
		] as const) {
			const printed: string[] = [];
			const streams = {
				out: (text: string) => void printed.push(text),
				error: () => {},
				colour: false,
				width,
			};
			assert.equal(await main(["migrate", "--help"], streams), 0);
			const lengths = printed
				.join("")
				.split("\n")
				.map((line) => line.length);
			assert.ok(
				Math.max(...lengths) <= longest && Math.max(...lengths) > longest - 15,
				`${Math.max(...lengths)}`,
			);
		}
	});
});
