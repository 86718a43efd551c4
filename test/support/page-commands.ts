import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** One thing that a page has its reader do: save a file, run commands, or see what they print. */
type Step =
	| { readonly does: "save"; readonly name: string; readonly text: string }
	| { readonly does: "run"; readonly commands: readonly Command[] }
	| { readonly does: "see"; readonly lines: readonly string[] };

interface Command {
	readonly text: string;
	/** The code that the page says it ends with, behind it: `# exit 1`. */
	readonly code: number;
}

/** Where the commands of a page run. */
export interface Reader {
	readonly folder: string;
	readonly environment: Readonly<Record<string, string>>;
}

/**
 * Does what a page says, as it stands there: saves each YAML block under the name in its first line, runs each line of each
 * `sh` block, holds it to its exit code, and finds each `text` block in what the commands since the last such block printed.
 * A page that says to begin with the files of another has those saved first.
 */
export function walkPage(page: string, reader: Reader): void {
	const text = readFileSync(page, "utf8");
	const before = /^Begin with the files of \[[^\]]+\]\(([^)]+)\)/m.exec(text)?.[1];
	const files = before === undefined ? [] : stepsOf(readFileSync(join(dirname(page), before), "utf8"));
	for (const step of files) {
		if (step.does === "save") {
			writeFileSync(join(reader.folder, step.name), step.text);
		}
	}
	let printed = "";
	let count = 0;
	for (const step of stepsOf(text)) {
		if (step.does === "save") {
			writeFileSync(join(reader.folder, step.name), step.text);
		} else if (step.does === "see") {
			findLines(step.lines, printed);
			printed = "";
		} else {
			for (const command of step.commands) {
				printed += run(command, reader);
				count += 1;
			}
		}
	}
	assert.ok(count > 0, `${page} has no commands`);
}

function stepsOf(markdown: string): readonly Step[] {
	return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = "", body = ""]): Step => {
		if (language === "sh") {
			return { does: "run", commands: body.trimEnd().replaceAll("\\\n", " ").split("\n").map(commandOf) };
		}
		if (language === "text") {
			return { does: "see", lines: body.trimEnd().split("\n") };
		}
		const name = /^# (\S+)\n/.exec(body)?.[1];
		assert.ok(language === "yaml" && name !== undefined, `what is to be done with ${body.slice(0, 80)}`);
		return { does: "save", name, text: body };
	});
}

function commandOf(line: string): Command {
	const code = Number(/ # exit (\d+)$/.exec(line)?.[1] ?? "0");
	return { text: line, code };
}

function run({ text, code }: Command, { folder, environment }: Reader): string {
	const { status, stdout, stderr } = spawnSync("bash", ["-c", text], {
		cwd: folder,
		encoding: "utf8",
		env: { ...environment },
	});
	assert.equal(status, code, `${text}\n${stdout}${stderr}`);
	return `${stdout}${stderr}`;
}

/** Finds lines in this order; three dots stand for anything, alone for any lines. */
function findLines(lines: readonly string[], printed: string): void {
	const pattern = lines
		.map((line) =>
			line === "..." ? "[^]*" : `[^\\n]*${line.split("...").map(escaped).join("[^\\n]*")}[^\\n]*\\n`,
		)
		.join("[^]*?");
	assert.match(printed, new RegExp(pattern), `${lines.join("\n")}\n--- is not in ---\n${printed}`);
}

function escaped(text: string): string {
	return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
