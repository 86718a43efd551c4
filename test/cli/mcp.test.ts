import assert from "node:assert/strict";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Ajv2020 } from "ajv/dist/2020.js";
import { stringify } from "yaml";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";
import { runVerb } from "../support/run-verb.ts";

const root = join(import.meta.dirname, "../..");
const home = mkdtempSync(join(tmpdir(), "waymark-mcp-"));
const folder = join(home, "repository");
const client = new Client({ name: "test", version: "1" });

/** Whoever would open a connection or look up a name ends the process. */
const withoutNetwork = `
	import net from "node:net";
	import dns from "node:dns";
	for (const [module, name] of [[net.Socket.prototype, "connect"], [net.Server.prototype, "listen"], [dns, "lookup"]]) {
		module[name] = () => { process.stderr.write("the network was asked for\\n"); process.exit(99); };
	}
`;

interface Answer {
	readonly isError?: boolean | undefined;
	readonly structuredContent: Readonly<Record<string, unknown>>;
	readonly content: readonly { readonly type: string; readonly text?: string }[];
}

async function ask(name: string, question: Readonly<Record<string, unknown>>): Promise<Answer> {
	const answer = await client.callTool({ name, arguments: { ...question } });
	return { structuredContent: {}, ...answer } as Answer;
}

function words({ content }: Answer): string {
	return content.map(({ text = "" }) => text).join("\n");
}

function schemaOf(name: string): object {
	return JSON.parse(readFileSync(join(root, `docs/schemas/${name}.schema.json`), "utf8")) as object;
}

const bad = withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "NONE" });

describe("waymark mcp, as a process asked by the SDK's own client", () => {
	before(async () => {
		mkdirSync(join(folder, "apps"), { recursive: true });
		writeFileSync(
			join(folder, "base.yaml"),
			[egressNamespace, egressWaypoint, teamNamespace].map((each) => stringify(each)).join("---\n"),
		);
		writeFileSync(join(folder, "apps/good.yaml"), stringify(boundEntry));
		writeFileSync(join(home, "secret.yaml"), stringify(bad));
		symlinkSync(join(home, "secret.yaml"), join(folder, "link.yaml"));
		symlinkSync("/", join(folder, "all"));
		writeFileSync(join(home, "no-network.mjs"), withoutNetwork);
		const transport = new StdioClientTransport({
			command: process.execPath,
			// Node itself refuses every write, and every read but of the program and of the repository.
			args: [
				"--permission",
				...[root, realpathSync(join(root, "node_modules")), home].map((path) => `--allow-fs-read=${path}`),
				`--import=${join(home, "no-network.mjs")}`,
				join(root, "src/main.ts"),
				"mcp",
				folder,
			],
			stderr: "inherit",
		});
		await client.connect(transport);
	});
	after(async () => {
		await client.close();
		rmSync(home, { recursive: true });
	});

	it("lists four tools that only read, with the schemas of docs/schemas", async () => {
		const { tools } = await client.listTools();
		assert.deepEqual(
			tools.map(({ name }) => name),
			["lint", "trace", "inventory", "explain"],
		);
		for (const { annotations, inputSchema } of tools) {
			assert.equal(annotations?.readOnlyHint, true);
			assert.equal(annotations?.openWorldHint, false);
			assert.equal(inputSchema.additionalProperties, false);
		}
		assert.deepEqual(tools[0]?.outputSchema, { ...schemaOf("lint"), type: "object" });
		assert.deepEqual(tools[3]?.outputSchema, { ...schemaOf("explain"), type: "object" });
	});

	it("lint finds in the folder what the command finds", async () => {
		const { structuredContent: found } = await ask("lint", {});
		assert.deepEqual((found.summary as { readonly errors: number }).errors, 0);
		assert.equal((found.summary as { readonly judged: number }).judged, 4);
	});

	it("lint judges a manifest that is in no file, in the world of the files", async () => {
		const answer = await ask("lint", { manifest: stringify(bad) });
		const { summary, findings } = answer.structuredContent as {
			readonly summary: { readonly documents: number };
			readonly findings: readonly { readonly rule: string; readonly file: string }[];
		};
		assert.equal(summary.documents, 1);
		assert.deepEqual(
			findings.map(({ file }) => file),
			findings.map(() => "<stdin>"),
		);
		assert.ok(findings.some(({ rule }) => rule === "serviceentry-wildcard-resolution"));
		assert.ok(!findings.some(({ rule }) => rule === "serviceentry-waypoint-existence"));
	});

	it("trace says why a namespace reaches a host, or one row for each host", async () => {
		const [host = ""] = boundEntry.spec?.hosts ?? [];
		const route = await ask("trace", { host: `${host}:443`, from: boundEntry.metadata?.namespace ?? "" });
		assert.equal(
			(route.structuredContent.outcome as { readonly kind: string }).kind,
			"waypoint",
			words(route),
		);
		const all = await ask("trace", {});
		assert.equal((all.structuredContent.hosts as readonly unknown[]).length, 1);
		const missing = await ask("trace", { host });
		assert.equal(missing.isError, true);
		assert.match(words(missing), /--from NAMESPACE/);
	});

	it("inventory and explain answer as their schemas say", async () => {
		const list = await ask("inventory", { paths: ["base.yaml", "apps"] });
		assert.equal((list.structuredContent.hosts as readonly unknown[]).length, 1);
		const page = await ask("explain", { rule: "serviceentry-waypoint-binding" });
		assert.equal(page.structuredContent.id, "serviceentry-waypoint-binding");
		const unknown = await ask("explain", { rule: "serviceentry-waypoint-bindin" });
		assert.equal(unknown.isError, true);
		assert.match(words(unknown), /did you mean serviceentry-waypoint-binding/);
	});

	for (const [what, path] of [
		["a path upwards", "../secret.yaml"],
		["an absolute path", join(home, "secret.yaml")],
		["a link that leads out", "link.yaml"],
		["a folder that leads out", "all"],
		["what is not there", "nothing.yaml"],
		["the standard input", "-"],
		["a device", "/dev/zero"],
	] as const) {
		it(`refuses ${what} in the same words`, async () => {
			for (const tool of ["lint", "trace", "inventory"]) {
				const answer = await ask(tool, { paths: [path] });
				assert.equal(answer.isError, true, tool);
				assert.match(words(answer), /is not a file or folder below the one where waymark mcp was started/);
			}
		});
	}

	it("takes no word of a question for a flag", async () => {
		for (const question of [
			{ paths: ["--fix"] },
			{ paths: ["--cluster"] },
			{ context: ["--baseline=out"] },
			{ paths: ["."], output: "text" },
		]) {
			const answer = await ask("lint", question).catch((error: unknown) => ({
				isError: true,
				content: [{ type: "text", text: String(error) }],
			}));
			assert.equal(answer.isError, true, JSON.stringify(question));
		}
		const answer = await ask("trace", { host: "--cluster", from: "shop" });
		assert.doesNotMatch(words(answer), /kubeconfig/);
	});

	it("answers within 64 KiB, counts all, and says what it left out", async () => {
		const many = Array.from({ length: 400 }, (_, index) =>
			stringify({ ...bad, metadata: { ...bad.metadata, name: `entry-${index}` } }),
		).join("---\n");
		const answer = await ask("lint", { manifest: many });
		const { summary, findings } = answer.structuredContent as {
			readonly summary: { readonly errors: number };
			readonly findings: readonly unknown[];
		};
		assert.ok(summary.errors >= 400);
		assert.ok(findings.length > 10 && findings.length < summary.errors);
		assert.ok(Buffer.byteLength(JSON.stringify(answer.structuredContent)) <= 64 * 1024);
		assert.match(words(answer), /\d+ of \d+ findings are shown/);
		assert.ok(
			new Ajv2020({ strict: false, validateFormats: false }).validate(
				schemaOf("lint"),
				answer.structuredContent,
			),
		);
	});

	it("refuses a manifest of more than 256 KiB characters, and goes on", async () => {
		const answer = await ask("lint", { manifest: "#".repeat(256 * 1024 + 1) }).catch((error: unknown) => ({
			isError: true,
			content: [{ type: "text", text: String(error) }],
		}));
		assert.equal(answer.isError, true);
		assert.equal((await ask("lint", {})).isError ?? false, false);
	});

	it("has written nothing", () => {
		assert.deepEqual(readdirSync(folder).toSorted(), ["all", "apps", "base.yaml", "link.yaml"]);
	});
});

it("waymark mcp says what is wrong with its arguments before it listens", async () => {
	assert.equal((await runVerb("mcp", "one", "two")).code, 64);
	assert.equal((await runVerb("mcp", "/nowhere")).code, 65);
	assert.equal((await runVerb("mcp", "--config", "/nowhere.yaml")).code, 65);
});
