import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { after, describe, it } from "node:test";

const root = join(import.meta.dirname, "..");

/** One import of a file: where from, and whether it is done at once or only when its line runs. */
interface Import {
	readonly from: string;
	readonly isLazy: boolean;
}

const statement = /^(?:import|export)\s(?!type\s)[^;]*?from\s+"([^"]+)";|^import\s+"([^"]+)";/gm;
const call = /\bimport\(\s*"([^"]+)"\s*\)/g;

/** The imports of a file that are still there when it runs: types are erased. Ours by their path, others by name. */
function importsOf(file: string): readonly Import[] {
	const text = readFileSync(join(root, file), "utf8");
	const resolve = (from: string): string =>
		from.startsWith(".") ? relative(root, join(root, dirname(file), from)).replaceAll("\\", "/") : from;
	return [
		...[...text.matchAll(statement)].map((match) => ({ from: match[1] ?? match[2] ?? "", isLazy: false })),
		...[...text.matchAll(call)].map((match) => ({ from: match[1] ?? "", isLazy: true })),
	].map((each) => ({ ...each, from: resolve(each.from) }));
}

const files: readonly string[] = globSync("src/**/*.ts", { cwd: root })
	.map((file) => file.replaceAll("\\", "/"))
	.toSorted();
const imports: ReadonlyMap<string, readonly Import[]> = new Map(files.map((file) => [file, importsOf(file)]));

/** The room of a file: `src/core`, `src/istio`; the folders inside a room share its arrows. */
function roomOf(file: string): string {
	return file.split("/").slice(0, 2).join("/");
}

/** Everything that is loaded at once when a file is, with the chain that loads it. */
function loadedBy(file: string): ReadonlyMap<string, string> {
	const chains = new Map([[file, file]]);
	for (const [loaded, chain] of chains) {
		for (const { from, isLazy } of imports.get(loaded) ?? []) {
			if (!isLazy && !chains.has(from)) {
				chains.set(from, `${chain} → ${from}`);
			}
		}
	}
	return chains;
}

function chainsTo(file: string, isUnwanted: (loaded: string) => boolean): readonly string[] {
	return [...loadedBy(file)].filter(([loaded]) => isUnwanted(loaded)).map(([, chain]) => chain);
}

/** Which rooms each room may load, at once or later; docs/architecture.md draws the arrows. */
const arrows: Readonly<Record<string, readonly string[]>> = {
	"src/core": [],
	"src/istio": ["src/core"],
	"src/rules": ["src/core", "src/istio"],
	"src/trace": ["src/core", "src/istio"],
	"src/reach": ["src/core", "src/istio", "src/trace"],
	"src/inventory": ["src/core", "src/istio", "src/trace", "src/reach"],
	"src/export": ["src/core", "src/istio", "src/trace", "src/reach"],
	"src/migrate": ["src/core", "src/istio", "src/trace"],
	"src/admission": ["src/core"],
	"src/manifests": ["src/core"],
	"src/lint": ["src/core", "src/manifests"],
	"src/settings": ["src/core"],
	"src/certificates": [],
	"src/server": ["src/core", "src/admission", "src/certificates"],
	"src/kube": ["src/core", "src/certificates"],
	"src/audit": ["src/core", "src/istio", "src/trace", "src/reach", "src/lint"],
};

const pure = [
	"src/core",
	"src/istio",
	"src/rules",
	"src/admission",
	"src/trace",
	"src/reach",
	"src/inventory",
	"src/export",
	"src/migrate",
];

describe("the imports of src/", () => {
	it("the reader of imports finds what there is: at once, lazy, of packages, and no types", () => {
		assert.ok(
			imports.get("src/cli/verbs.ts")?.some(({ from, isLazy }) => isLazy && from === "src/cli/lint.ts"),
		);
		const table = imports.get("src/rules/table.ts") ?? [];
		assert.ok(table.length > 20 && table.every(({ from }) => from.startsWith("src/rules/")));
		assert.ok(imports.get("src/server/app.ts")?.some(({ from }) => from === "fastify"));
		assert.deepEqual(imports.get("src/core/rule.ts"), []);
	});

	for (const [folder, allowed] of Object.entries(arrows)) {
		it(`${folder} loads ${allowed.length === 0 ? "nothing outside itself" : allowed.join(", ")} and nothing else of ours, not even later`, () => {
			const wrong = files
				.filter((file) => roomOf(file) === folder)
				.flatMap((file) => (imports.get(file) ?? []).map(({ from }) => [file, from] as const))
				.filter(([, from]) => from.startsWith("src/") && ![folder, ...allowed].includes(roomOf(from)));
			assert.deepEqual(wrong, []);
		});
	}

	it("the pure folders load no package and no module of Node but the public-suffix list", () => {
		const wrong = files
			.filter((file) => pure.includes(roomOf(file)))
			.flatMap((file) => (imports.get(file) ?? []).map(({ from }) => `${file} → ${from}`))
			.filter((arrow) => !arrow.includes("→ src/") && !/^src\/(?:rules|istio)\/\S+ → tldts$/.test(arrow));
		assert.deepEqual(wrong, []);
	});

	it("main and every verb load src/kube and its client only when a cluster is asked for", () => {
		const verbs = files.filter((file) => file === "src/main.ts" || file.startsWith("src/cli/"));
		assert.ok(verbs.length > 5);
		for (const verb of verbs) {
			const isKube = (loaded: string) =>
				loaded.startsWith("src/kube/") || loaded === "@kubernetes/client-node";
			assert.deepEqual(chainsTo(verb, isKube), []);
		}
	});

	it("lint, trace, explain and rules load no server, no metrics and no logger", () => {
		for (const verb of ["lint", "trace", "explain", "rules"]) {
			const isServer = (loaded: string) =>
				loaded.startsWith("src/server/") || ["fastify", "pino", "prom-client", "undici"].includes(loaded);
			assert.deepEqual(chainsTo(`src/cli/${verb}.ts`, isServer), []);
		}
	});

	it("only main, the verbs and serve load the table of rules", () => {
		const others = files.filter(
			(file) =>
				file !== "src/main.ts" &&
				!file.startsWith("src/cli/") &&
				!file.startsWith("src/serve/") &&
				imports.get(file)?.some(({ from }) => from === "src/rules/table.ts"),
		);
		assert.deepEqual(others, []);
	});

	it("src/serve loads nothing of src/cli, not even later", () => {
		const wrong = files
			.filter((file) => roomOf(file) === "src/serve")
			.flatMap((file) => (imports.get(file) ?? []).map(({ from }) => `${file} → ${from}`))
			.filter((arrow) => arrow.includes("→ src/cli/") || arrow.includes("→ src/main.ts"));
		assert.deepEqual(wrong, []);
	});

	it("two files open connections, to the API server and to replicas, and none asks DNS or runs a fetch", () => {
		// isIP of node:net opens nothing; the servers' own sockets are Fastify's.
		const opens = files.filter((file) => {
			const text = readFileSync(join(root, file), "utf8");
			const named = [
				...text.matchAll(/^import (?!type )\{([^}]*)\} from "node:(?:net|http|https|http2|tls)";$/gm),
			];
			const names = named.flatMap(([, list = ""]) => list.split(",").map((name) => name.trim()));
			return names.some((name) => /\b(?:connect|request|createConnection|get)$|Request\b/i.test(name));
		});
		assert.deepEqual(opens, ["src/kube/client/http.ts", "src/kube/install/endpoints.ts"]);
		const others = files.filter((file) =>
			/"node:(?:dns|dgram)|\bfetch\(/.test(readFileSync(join(root, file), "utf8")),
		);
		assert.deepEqual(others, []);
	});

	it("no file loads a test or a script", () => {
		const wrong = [...imports].filter(([, list]) =>
			list.some(({ from }) => /^(?:test|scripts)\//.test(from)),
		);
		assert.deepEqual(wrong, []);
	});
});

/** Code without comments, and with every text emptied; what a template puts in stays. */
function codeOf(text: string): string {
	return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (found) =>
		found.startsWith("/") ? "" : '""',
	);
}

/** What an ES library without clocks and promises still has, and a pure room does not use. */
const impure =
	/\bDate\b(?!\.parse\(|\()|\bDate\(\s*\)|(?<!new )\bDate\(|\bMath\.random\b|\bMath\[|\b(?:Intl|globalThis|eval|Function)\b|\blocaleCompare\b|\btoLocale\w+/;

/** What tsc says about files under the settings of the pure rooms. */
function compile(folder: string, include: readonly string[]): string {
	const settings = join(folder, "tsconfig.json");
	const types = join(root, "pure.d.ts");
	writeFileSync(
		settings,
		JSON.stringify({ extends: join(root, "tsconfig.pure.json"), include: [types, ...include] }),
	);
	const tsc = join(root, "node_modules/typescript/bin/tsc");
	const { stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", settings, "--singleThreaded"], {
		encoding: "utf8",
	});
	return stdout + stderr;
}

describe("the pure rooms", () => {
	const folder = mkdtempSync(join(tmpdir(), "waymark-pure-"));
	after(() => rmSync(folder, { recursive: true }));
	const existing = pure.filter((room) => files.some((file) => roomOf(file) === room));

	it("compile without a clock, a promise, a timer and everything else that is not in pure.d.ts", () => {
		const { include } = JSON.parse(readFileSync(join(root, "tsconfig.pure.json"), "utf8"));
		assert.deepEqual(include, ["pure.d.ts", ...pure], "tsconfig.pure.json lists every pure room");
		const said = compile(
			folder,
			existing.map((room) => join(root, room)),
		);
		assert.equal(said, "", "a pure room uses what pure.d.ts does not know");
	});

	it("would not compile with anything that waits, listens, reads the time or draws lots", () => {
		const trials = Object.entries({
			"an async function": "export async function f(): Promise<void> {}",
			"a promise": "export const f = () => Promise.resolve();",
			"a timer": "setTimeout(() => {}, 1);",
			"an immediate": "setImmediate(() => {});",
			"a microtask": "queueMicrotask(() => {});",
			"a clock": "export const t: number = performance.now();",
			"the process": "export const e: string = process.argv[0];",
			"a request": "fetch('x');",
			"the console": "console.log(1);",
			randomness: "export const r: string = crypto.randomUUID();",
			"a buffer": "export const b = Buffer.from('x');",
			"a module of Node": 'import { readFileSync } from "node:fs"; readFileSync("x");',
			"weak references": "export const w = new WeakRef({});",
		});
		for (const [index, [, code]] of trials.entries()) {
			writeFileSync(join(folder, `trial${index}.ts`), `${code}\nexport {};\n`);
		}
		const said = compile(folder, ["trial*.ts"]);
		const accepted = trials.filter((_, index) => !said.includes(`trial${index}.ts(1,`));
		assert.deepEqual(accepted, []);
	});

	it("use no clock, randomness or language of the machine that the libraries of ECMAScript have", () => {
		const wrong = files
			.filter((file) => pure.includes(roomOf(file)))
			.flatMap((file) => {
				const found = impure.exec(codeOf(readFileSync(join(root, file), "utf8")));
				return found === null ? [] : [`${file}: ${found[0]}`];
			});
		assert.deepEqual(wrong, []);
	});

	it("the check of what those libraries have sees each of it, and lets dates be read from a text", () => {
		for (const code of [
			"new Date()",
			"Date.now()",
			"Date()",
			"const D = Date;",
			"Math.random()",
			"new Intl.Collator()",
			"globalThis.process",
			"a.localeCompare(b)",
			"`${Date.now()}`",
		]) {
			assert.match(codeOf(code), impure, code);
		}
		for (const code of [
			"Date.parse(text)",
			"new Date(`${day}T00:00:00Z`)",
			'"Date.now()"',
			"// Date.now()",
		]) {
			assert.doesNotMatch(codeOf(code), impure, code);
		}
	});
});

describe("docs/architecture.md", () => {
	const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
	const rows: readonly (readonly string[])[] = [
		...page.matchAll(/^\| `(src\/[^`]+)\/` \| (.+?) \| (.+?) \|$/gm),
	].map(([, folder = "", what = "", loads = ""]) => [folder, what, loads]);

	it("has a row for every folder of src/, and none for another", () => {
		const folders = new Set(files.flatMap((file) => dirname(file)).filter((folder) => folder !== "src"));
		const withParents = new Set([...folders].flatMap((folder) => [roomOf(`${folder}/x`), folder]));
		const listed = rows.map(([folder]) => folder);
		assert.deepEqual(listed.toSorted(), [...withParents].toSorted(), "say in a row what lives in the folder");
	});

	it("says of every room which others it may load, as they are held to it", () => {
		for (const [folder = "", , loads = ""] of rows) {
			const allowed = arrows[folder];
			if (allowed !== undefined) {
				const named = allowed.map((room) => `\`${room.slice("src/".length)}\``);
				assert.equal(loads, named.join(", ") || "nothing", folder);
			} else if (folder !== roomOf(`${folder}/x`)) {
				assert.equal(loads, "as its room", folder);
			} else {
				assert.ok(
					["src/cli", "src/serve"].includes(folder),
					`${folder} needs arrows in test/architecture.test.ts`,
				);
			}
		}
	});

	it("names no file that is not there", () => {
		const named = [...page.matchAll(/`((?:src|test|scripts)\/[\w/.-]+\.ts)`/g)].map(([, file = ""]) => file);
		assert.ok(named.length > 5);
		assert.deepEqual(
			named.filter((file) => !existsSync(join(root, file))),
			[],
		);
	});
});

describe("the text of src/", () => {
	const holders = (pattern: RegExp): readonly string[] =>
		files.filter((file) => pattern.test(readFileSync(join(root, file), "utf8")));

	it("only environment reads the environment", () => {
		assert.deepEqual(holders(/\bprocess\.env\b/), ["src/cli/environment.ts"]);
	});

	it("nothing bears a name that was given up for a word of Kubernetes", () => {
		const files = [
			"io",
			"later",
			"durations",
			"writes",
			"store",
			"recovery",
			"revival",
			"settle",
			"exchange",
		];
		const rooms = /^src\/(?:kube|serve|server|cli|certificates)\//;
		const isOld = (file: string): boolean =>
			rooms.test(file) && files.includes(/([^/]+)\.ts$/.exec(file)?.[1] ?? "");
		assert.deepEqual(holders(/^/).filter(isOld), []);
		const words =
			/\b(?:Replica|Ending|endingOf|Breakage|ExchangeError|watchRevival|createWatchkeeper|watchDefinitions|ClusterWorld|answerLater|settleMemory)\b/;
		assert.deepEqual(
			holders(words).filter((file) => rooms.test(file)),
			[],
		);
	});

	it("nothing is told in a word of our own for which Kubernetes or Istio has one", () => {
		const words =
			/\b(?:[mM]end(?:s|ed|ing|able)?|isMended|complaints?|in vain|silentIf|standingOf|missingTwin|reachesFurther|judgesChange|satellites?)\b/;
		assert.deepEqual(holders(words), []);
	});

	it("nobody ends the process but a second signal: verbs return exit codes", () => {
		assert.deepEqual(holders(/\bprocess\.exit\(/), ["src/server/signals.ts"]);
	});

	it("every generic file name stays away", () => {
		const names = files.filter((file) =>
			/(?:^|\/)(?:utils?|common|shared|helpers?|misc|index)\.ts$/.test(file),
		);
		assert.deepEqual(names, []);
	});
});
