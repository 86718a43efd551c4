import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Path } from "../../src/core/finding.ts";
import { readBlockYaml } from "../../src/manifests/block-yaml.ts";
import type { Manifest, Reading } from "../../src/manifests/read.ts";
import { parseManifests } from "../../src/manifests/read.ts";

const root = join(import.meta.dirname, "../..");

/** A manifest with everything in it that the reader of blocks knows. */
const everything = `# of team shop
apiVersion: v1 # the first
kind: ConfigMap
metadata:
  name: "shop"
  labels: {app: shop, "istio.io/use-waypoint": 'none', tier: [a, "b c", {d: 1}]}
  annotations:
    example.com/note: 'it says: # nothing'
    empty:
  list:
  - a
  -   b: 1.5
      c: |
        one

          two # no comment
      d: -3
  - e: http://example.com:80/#top
    f: "" # behind
data:
    script: |-   # a comment
      #!/bin/sh
      echo "--- x"

    answer: 42
    flag: true
    lists:
      - []
      - {}
      - [1, 0.0.0.0/0, "*", a-b]
---
kind: List
items:
- kind: Namespace
  apiVersion: v1
  metadata: {name: a}
- apiVersion: v1
  kind: Namespace
  metadata:
    name: b
---
# nothing here
--- # and one more
apiVersion: v1
kind: Namespace
metadata:
  name: c
  last: |
    end
`;

/** Texts to begin with. */
export function blockTexts(): readonly string[] {
	const files = globSync(["examples/**/*.yaml", "test/**/*.yaml", "charts/**/*.yaml"], {
		cwd: root,
	}).toSorted();
	const pages = globSync("docs/rules/*.md", { cwd: root }).toSorted();
	return [
		everything,
		...files.map((file) => readFileSync(join(root, file), "utf8")),
		...pages.flatMap((page) =>
			[...readFileSync(join(root, page), "utf8").matchAll(/```yaml\n(.*?)```/gs)].map(
				([, text = ""]) => text,
			),
		),
	];
}

/** Numbers that look random and are the same for a seed (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	};
}

const words =
	"---¦...¦[a, b]¦{a: b}¦yes¦no¦null¦true¦010¦0x1f¦1_000¦1e3¦-0¦.5¦.inf¦<<: ¦'a': ¦\"b\": ¦a: ¦''¦é¦1.10¦12345678901234567890¦__proto__: ¦? ¦- - ¦: ¦ #¦- ¦  ";
const breaks = "\n  ¦---\n¦\n---\n¦...\n¦|\n¦|-\n¦|+\n¦>\n¦\n\n¦\n#\n¦\n    #x\n¦# é\n";
const pieces = [..." \n:-#'\"[]{}|>&*!%@,~?0y.=<+\\\u00a0\u2028", ...words.split("¦"), ...breaks.split("¦")];

/** A text with a few changes of the kind that break YAML, or make something else of it. */
export function mutated(text: string, random: (below: number) => number): string {
	let changed = text;
	for (let count = 1 + random(3); count > 0; count--) {
		changed = change(changed, random);
	}
	return changed;
}

function change(text: string, random: (below: number) => number): string {
	const at = random(text.length + 1);
	const piece = pieces[random(pieces.length)] ?? "";
	const lines = text.split("\n");
	const line = random(lines.length);
	const whole = lines[line] ?? "";
	switch (random(7)) {
		case 0:
			return text.slice(0, at) + piece + text.slice(at);
		case 1:
			return text.slice(0, at) + text.slice(at + 1 + random(3));
		case 2:
			return text.slice(0, at) + piece + text.slice(at + 1 + random(piece.length));
		case 3:
			return lines.toSpliced(line, 1).join("\n");
		case 4:
			return lines.toSpliced(random(lines.length), 0, whole).join("\n");
		case 5:
			return lines.with(line, random(2) === 0 ? ` ${whole}` : whole.replace(/^ {1,2}/, "")).join("\n");
		default:
			return lines.with(line, whole.replace(/(?<=[:-] ).*$/, piece)).join("\n");
	}
}

/** Holds what is read of a text without the parser to what the parser gives; whether it was read so. */
export function assertBlockParity(text: string): boolean {
	if (readBlockYaml(text) === undefined) {
		return false;
	}
	// A tab sends the whole text to the parser.
	const parsed = told(parseManifests(`#\t\n${text}`, "a.yaml"), 1);
	assert.deepEqual(told(parseManifests(text, "a.yaml"), 0), parsed, `read otherwise:\n${text}`);
	return true;
}

function told({ manifests, unreadable, notes }: Reading, before: number): unknown {
	return {
		unreadable: unreadable.map((each) => ({ ...each, line: Math.max(each.line - before, 1) })),
		notes,
		manifests: manifests.map((manifest) => ({
			kind: manifest.kind,
			// The order of fields is seen too.
			object: JSON.stringify(manifest.object),
			prefix: manifest.prefix,
			document: manifest.document.contents?.toString(),
			places: [...pathsOf(manifest.object, [])].map((path) => placeOf(manifest, path, before)),
		})),
	};
}

function placeOf(manifest: Manifest, path: Path, before: number): readonly [string, number, number] {
	const { line, column } = manifest.position(path);
	return [path.join("/"), line - before, column];
}

/** Every field and item, and for each one that is not there. */
function* pathsOf(value: unknown, path: Path): Generator<Path> {
	yield path;
	yield [...path, "absent"];
	yield [...path, 99];
	if (typeof value === "object" && value !== null) {
		const isList = Array.isArray(value);
		for (const [key, inner] of Object.entries(value)) {
			yield* pathsOf(inner, [...path, isList ? Number(key) : key]);
		}
	}
}

if (import.meta.main) {
	const [seeds = 1000, first = 1] = process.argv.slice(2).map(Number);
	const texts = blockTexts();
	let read = 0;
	for (let seed = first; seed < first + seeds; seed++) {
		const random = randomOf(seed);
		const text = texts[random(texts.length)] ?? "";
		read += assertBlockParity(mutated(text.slice(0, 3000), random)) ? 1 : 0;
	}
	console.log(`${seeds} texts, ${read} read without the parser, all as the parser reads them`);
}
