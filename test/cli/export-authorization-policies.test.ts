import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { main } from "../../src/main.ts";
import { entry, namespace, waypoint } from "../reach/worlds.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-export-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "world.json");
writeFileSync(
	file,
	JSON.stringify({
		apiVersion: "v1",
		kind: "List",
		items: [
			namespace("bank"),
			namespace("intern", { "denied-hosts": "*.bank.example" }),
			waypoint,
			entry("bank/api", "api.bank.example"),
			entry("bank/open", "open.bank.example", {}, {}),
		],
	}),
);

async function run(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
	let out = "";
	let error = "";
	const code = await main(["export", "authorization-policies", ...argv], {
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

it("export authorization-policies prints YAML that kubectl applies, and names what it cannot refuse", async () => {
	const { code, out, error } = await run(file);
	assert.equal(code, 0);
	const documents = parseAllDocuments(out).map((each) => each.toJS() as { readonly kind: string });
	assert.deepEqual(
		documents.map(({ kind }) => kind),
		["AuthorizationPolicy"],
	);
	assert.match(error, /ServiceEntry bank\/open, open\.bank\.example: no waypoint is on the way/);
	const list = JSON.parse((await run("--output", "json", file)).out) as { readonly items: unknown };
	assert.deepEqual(list.items, documents);
});

it("export authorization-policies exits with 64 without input, and with 65 for what it cannot read", async () => {
	assert.equal((await run()).code, 64);
	assert.equal((await run("--cluster", file)).code, 64);
	assert.equal((await run("--output", "toml", file)).code, 64);
	assert.equal((await run(join(folder, "absent.yaml"))).code, 65);
});
