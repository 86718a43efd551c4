import { once } from "node:events";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { CallToolResult, JsonSchemaType } from "@modelcontextprotocol/server";
import { fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import explainSchema from "../../docs/schemas/explain.schema.json" with { type: "json" };
import inventorySchema from "../../docs/schemas/inventory.schema.json" with { type: "json" };
import lintSchema from "../../docs/schemas/lint.schema.json" with { type: "json" };
import traceSchema from "../../docs/schemas/trace.schema.json" with { type: "json" };
import { explain } from "./explain.ts";
import { inventory } from "./inventory.ts";
import { lint } from "./lint.ts";
import type { JsonObject } from "./mcp-answer.ts";
import { bounded } from "./mcp-answer.ts";
import { filesBelow, NotShownError } from "./mcp-folder.ts";
import { trace } from "./trace.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { ownVersion } from "./version.ts";
import { readSettings } from "./world.ts";

/** A manifest that an assistant has drafted and not written has at most so many characters. */
const mostDraft = 256 * 1024;
/** So much is said of what went wrong. */
const mostWords = 2_000;

/** What an assistant can ask, as the input schemas below allow it. */
interface Question {
	readonly paths?: readonly string[];
	readonly context?: readonly string[];
	readonly manifest?: string;
	readonly strict?: boolean;
	readonly host?: string;
	readonly from?: string;
	readonly serviceAccount?: string;
	readonly rule?: string;
}

interface Tool {
	readonly name: string;
	readonly title: string;
	readonly description: string;
	readonly input: JsonSchemaType;
	readonly output: JsonSchemaType;
	readonly verb: Verb;
	/** The arguments of the verb, but for the paths and the configuration. */
	flags(question: Question): readonly string[];
}

const text = { type: "string", maxLength: 1024, pattern: "^[^\\u0000]*$" } as const;
const list = { type: "array", maxItems: 200, items: { ...text, minLength: 1 } } as const;
const paths = {
	...list,
	description: "Files and folders, relative to the folder of this server; default: all of it",
} as const;
const manifest = {
	type: "string",
	maxLength: mostDraft,
	description: "YAML that is in no file yet: judged beside the files",
} as const;

function objectOf(properties: JsonObject, required: readonly string[] = []): JsonSchemaType {
	return {
		type: "object",
		properties,
		required: [...required],
		additionalProperties: false,
	} as JsonSchemaType;
}

/** A schema of docs/schemas as the answer of a tool, whose root must say that it is an object. */
function answer(schema: object): JsonSchemaType {
	return { ...schema, type: "object" } as JsonSchemaType;
}

const tools: readonly Tool[] = [
	{
		name: "lint",
		title: "Judge manifests",
		description:
			"Judges Istio and Kubernetes manifests by the rules of the Waymark admission webhook: what would be refused or warned of, where, why, and how to fix it.",
		input: objectOf({
			paths: { ...list, description: "What is judged, relative to the folder of this server; default: all" },
			context: { ...list, description: "What is read beside it and not judged: namespaces, waypoints" },
			manifest: {
				...manifest,
				description: "YAML that is in no file yet: judged, in the world of the files",
			},
			strict: { type: "boolean", description: "Whether warnings count as errors" },
		}),
		output: answer(lintSchema),
		verb: lint,
		flags: ({ strict }) => ["--allow-empty", ...(strict === true ? ["--strict"] : [])],
	},
	{
		name: "trace",
		title: "Follow a connection",
		description:
			"Says which way a connection from pods of a namespace to an external host takes, step by step and why: through a waypoint, past it, refused, or unknown to the mesh. Without a host: one row for each host of each ServiceEntry.",
		input: objectOf({
			host: { ...text, minLength: 1, description: "HOST or HOST:PORT" },
			from: { ...text, minLength: 1, description: "The namespace of the client's pods; needed with a host" },
			serviceAccount: { ...text, minLength: 1, description: "The client's service account" },
			paths,
			manifest,
		}),
		output: answer(traceSchema),
		verb: trace,
		flags: ({ host, from, serviceAccount }) => [
			...(host === undefined ? ["--all"] : []),
			...(from === undefined ? [] : [`--from=${from}`]),
			...(serviceAccount === undefined ? [] : [`--service-account=${serviceAccount}`]),
		],
	},
	{
		name: "inventory",
		title: "List external hosts",
		description:
			"Lists every port of every external host: which namespaces may reach it by policy, which can, by which way, who declares it and by whose word.",
		input: objectOf({ paths, manifest }),
		output: answer(inventorySchema.oneOf[0] ?? {}),
		verb: inventory,
		flags: () => ["--compact"],
	},
	{
		name: "explain",
		title: "Explain a rule",
		description:
			"Explains a rule that a finding names: what it wants, why, how to fix it, and by what sources.",
		input: objectOf({ rule: { ...text, minLength: 1, description: "The id of the rule" } }, ["rule"]),
		output: answer(explainSchema),
		verb: explain,
		flags: () => [],
	},
];

/** `waymark mcp`: the read-only verbs as tools of an assistant. */
export const mcp: Verb = {
	summary: "Answer an assistant: lint, trace, inventory and explain by the Model Context Protocol",
	usage: `Usage: waymark mcp [DIR] [--config FILE]

Serves the Model Context Protocol on standard input and output, until the input ends. Its tools only read, and only manifests
below DIR, or the folder where it was started: no cluster, no network, nothing is written. docs/agents.md says how assistants
are told of it.

  --config FILE   the cluster configuration

Exit: 0, 64 usage, 65 unreadable input, 70 fault`,
	async run(argv) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: { config: { type: "string" } },
		});
		const [folder = "."] = positionals;
		if (positionals.length > 1) {
			throw new UsageError("mcp takes one DIR");
		}
		const config = values.config === undefined ? undefined : resolve(values.config);
		// What is wrong with either is said now, and not in the middle of a conversation.
		await readSettings(config);
		if (!statSync(folder).isDirectory()) {
			throw new UsageError(`${JSON.stringify(folder)} is not a folder`);
		}
		// Where the user may not, this names the folder; chdir names the one that is left.
		accessSync(folder, constants.R_OK | constants.X_OK);
		process.chdir(realpathSync(folder));
		const ended = once(process.stdin, "close");
		const server = serveStdio(() => serverOf(config));
		await ended;
		await server.close();
		return exitCodes.clean;
	},
};

function serverOf(config: string | undefined): McpServer {
	const server = new McpServer(
		{ name: "waymark", title: "Waymark", version: ownVersion() },
		{
			instructions:
				"Waymark knows which way connections of an Istio ambient mesh leave it. To answer why a namespace cannot reach a host, call trace first; lint says what is wrong with the manifests, and explain what a rule wants.",
		},
	);
	for (const tool of tools) {
		const { name, title, description, input, output } = tool;
		server.registerTool(
			name,
			{
				title,
				description,
				inputSchema: fromJsonSchema<Question>(input),
				outputSchema: fromJsonSchema(output),
				annotations: {
					readOnlyHint: true,
					destructiveHint: false,
					idempotentHint: true,
					openWorldHint: false,
				},
			},
			(question) => answerTo(tool, question, config),
		);
	}
	return server;
}

async function answerTo(tool: Tool, question: Question, config: string | undefined): Promise<CallToolResult> {
	let out = "";
	let words = "";
	try {
		await tool.verb.run(argumentsOf(tool, question, config), {
			out: (piece) => {
				out += piece;
			},
			error: (piece) => {
				words += piece;
			},
			colour: false,
			input: question.manifest ?? "",
		});
	} catch (error) {
		return refusal(reasonOf(error));
	}
	if (out === "") {
		return refusal(words);
	}
	const found = bounded(JSON.parse(out) as JsonObject);
	if (found === undefined) {
		return refusal("the answer is too large: ask of fewer files");
	}
	const cut = found.left.map(
		({ list: each, shown, of }) => `${shown} of ${of} ${each} are shown: ask of fewer files for the others`,
	);
	const contents = [JSON.stringify(found.content), ...(words === "" ? [] : [shortened(words)]), ...cut];
	return {
		content: contents.map((each) => ({ type: "text" as const, text: each })),
		structuredContent: { ...found.content },
	};
}

function argumentsOf(tool: Tool, question: Question, config: string | undefined): readonly string[] {
	const shared = ["--output=json", ...(config === undefined ? [] : [`--config=${config}`])];
	if (tool.verb === explain) {
		return [...shared, "--", question.rule ?? ""];
	}
	const draft = question.manifest === undefined ? [] : ["-"];
	// A draft is judged in the world of the files; it alone where only it is asked of.
	const isLint = tool.verb === lint;
	const isDraftOnly = isLint && draft.length > 0 && question.paths === undefined;
	const files = isDraftOnly ? [] : filesBelow(question.paths ?? ["."]);
	const context = isLint ? filesBelow(question.context ?? (isDraftOnly ? ["."] : [])) : [];
	if (files.length + draft.length === 0) {
		throw new NotShownError("there are no YAML or JSON files there, and no manifest was given");
	}
	return [
		...shared,
		...tool.flags(question),
		...context.map((file) => `--context=${file}`),
		"--",
		...(question.host === undefined ? [] : [question.host]),
		...files,
		...draft,
	];
}

function refusal(words: string): CallToolResult {
	return { isError: true, content: [{ type: "text", text: shortened(words) || "there is no answer" }] };
}

function reasonOf(error: unknown): string {
	return error instanceof Error ? error.message : "there is no answer";
}

function shortened(words: string): string {
	const trimmed = words.trim();
	return trimmed.length > mostWords ? `${trimmed.slice(0, mostWords)} …` : trimmed;
}
