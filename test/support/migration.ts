import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { runVerb, temporaryFolder } from "./run-verb.ts";

/** What `waymark migrate` made of some documents. */
export interface Migrated {
	readonly code: number;
	readonly notes: string;
	/** What was not carried, as `Kind path`. */
	readonly lost: readonly string[];
	/** Titles of what was held back. */
	readonly withheld: readonly string[];
	/** The objects of 1-add and 2-switch by their files. */
	// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of every kind
	readonly written: ReadonlyMap<string, any>;
	/** The files of 3-remove. */
	readonly removed: readonly string[];
}

interface Bundle {
	readonly notes: readonly string[];
	readonly ledger: readonly {
		readonly object: { readonly kind: string };
		readonly path: string;
		readonly fate: string;
	}[];
}

/** Runs `waymark migrate` in a folder that is gone after the tests of the file. */
export function migrations(): (...documents: readonly string[]) => Promise<Migrated> {
	const folder = temporaryFolder();
	let runs = 0;
	return async (...documents) => {
		const name = `run-${runs++}`;
		const out = join(folder.path, name);
		const file = folder.write(`${name}.yaml`, documents.join("---\n"));
		const { code, out: json, error } = await runVerb("migrate", file, "--out", out, "--output", "json");
		assert.ok(code < 2, error);
		const result = JSON.parse(json) as {
			readonly bundles: readonly Bundle[];
			readonly withheld: readonly { readonly title: string }[];
		};
		const written = ["1-add", "2-switch"].flatMap((stage) =>
			filesIn(join(out, stage)).map((each) => {
				return [each, parse(readFileSync(join(out, stage, each), "utf8"))] as const;
			}),
		);
		return {
			code,
			notes: result.bundles.flatMap((each) => each.notes).join("\n"),
			lost: result.bundles
				.flatMap((each) => each.ledger)
				.filter(({ fate }) => fate === "not carried")
				.map(({ object, path }) => `${object.kind} ${path}`),
			withheld: result.withheld.map(({ title }) => title),
			written: new Map(written),
			removed: filesIn(join(out, "3-remove")),
		};
	};
}

function filesIn(path: string): readonly string[] {
	return existsSync(path) ? readdirSync(path) : [];
}
