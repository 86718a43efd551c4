import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { expression } from "../src/manifests/cel.ts";
import type { SchemaNode } from "../src/manifests/schema.ts";
import { schemaTableText } from "../src/manifests/schema-table.ts";

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
	[
		String.raw`^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$`,
		"of a duration, cut to 256 characters before",
	],
	[String.raw`([\d.]+)([a-zµμ]+)`, "of a duration, cut to 256 characters before"],
]);

/** Files that hold none that judge. */
const notJudged: ReadonlyMap<string, string> = new Map([
	[
		"src/manifests/dialect.ts",
		"reads the files of whoever runs the command, and recognises templates line by line",
	],
	["src/manifests/schema-table.ts", "is generated, one text; its patterns are tried below"],
]);

/** How long an expression takes for texts, in microseconds of processor time. */
function costOf(tried: RegExp, given: readonly string[] = texts): number {
	const start = process.threadCpuUsage();
	for (const text of given) {
		tried.test(text);
	}
	return process.threadCpuUsage(start).user;
}

// A linear one takes a millisecond or two for all of them, a quadratic one seconds.
const mostMicroseconds = 400_000;

it("no regular expression of src goes back over a text without end", () => {
	let count = 0;
	const slow: string[] = [];
	for (const file of globSync("src/**/*.ts", { cwd: root })) {
		if (notJudged.has(file)) {
			continue;
		}
		for (const [, source = "", flags = ""] of readFileSync(join(root, file), "utf8").matchAll(literal)) {
			count++;
			if (bounded.has(source)) {
				continue;
			}
			const user = costOf(new RegExp(source, flags.replaceAll(/[gy]/g, "")));
			if (user > mostMicroseconds) {
				slow.push(`${file}: /${source}/${flags} takes ${(user / 1_000).toFixed(0)} ms`);
			}
		}
	}
	assert.deepEqual(slow, []);
	assert.ok(count > 60, `${count} expressions`);
});

/** Where an expression is made while a program runs, and of what. */
const madeLater: ReadonlyMap<string, string> = new Map([
	["src/manifests/cel.ts", "of patterns of the schemas that are built in, which the next test tries"],
	["src/core/cel.ts", "of a width, a number of its own"],
]);

it("no regular expression is made of what somebody wrote", () => {
	const found = globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
		readFileSync(join(root, file), "utf8")
			.split("\n")
			.filter((line) => /\bRegExp\(/.test(line) && !/^const \w+ = new RegExp\(/.test(line))
			.map(() => file),
	);
	assert.deepEqual(found.toSorted(), [...madeLater.keys()].toSorted());
});

it("no pattern of a CRD goes back over a text without end, as long as the CRD lets it be", () => {
	const patterns = new Map<string, number>();
	JSON.parse(schemaTableText, (_, node: unknown) => {
		const { pattern, maxLength = size } = Object(node) as Partial<SchemaNode>;
		if (typeof pattern === "string") {
			patterns.set(pattern, Math.max(patterns.get(pattern) ?? 0, Math.min(maxLength, size)));
		}
		return node;
	});
	assert.ok(patterns.size >= 20, `${patterns.size} patterns`);
	const slow = [...patterns].filter(([pattern, longest]) => {
		const cut = texts.map((text) => text.slice(0, longest - 1) + text.slice(-1));
		return costOf(expression(pattern), cut) > mostMicroseconds;
	});
	assert.deepEqual(slow, []);
});
