import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Completable } from "../../src/cli/completion.ts";
import { completables, readUsage } from "../../src/cli/completion.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { rules } from "../../src/rules/table.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const folder = temporaryFolder();

/** What a shell offers for a line that ends where the cursor is. */
type Offering = (line: string) => readonly string[];

function run(
	program: string,
	args: readonly string[],
	environment: Readonly<Record<string, string>> = {},
): string {
	const { stdout, stderr, status } = spawnSync(program, args, {
		encoding: "utf8",
		cwd: folder.path,
		env: { PATH: process.env.PATH ?? "", HOME: folder.path, TERM: "dumb", ...environment },
	});
	assert.equal(stderr, "");
	assert.equal(status, 0, stdout);
	return stdout;
}

/** bash by the function that the script defines. */
function bash(script: string): Offering {
	return (line) => {
		const words = line.split(" ");
		return run("bash", [
			"--norc",
			"-c",
			`${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_waymark
printf '%s\\n' "\${COMPREPLY[@]}"`,
		])
			.split("\n")
			.filter((each) => each !== "");
	};
}

/** fish says by itself what it would offer. */
function fish(script: string): Offering {
	const file = folder.write("waymark.fish", script);
	return (line) =>
		run("fish", ["--no-config", "-c", `source ${file}; complete --do-complete '${line}'`])
			.split("\n")
			.map((each) => each.split("\t")[0] ?? "")
			.filter((each) => each !== "");
}

/** zsh completes at a terminal alone: one of its own (zsh/zpty), in which what is added is written down. */
function zsh(script: string): Offering {
	mkdirSync(join(folder.path, "functions"), { recursive: true });
	writeFileSync(join(folder.path, "functions", "_waymark"), script);
	const offered = join(folder.path, "offered");
	const setup = folder.write(
		"setup.zsh",
		`PS1=READY
fpath=(${folder.path}/functions $fpath)
autoload -U compinit
compinit -u -D
compadd() {
	if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
	local -a found
	builtin compadd -A found "$@"
	print -rl -- $found >>${offered}
}
`,
	);
	const session = folder.write(
		"session.zsh",
		`zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source ${setup}"
zpty -r shell ready '*READY*'
zpty -w -n shell "$1"$'\\t'
zpty -w shell $'\\C-u'exit
while zpty -r shell rest; do :; done
`,
	);
	return (line) => {
		writeFileSync(offered, "");
		run("zsh", ["-f", session, line]);
		return readFileSync(offered, "utf8")
			.split("\n")
			.filter((each) => each !== "");
	};
}

const known = (
	await Promise.all([...verbs].map(async ([verb, load]) => completables(verb, await load())))
).flat();
const shells = [
	["bash", bash],
	["zsh", zsh],
	["fish", fish],
] as const;

for (const [shell, offeringOf] of shells) {
	describe(`waymark completion ${shell}`, {
		skip: !has(shell) && `no ${shell} on this machine`,
	}, async () => {
		const offered = offeringOf((await runVerb("completion", shell)).out);
		const includes = (line: string, wanted: readonly string[]): void => {
			const found = new Set(offered(line));
			assert.deepEqual(
				wanted.filter((each) => !found.has(each)),
				[],
				`${line}: ${[...found].join(" ")}`,
			);
		};

		it("offers every verb, and those that begin so", () => {
			includes("waymark ", [...verbs.keys()]);
			assert.deepEqual(offered("waymark expl"), ["explain"]);
		});

		it("offers every flag of every verb and of every subject", () => {
			for (const { verb, flags } of known) {
				includes(
					`waymark ${verb} --`,
					flags.map(({ flag }) => flag),
				);
			}
		});

		it("offers the subjects of a verb, and nothing of one behind another", () => {
			includes("waymark export ", ["authorization-policies", "admission-policies", "network-policies"]);
			includes("waymark config ", ["check"]);
			includes("waymark completion ", ["bash", "zsh", "fish"]);
			assert.ok(!offered("waymark export network-policies --").includes("--inject"));
			assert.ok(!offered("waymark lint --").includes("--static-manifests"));
		});

		it("offers the rules that can be explained", () => {
			includes(
				"waymark explain serviceentry-wildcard",
				rules.map(({ id }) => id).filter((id) => id.startsWith("serviceentry-wildcard")),
			);
		});

		it("offers the words of a flag", () => {
			includes("waymark lint --output ", ["text", "json", "junit", "sarif", "github", "gitlab"]);
			includes("waymark lint --assume ", ["ambient=enforced", "ambient=permitted"]);
			includes("waymark serve --certificates ", ["throw-away", "self"]);
			includes("waymark serve --tls-min-version ", ["1.2", "1.3"]);
			includes("waymark export admission-policies --editors ", ["config", "rbac"]);
			includes("waymark rules --family ", ["binding", "sidecar-egress"]);
		});

		it("offers files where one belongs", () => {
			folder.write("manifest.yaml", "");
			if (shell !== "bash") {
				includes("waymark lint ", ["manifest.yaml"]);
				includes("waymark lint --config ", ["manifest.yaml"]);
			} else {
				// bash does it by itself where the function says nothing.
				assert.deepEqual(offered("waymark lint manif"), []);
				assert.deepEqual(offered("waymark lint --config manif"), []);
			}
		});
	});
}

it("waymark completion names every verb for every shell", async () => {
	for (const shell of ["bash", "zsh", "fish"]) {
		const { code, out } = await runVerb("completion", shell);
		assert.equal(code, 0);
		for (const verb of verbs.keys()) {
			assert.match(out, new RegExp(`\\b${verb}\\b`), `${shell}: ${verb}`);
		}
	}
});

it("waymark completion refuses a shell that it does not know", async () => {
	assert.equal((await runVerb("completion", "csh")).code, 64);
	assert.equal((await runVerb("completion")).code, 64);
});

describe("readUsage()", () => {
	it("finds the flags of every verb and of its subjects, and none of other programs", async () => {
		for (const [verb, load] of verbs) {
			const whole = await load();
			for (const word of [undefined, ...((await whole.words?.()) ?? [])]) {
				const { usage } = (await whole.part?.(word)) ?? whole;
				const flags = new Set(readUsage(usage).map(({ flag }) => flag));
				for (const [flag] of usage.matchAll(/(?<=^ {2})--[a-z-]+/gm)) {
					assert.ok(flags.has(flag), `${verb} ${flag}`);
				}
				assert.ok(!flags.has("--server-side"), verb);
			}
		}
	});

	it("tells what stands behind a flag", () => {
		const flags = new Map(
			readUsage(
				"Usage: x [--as A|FILE] [--kind ambient=on|off] [--to HOST:PORT] [--dry]\n  --family   one of a, b-c\n  --config FILE  f",
			).map((each) => [each.flag, each]),
		);
		assert.deepEqual(
			["--help", "--as", "--kind", "--to", "--dry", "--family", "--config"].map((flag) => flags.get(flag)),
			[
				{ flag: "--help", words: [], value: "nothing" },
				{ flag: "--as", words: [], value: "file" },
				{ flag: "--kind", words: ["ambient=on", "ambient=off"], value: "text" },
				{ flag: "--to", words: [], value: "text" },
				{ flag: "--dry", words: [], value: "nothing" },
				{ flag: "--family", words: ["a", "b-c"], value: "text" },
				{ flag: "--config", words: [], value: "file" },
			],
		);
	});
});

it("completables() has every subject of a verb beside it", () => {
	const names = known.map(({ verb }: Completable) => verb);
	assert.ok(names.includes("export network-policies"), names.join(", "));
	assert.equal(new Set(names).size, names.length);
});
