import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Kind } from "../src/core/kinds.ts";
import { allKinds, kinds } from "../src/core/kinds.ts";
import { families } from "../src/core/rule.ts";
import { camelCase } from "./generate.ts";

const usage = `Usage: npm run new-rule -- ID [--family ${families.join("|")}]

ID is the kind in lower case, then what the rule is about: serviceentry-host-length`;

/** Writes the two files that a new rule needs by hand: the rule and its test. */
function scaffold(argv: readonly string[]): number {
	const { positionals, values } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: { family: { type: "string", default: "policy" } },
	});
	const id = positionals[0] ?? "";
	const kind = allKinds.find((each) => id.startsWith(`${each.toLowerCase()}-`));
	if (
		kind === undefined ||
		!/^[a-z]+(-[a-z0-9]+)+$/.test(id) ||
		!families.some((each) => each === values.family)
	) {
		console.error(`${usage}\nKinds: ${allKinds.map((each) => each.toLowerCase()).join(", ")}`);
		return 64;
	}
	const root = join(import.meta.dirname, "..");
	const files = new Map([
		[join(root, `src/rules/${values.family}/${id}.ts`), ruleText(id, kind, values.family)],
		[join(root, `test/rules/${values.family}/${id}.test.ts`), testText(id, values.family)],
	]);
	for (const [path, text] of files) {
		if (existsSync(path)) {
			console.error(`Cannot write ${path}: it exists`);
			return 65;
		}
		writeFileSync(path, text);
		console.log(`wrote ${path}`);
	}
	console.log("Fill in both files, then run: npm run generate && npm test");
	return 0;
}

function ruleText(id: string, kind: Kind, family: string): string {
	const { group, versions, kind: name, namespaced } = kinds[kind];
	const apiVersion = [...(group === "" ? [] : [group]), versions[0]].join("/");
	const example = (called: string): string =>
		`{
			apiVersion: "${apiVersion}",
			kind: "${name}",
			metadata: { name: "${called}"${namespaced ? ', namespace: "team"' : ""} },
		}`;
	return `import type { Rule } from "../../core/rule.ts";

/** TODO: what holds when this rule is silent, in one sentence. */
export const ${camelCase(id)}: Rule<"${kind}"> = {
	id: "${id}",
	kind: "${kind}",
	family: "${family}",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "TODO: what must be so, in one sentence without a final period",
		why: "TODO: what happens to the traffic otherwise, and why that matters.",
		fix: "TODO: what to write instead.",
		sources: ["TODO: the file of Istio, the documentation page or the RFC that says so"],
		since: "0.1.0",
		good: ${example("good")},
		bad: ${example("bad")},
	},
	*check(object) {
		if (object.metadata?.name === "bad") {
			yield {
				path: ["metadata", "name"],
				message: "TODO: what is wrong, and what will happen",
				hint: "TODO: what to write instead",
			};
		}
	},
};
`;
}

function testText(id: string, family: string): string {
	return `import { ${camelCase(id)} as rule } from "../../../src/rules/${family}/${id}.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"TODO: refuses what": { object: rule.docs.bad, finds: ["error metadata.name"], says: /TODO/ },
	"TODO: accepts what": { object: rule.docs.good, finds: [] },
});
`;
}

if (import.meta.main) {
	process.exitCode = scaffold(process.argv.slice(2));
}
