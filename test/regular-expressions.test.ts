import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const root = join(import.meta.dirname, "..");
const literal = /(?<=[(,=:&|?![]\s*)\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+)\/([dgimsuvy]*)/g;
const size = 20_000;

/** Texts that make an expression with nested or neighbouring repetitions go back for ever. */
const texts: readonly string[] = [
	"a",
	"A",
	"0",
	" ",
	"-",
	".",
	"*",
	"=",
	"_",
	",",
	"\n",
	"a.",
	"a-",
	"a ",
	"0.",
	"a=",
	"- ",
].flatMap((part) => {
	const text = part.repeat(size / part.length);
	return [text, `${text}\u0000`, `a${text}!`, `waymark:ignore a b${text}c`];
});

/** Expressions that do, and why they may. */
const bounded: ReadonlyMap<string, string> = new Map([
	["^-+|-+$", "of a name, cut to 253 characters before"],
	["-+$", "of a name, cut to 60 characters before"],
	["[^a-z0-9]+$", "of a name, cut before"],
]);

/** A room that only reads the files of whoever runs the command, and recognises templates line by line. */
const notJudged = "src/manifests/dialect.ts";

it("no regular expression of src goes back over a text without end", () => {
	let count = 0;
	const slow: string[] = [];
	for (const file of globSync("src/**/*.ts", { cwd: root })) {
		if (file === notJudged) {
			continue;
		}
		for (const [, source = "", flags = ""] of readFileSync(join(root, file), "utf8").matchAll(literal)) {
			count++;
			if (bounded.has(source)) {
				continue;
			}
			const expression = new RegExp(source, flags.replaceAll(/[gy]/g, ""));
			const start = process.cpuUsage();
			for (const text of texts) {
				expression.test(text);
			}
			const { user } = process.cpuUsage(start);
			// A linear one takes a millisecond or two for all of them, a quadratic one seconds.
			if (user > 400_000) {
				slow.push(`${file}: /${source}/${flags} takes ${(user / 1_000).toFixed(0)} ms`);
			}
		}
	}
	assert.deepEqual(slow, []);
	assert.ok(count > 60, `${count} expressions`);
});
