import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { rules } from "../../src/rules/table.ts";

const pinned = join(import.meta.dirname, "control-plane");

/** The Go modules of which rule pages cite files, by the names that they are cited by. */
const modules: ReadonlyMap<string, string> = new Map([
	["istio/istio", "istio.io/istio"],
	["istio/api", "istio.io/api"],
	["istio.io/api", "istio.io/api"],
	["kubernetes/apimachinery", "k8s.io/apimachinery"],
]);

/** `REPOSITORY PATH`, and perhaps `: NAME…, NAME… (what is to be seen there)`. */
interface Citation {
	readonly text: string;
	readonly module: string;
	readonly path: string;
	readonly names: readonly string[];
}

/** A source that names a file of a Go module; undefined for a page, an RFC and for ztunnel, which is no Go module. */
function citationOf(text: string): Citation | undefined {
	const [, repository = "", path = "", names = ""] = /^(\S+) (\S+?)(?:: (.+))?$/.exec(text) ?? [];
	const module = modules.get(repository);
	const words = names.replaceAll(/\(.*?\)/g, "").match(/[\w.]+/g) ?? [];
	return module === undefined ? undefined : { text, module, path, names: words };
}

const folders: ReadonlyMap<string, string> = new Map(
	[...new Set(modules.values())].map((module) => [
		module,
		execFileSync("go", ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module], {
			cwd: pinned,
			encoding: "utf8",
		}).trim(),
	]),
);

/** What is wrong with a citation at the pinned version; nothing when all is there. */
function faultsOf({ module, path, names }: Citation): readonly string[] {
	const file = join(folders.get(module) ?? "", path);
	if (!existsSync(file)) {
		return [`${path} is not in ${module}`];
	}
	const text = statSync(file).isDirectory()
		? readdirSync(file, { recursive: true, encoding: "utf8" })
				.filter((each) => each.endsWith(".go"))
				.map((each) => readFileSync(join(file, each), "utf8"))
				.join("\n")
		: readFileSync(file, "utf8");
	return names
		.filter((name) => !new RegExp(`\\b${name.replaceAll(".", "\\.")}\\b`).test(text))
		.map((name) => `${path} has no ${name}`);
}

it("every file of Istio and Kubernetes that a rule page cites is in the pinned module, with what is to be seen in it", () => {
	let count = 0;
	const wrong = rules.flatMap(({ id, docs }) =>
		docs.sources.flatMap((source) => {
			const citation = citationOf(source);
			count += citation === undefined ? 0 : 1;
			return citation === undefined ? [] : faultsOf(citation).map((fault) => `${id}: ${fault}`);
		}),
	);
	assert.deepEqual(wrong, []);
	assert.ok(count > 100, `${count} citations were read`);
});

it("a citation of a file, or of something in it, that is not there is seen", () => {
	const cite = (text: string): readonly string[] => {
		const citation = citationOf(text);
		assert.ok(citation !== undefined);
		return faultsOf(citation);
	};
	assert.deepEqual(
		cite("istio/istio pkg/config/validation/validation.go: ValidateServiceEntry (all of it)"),
		[],
	);
	assert.deepEqual(cite("istio/istio pkg/config/validation/validation.go: ValidateServiceEntri"), [
		"pkg/config/validation/validation.go has no ValidateServiceEntri",
	]);
	assert.deepEqual(cite("istio.io/api networking/nowhere.proto"), [
		"networking/nowhere.proto is not in istio.io/api",
	]);
});

// ztunnel is a Rust program that no pinned module holds: only the form of its citations can be checked here.
it("every citation of ztunnel names a file of its sources", () => {
	const cited = rules.flatMap(({ docs }) => docs.sources).filter((source) => source.startsWith("ztunnel"));
	assert.ok(cited.length > 0);
	for (const source of cited) {
		assert.match(source, /^ztunnel src\/[\w/]+\.rs(?:: \w+(?:, \w+)*(?: \(.+\))?)?$/);
	}
});
