import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { it } from "node:test";
import { parse, stringify } from "yaml";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";

const root = join(import.meta.dirname, "../..");

interface Action {
	readonly runs: { readonly steps: readonly { readonly name: string; readonly run: string }[] };
}

it("action.yml's steps lint the manifests of a repository from a checkout of its own", () => {
	const { runs } = parse(readFileSync(join(root, "action.yml"), "utf8")) as Action;
	const home = mkdtempSync(join(tmpdir(), "waymark-action-"));
	try {
		const checkout = join(home, "waymark");
		mkdirSync(checkout);
		for (const path of ["bin", "src", "tools", "package.json", "package-lock.json", ".npmrc"]) {
			cpSync(join(root, path), join(checkout, path), { recursive: true });
		}
		for (const path of ["docs/schemas", "scripts"]) {
			cpSync(join(root, path), join(checkout, path), { recursive: true });
		}
		const repository = join(home, "repository");
		mkdirSync(join(repository, "manifests"), { recursive: true });
		const bad = withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "NONE" });
		writeFileSync(
			join(repository, "manifests/all.yaml"),
			[egressNamespace, egressWaypoint, teamNamespace, bad].map((each) => stringify(each)).join("---\n"),
		);
		const inputs = { PATHS: "manifests", CONFIG: "", STRICT: "false", ARGUMENTS: "" };
		const results = runs.steps.map(({ run }) =>
			spawnSync("bash", ["-eo", "pipefail", "-c", run], {
				cwd: repository,
				encoding: "utf8",
				env: {
					...process.env,
					...inputs,
					WAYMARK: checkout,
					PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
				},
			}),
		);
		assert.equal(results[0]?.status, 0, results[0]?.stderr);
		assert.equal(results[1]?.status, 1, results[1]?.stderr);
		assert.match(
			results[1]?.stdout ?? "",
			/^::error .*file=manifests\/all.yaml.*serviceentry-wildcard-resolution/m,
		);
	} finally {
		rmSync(home, { recursive: true });
	}
});
