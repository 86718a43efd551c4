import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { frameOf } from "../../src/lint/format/frame.ts";
import { wrapped } from "../../src/lint/format/wrap.ts";
import { main } from "../../src/main.ts";
import { egressNamespace, egressWaypoint, plainEntry, teamNamespace } from "../../src/rules/examples.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const command = join(import.meta.dirname, "../../src/main.ts");
const file = folder.write(
	"entries.yaml",
	`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: two
  namespace: shop
spec:
  hosts:
    - "bad host" # a comment
    - api.example.com
  ports:
    - number: 443
      name: tls
      protocol: TSL
  resolution: DNS
`,
);

const fixable = folder.write(
	"plain.yaml",
	[teamNamespace, egressNamespace, egressWaypoint, plainEntry].map((each) => stringify(each)).join("---\n"),
);

const examples = join(import.meta.dirname, "../../examples");

/** Runs a verb as on a terminal of so many columns. */
async function onScreen(width: number, ...argv: readonly string[]): Promise<string> {
	let text = "";
	const out = (piece: string): void => {
		text += piece;
	};
	await main(argv, { out, error: out, colour: false, width });
	return text;
}

/** Runs the command as a process of its own, without a terminal. */
function run(
	variables: Readonly<Record<string, string>>,
	...argv: readonly string[]
): Promise<{ readonly out: string; readonly error: string; readonly code: number | null }> {
	const { NO_COLOR: _no, FORCE_COLOR: _force, ...rest } = process.env;
	const child = spawn(process.execPath, [command, ...argv], { env: { ...rest, ...variables } });
	let [out, error] = ["", ""];
	child.stdout.on("data", (chunk) => {
		out += String(chunk);
	});
	child.stderr.on("data", (chunk) => {
		error += String(chunk);
	});
	return new Promise((resolve) => child.once("close", (code) => resolve({ out, error, code })));
}

describe("waymark lint on a screen", () => {
	it("says what it found in the order of the lines, each with its line and the field marked", async () => {
		const { out } = await runVerb("lint", "--assume", "ambient=enforced", file);
		const places = [...out.matchAll(/^\S+:(\d+):\d+ {2}(?:error|warning|info) /gm)].map(([, line]) =>
			Number(line),
		);
		assert.ok(places.length > 2);
		assert.deepEqual(
			places,
			places.toSorted((one, other) => one - other),
		);
		assert.ok(out.includes('    8 |     - "bad host" # a comment\n      |       ^^^^^^^^^^\n'), out);
		assert.ok(out.includes("    13 |       protocol: TSL\n       |       ^^^^^^^^^^^^^\n"), out);
	});

	it("ends with how often each rule spoke, and how many findings can be fixed", async () => {
		const { out } = await runVerb("lint", file, fixable);
		const { findings } = JSON.parse((await runVerb("lint", "-o", "json", file, fixable)).out) as {
			readonly findings: readonly { readonly rule: string; readonly fixable: boolean }[];
		};
		const counts = Map.groupBy(findings, ({ rule }) => rule);
		for (const [rule, list] of counts) {
			assert.match(out, new RegExp(`^ *${list.length}  ${rule}$`, "m"));
		}
		const count = findings.filter((each) => each.fixable).length;
		assert.ok(count > 0);
		assert.match(out, new RegExp(`^${count} can be fixed with --fix$`, "m"));
	});

	for (const width of [80, 120]) {
		it(`fits ${width} columns, whatever words there are to say`, async () => {
			const texts = await Promise.all([
				onScreen(width, "lint", "--assume", "ambient=enforced", file),
				onScreen(width, "rules"),
				onScreen(width, "explain", "serviceentry-waypoint-binding"),
				onScreen(width, "trace", "api.example.com", "--from", "shop", file),
				onScreen(width, "inventory", examples),
			]);
			for (const line of texts.join("\n").split("\n")) {
				// A path, an address and an example are not ours to break.
				const isGiven = line.includes(folder.path) || /^- http|^ {4,}\S+:/.test(line);
				assert.ok(line.length <= width || isGiven, line);
			}
		});
	}

	it("shows the inventory as a table where there is room, and as blocks with the same cells where not", async () => {
		const [wide, narrow] = await Promise.all(
			[120, 80].map((width) => onScreen(width, "inventory", examples)),
		);
		assert.match(wide ?? "", /^HOST +PROTOCOL +TLS +WAY/);
		assert.match(
			narrow ?? "",
			/^api\.payments\.example:443\n {4}PROTOCOL +TLS\n {4}TLS +passed\n {4}WAY +through istio-egress\/egress\n/,
		);
	});

	it("shows no escape sequence that a manifest brings", async () => {
		const odd = folder.write(
			"odd.yaml",
			'kind: ServiceEntry\napiVersion: networking.istio.io/v1\nmetadata: {name: a, namespace: b}\nspec: {hosts: ["\u009b31m\u202e"]}\n',
		);
		const { out } = await runVerb("lint", odd);
		assert.doesNotMatch(out, /[\p{Cf}]|(?!\n)\p{Cc}/u);
	});
});

describe("frameOf()", () => {
	it("shows a window of a long line with the mark below the field", () => {
		const line = `{"a":"${"x".repeat(500)}","hosts":["one.example"],"z":1}`;
		const column = line.indexOf('"one.example"') + 1;
		const [text = "", mark = ""] = frameOf([line], 1, column, 80) ?? [];
		assert.ok(text.length <= 80);
		const at = mark.indexOf("^");
		assert.equal(text.slice(at, at + '"one.example"'.length), '"one.example"');
		assert.equal(mark.slice(at), "^".repeat('"one.example"'.length));
	});

	it("is nothing where the line is not known", () => {
		assert.equal(frameOf([""], 1, 1, 80), undefined);
		assert.equal(frameOf(["a"], 2, 1, 80), undefined);
		assert.equal(frameOf(["a"], 1, 9, 80), undefined);
	});
});

describe("wrapped()", () => {
	it("breaks between words only, and not at all without a terminal", () => {
		assert.deepEqual(wrapped("one two three", 9, "  "), ["  one two", "  three"]);
		assert.deepEqual(wrapped("one two three", undefined, "  "), ["  one two three"]);
		assert.deepEqual(wrapped("https://long.example/address b", 10), ["https://long.example/address", "b"]);
		assert.deepEqual(wrapped("a b", 4, "x: ", "   "), ["x: a", "   b"]);
	});
});

describe("the command", () => {
	it("colours with FORCE_COLOR where there is no terminal, and not with NO_COLOR", async () => {
		const [plain, forced, none, both] = await Promise.all([
			run({}, "lint", file),
			run({ FORCE_COLOR: "1" }, "lint", file),
			run({ NO_COLOR: "1" }, "lint", file),
			run({ FORCE_COLOR: "0" }, "lint", file),
		]);
		assert.deepEqual(
			[plain, forced, none, both].map(({ out }) => out.includes("\u001b[")),
			[false, true, false, false],
		);
	});

	it("answers a mistyped flag in one line, with the flag that was meant", async () => {
		assert.deepEqual(
			[await runVerb("lint", "--ouput", "json", file), await runVerb("lint", "--qqqqq", file)].map(
				({ code, error }) => [code, error],
			),
			[
				[64, 'waymark: there is no flag "--ouput"; did you mean --output?\n'],
				[64, 'waymark: there is no flag "--qqqqq"; --help lists them\n'],
			],
		);
	});

	it("is silent when nobody reads it to the end", async () => {
		const child = spawn("sh", [
			"-c",
			'"$0" "$1" rules --output json | head -c 10; "$0" "$1" lint x --ouput 2>&1 >/dev/null | true',
			process.execPath,
			command,
		]);
		let error = "";
		child.stderr.on("data", (chunk) => {
			error += String(chunk);
		});
		await new Promise((resolve) => child.once("close", resolve));
		assert.equal(error, "");
	});
});

describe("waymark trace --all", () => {
	it("aligns its columns and ends with how many hosts go which way", async () => {
		const other = folder.write(
			"other.yaml",
			`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: a-longer-name, namespace: shop }
spec: { hosts: [b.example.com, c.example.com], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }
`,
		);
		const { out } = await runVerb("trace", "--all", file, other);
		const lines = out.trimEnd().split("\n");
		assert.match(lines.at(-1) ?? "", /^\d+ hosts: 0 through a waypoint, \d+ directly, \d+ not captured$/);
		const columns = lines
			.slice(0, -2)
			.map((line) => (line.indexOf(".example.com") < 0 ? -1 : line.search(/\S+\.example\.com/)));
		assert.equal(new Set(columns.filter((each) => each >= 0)).size, 1, out);
	});
});
