import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { main } from "../../src/main.ts";

/** What a run of the command did. */
export interface Outcome {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

/** Runs the command in this process, without a terminal. */
export async function runVerb(...argv: readonly string[]): Promise<Outcome> {
	let out = "";
	let error = "";
	const code = await main(argv, {
		out: (text) => {
			out += text;
		},
		error: (text) => {
			error += text;
		},
		colour: false,
	});
	return { code, out, error };
}

/** A folder that is gone after the tests of the file; `write` puts a file into it and gives its path. */
export function temporaryFolder(): { readonly path: string; write(name: string, text: string): string } {
	const path = mkdtempSync(join(tmpdir(), "waymark-test-"));
	after(() => rmSync(path, { recursive: true, force: true }));
	return {
		path,
		write: (name, text) => {
			const file = join(path, name);
			mkdirSync(dirname(file), { recursive: true });
			writeFileSync(file, text);
			return file;
		},
	};
}
