import { readFileSync } from "node:fs";
import type { ValidateFunction } from "ajv/dist/2020.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse, YAMLError } from "yaml";
import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import type { Settings, SettingsFile } from "../core/settings.ts";
import { parseSettings, settingsSchema } from "../core/settings.ts";

/** A configuration that cannot be used; `problems` holds every reason, one line each. */
export class ConfigError extends Error {
	readonly problems: readonly string[];

	constructor(file: string, problems: readonly string[]) {
		super(`Cannot use the configuration ${file}:\n${problems.map((each) => `  ${each}`).join("\n")}`);
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
export function loadSettings(file: string, knownRules: ReadonlySet<string>): Settings {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (error) {
		throw new ConfigError(file, [error instanceof Error ? error.message : String(error)]);
	}
	return readSettings(text, file, knownRules);
}

/** Reads the cluster configuration from YAML text; throws a `ConfigError` that lists everything that is wrong. */
export function readSettings(text: string, file: string, knownRules: ReadonlySet<string>): Settings {
	let content: unknown;
	try {
		content = parse(text) ?? {};
	} catch (error) {
		throw new ConfigError(file, [error instanceof YAMLError ? error.message : String(error)]);
	}
	const validate = schemaValidator();
	if (!validate(content)) {
		const problems = (validate.errors ?? []).map((error) => {
			const path = formatPath(pointerPath(error.instancePath));
			const extra: unknown = error.params.additionalProperty;
			const words =
				typeof extra === "string"
					? `has no field ${JSON.stringify(extra)}`
					: error.keyword === "enum"
						? `must be one of ${(error.params.allowedValues as readonly string[]).join(", ")}`
						: (error.message ?? "is wrong");
			return `${path === "" ? "the configuration" : path} ${words}`;
		});
		throw new ConfigError(file, problems);
	}
	const { settings, problems } = parseSettings(content as SettingsFile);
	const unknown = [...settings.severities.keys()]
		.filter((id) => !knownRules.has(id))
		.map((id) => `${formatPath(["severities", id])} names a rule that does not exist`);
	const all = [...problems.map((each) => `${formatPath(each.path)} ${each.message}`), ...unknown];
	if (all.length > 0) {
		throw new ConfigError(file, all);
	}
	return settings;
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
