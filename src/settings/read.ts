import { readFileSync } from "node:fs";
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { YAMLParseError } from "yaml";
import { parseDocument } from "yaml";
import { closest } from "../core/closest.ts";
import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import type { Settings, SettingsFile } from "../core/settings.ts";
import { parseSettings, settingsSchema } from "../core/settings.ts";
import { fileFault } from "./file-fault.ts";

/** A configuration that cannot be used; `problems` holds every reason, one line each. */
export class ConfigError extends Error {
	readonly problems: readonly string[];

	constructor(file: string, problems: readonly string[]) {
		const [only] = problems;
		super(
			problems.length === 1
				? `Cannot use the configuration ${file}: ${only}`
				: `Cannot use the configuration ${file}:\n${problems.map((each) => `  ${each}`).join("\n")}`,
		);
		this.name = "ConfigError";
		this.problems = problems;
	}
}

let compiled: ValidateFunction | undefined;

/** Compiled when first asked for. A test holds the schema to its meta-schema: here that would cost 25 ms a start. */
function schemaValidator(): ValidateFunction {
	compiled ??= new Ajv2020({
		allErrors: true,
		strict: true,
		allowUnionTypes: true,
		meta: false,
		validateSchema: false,
	}).compile(settingsSchema);
	return compiled;
}

/** Reads the cluster configuration from a YAML file; throws a `ConfigError` that lists everything that is wrong. */
export function loadSettings(
	file: string,
	knownRules: ReadonlySet<string>,
	read: (file: string) => Buffer = (path) => readFileSync(path),
): Settings {
	let text: string;
	try {
		text = read(file).toString("utf8");
	} catch (error) {
		throw new ConfigError(file, [fileFault(error)]);
	}
	return readSettings(text, file, knownRules);
}

/** Reads the cluster configuration from YAML text; throws a `ConfigError` that lists everything that is wrong. */
export function readSettings(text: string, file: string, knownRules: ReadonlySet<string>): Settings {
	const document = parseDocument(text);
	const written = document.errors.map(describeSyntax);
	// What is there twice can be read all the same, and more may be wrong.
	if (document.errors.some(({ code }) => code !== "DUPLICATE_KEY")) {
		throw new ConfigError(file, written);
	}
	let content: unknown;
	try {
		content = document.toJS() ?? {};
	} catch (error) {
		// An alias that leads nowhere, or to too much.
		throw new ConfigError(file, [error instanceof Error ? error.message : String(error)]);
	}
	const validate = schemaValidator();
	const misshapen = validate(content) ? [] : (validate.errors ?? []);
	if (misshapen.some(({ instancePath, keyword }) => instancePath === "" && keyword === "type")) {
		throw new ConfigError(file, [...written, ...misshapen.map(describe)]);
	}
	for (const error of misshapen) {
		leaveOut(content, error);
	}
	// What remains has the right shape, and may be wrong in other ways: everything is said at once.
	const { settings, problems } = parseSettings(content as SettingsFile);
	const unknown = [...settings.severities.keys()]
		.filter((id) => !knownRules.has(id))
		.map((id) => `${formatPath(["severities", id])} names a rule that does not exist`);
	const all = [
		...written,
		...misshapen.map(describe),
		...problems.map((each) => `${formatPath(each.path)} ${each.message}`),
		...unknown,
	];
	if (all.length > 0) {
		throw new ConfigError(file, all);
	}
	return settings;
}

/** What is wrong with the text, without the lines that the parser shows of it. */
function describeSyntax({ code, message }: YAMLParseError): string {
	const [line = ""] = message.split("\n");
	return code === "MULTIPLE_DOCS"
		? "it holds several documents, and a configuration is one"
		: line.replace(/:$/, "");
}

function describe(error: ErrorObject): string {
	const path = formatPath(pointerPath(error.instancePath));
	const extra: unknown = error.params.additionalProperty;
	const words =
		typeof extra === "string"
			? `has no field ${JSON.stringify(extra)}${meant(extra, error.schemaPath)}`
			: error.keyword === "enum"
				? `must be one of ${(error.params.allowedValues as readonly string[]).join(", ")}`
				: (error.message ?? "is wrong");
	return `${path === "" ? "the configuration" : path} ${words}`;
}

/** The field that was probably meant, of those that the schema has there. */
function meant(field: string, schemaPath: string): string {
	const at = pointerPath(schemaPath.replace(/^#/, "").replace(/\/additionalProperties$/, ""));
	const schema = at.reduce<unknown>((part, step) => memberOf(part, step), settingsSchema);
	const known = Object.keys((memberOf(schema, "properties") ?? {}) as object);
	const found = field.length > 64 ? undefined : closest(field, known);
	return found === undefined ? "" : `; did you mean ${JSON.stringify(found)}?`;
}

function memberOf(value: unknown, step: string | number): unknown {
	return typeof value === "object" && value !== null
		? (value as Readonly<Record<string, unknown>>)[step]
		: undefined;
}

/** Takes out of a configuration what has the wrong shape; items of a list keep their places. */
function leaveOut(content: unknown, { instancePath, params }: ErrorObject): void {
	const extra: unknown = params.additionalProperty;
	const path = [...pointerPath(instancePath), ...(typeof extra === "string" ? [extra] : [])];
	const last = path.pop();
	const parent = path.reduce<unknown>((part, step) => memberOf(part, step), content);
	if (last !== undefined && typeof parent === "object" && parent !== null) {
		Reflect.deleteProperty(parent, last);
	}
}

function pointerPath(pointer: string): Path {
	return pointer
		.split("/")
		.slice(1)
		.map((step) => {
			const text = step.replaceAll("~1", "/").replaceAll("~0", "~");
			return /^\d+$/.test(text) ? Number(text) : text;
		});
}
