import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { readEnvironment } from "./cli/environment.ts";
import type { Streams, Verb } from "./cli/verb.ts";
import { exitCodes, UsageError } from "./cli/verb.ts";
import { verbs } from "./cli/verbs.ts";
import { catchSignals } from "./server/signals.ts";
import { fileFault } from "./settings/file-fault.ts";

/** The oldest major version of Node.js that the compiled command runs on. */
const oldestNode = 22;

/** The command: arguments → verb → exit code. */
export async function main(argv: readonly string[], streams: Streams): Promise<number> {
	const [name, ...rest] = argv;
	if (name === "--version" || name === "-V") {
		streams.out(`${(await import("./cli/version.ts")).ownVersion()}\n`);
		return exitCodes.clean;
	}
	const load = verbs.get(name ?? "");
	if (load === undefined) {
		const asked = name === "--help" || name === "-h" || name === "help";
		if (name === "help" && verbs.has(rest[0] ?? "")) {
			return main([...rest, "--help"], streams);
		}
		if (asked) {
			streams.out(await help(streams));
			return exitCodes.clean;
		}
		streams.error(name === undefined ? await help(streams) : await noSuchVerb(name));
		return exitCodes.usage;
	}
	const whole = await load();
	const part = await whole.part?.(rest[0]);
	const verb = part ?? whole;
	if (rest.includes("--help") || rest.includes("-h")) {
		const { usageText } = await import("./cli/usage-text.ts");
		streams.out(`${usageText(verb.usage, streams.width)}\n`);
		return exitCodes.clean;
	}
	try {
		return await verb.run(part === undefined ? rest : rest.slice(1), streams);
	} catch (error) {
		return await report(error, verb, streams);
	}
}

async function noSuchVerb(name: string): Promise<string> {
	const { closest } = await import("./core/closest.ts");
	const meant = name.length > 64 ? undefined : closest(name, [...verbs.keys()]);
	const advice = meant === undefined ? "waymark --help lists them" : `did you mean waymark ${meant}?`;
	return `waymark: there is no verb ${JSON.stringify(name)}; ${advice}\n`;
}

/** The flag that a verb does not have, of what node:util parseArgs says of it. */
function mistypedFlag(error: unknown): string | undefined {
	return isArgumentError(error) && "code" in error && error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION"
		? /'(-[^']*)'/.exec(error.message)?.[1]
		: undefined;
}

async function noSuchFlag(flag: string, verb: Verb): Promise<string> {
	const [{ closest }, { readUsage }] = await Promise.all([
		import("./core/closest.ts"),
		import("./cli/completion.ts"),
	]);
	const known = readUsage(verb.usage).map((each) => each.flag.slice(2));
	const name = flag.replace(/^--?/, "").split("=", 1)[0] ?? "";
	const meant = name.length < 2 || name.length > 64 ? undefined : closest(name, known);
	const advice = meant === undefined ? "--help lists them" : `did you mean --${meant}?`;
	return `waymark: there is no flag ${JSON.stringify(flag)}; ${advice}\n`;
}

async function report(error: unknown, verb: Verb, streams: Streams): Promise<number> {
	const flag = mistypedFlag(error);
	if (flag !== undefined) {
		streams.error(await noSuchFlag(flag, verb));
		return exitCodes.usage;
	}
	if (error instanceof UsageError || isArgumentError(error)) {
		const isHelped = error instanceof UsageError && error.isHelped;
		// The forms of the verb, and not thirty lines of flags that push the reason off the screen.
		const [forms = ""] = verb.usage.split("\n\n", 1);
		const help = forms === verb.usage ? "" : "\n--help says what each flag means\n";
		const { usageText } = await import("./cli/usage-text.ts");
		streams.error(
			`waymark: ${error.message}\n${isHelped ? "" : `\n${usageText(forms, streams.width)}\n${help}`}`,
		);
		return exitCodes.usage;
	}
	// Loaded here: reading configurations takes a YAML parser and a schema validator.
	const { ConfigError } = await import("./settings/read.ts");
	if (error instanceof ConfigError) {
		streams.error(`${error.message}\n`);
		return exitCodes.unreadable;
	}
	const reason = plainReason(error);
	if (reason !== undefined) {
		streams.error(`waymark: ${reason.message}\n`);
		return reason.isInput ? exitCodes.unreadable : exitCodes.fault;
	}
	streams.error(`waymark: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
	return exitCodes.fault;
}

/**
 * What went wrong outside of Waymark, in one line: what the operating system says of a file or a connection, and what
 * our own messages say. Undefined for a fault of Waymark, whose stack is worth seeing.
 */
function plainReason(error: unknown): { readonly message: string; readonly isInput: boolean } | undefined {
	if (!(error instanceof Error)) {
		return undefined;
	}
	const { path, syscall, code } = error as NodeJS.ErrnoException;
	if (syscall !== undefined && path !== undefined) {
		const reason = fileFault(error);
		const message = `${path}: ${reason === error.message ? `${syscall} failed (${code})` : reason}`;
		return { message: message.replaceAll(/\p{Cc}/gu, "\u{FFFD}"), isInput: syscall !== "write" };
	}
	if (error.constructor === Error && error.message.startsWith("Cannot ")) {
		const file = fileErrorBelow(error);
		const message = file === undefined ? error.message : error.message.replace(file.message, fileFault(file));
		return {
			message: message.split("\n")[0] ?? "",
			// A file that the user names cannot be read, or holds something else.
			isInput: file !== undefined || /^Cannot (?:use|read the certificate) /.test(message),
		};
	}
	return undefined;
}

/** What the operating system said of a file, where that is behind an error. */
function fileErrorBelow(error: Error): Error | undefined {
	const { syscall } = error as NodeJS.ErrnoException;
	if (syscall === "open" || syscall === "read" || syscall === "stat") {
		return error;
	}
	return error.cause instanceof Error ? fileErrorBelow(error.cause) : undefined;
}

// node:util parseArgs marks what it throws by a code.
function isArgumentError(error: unknown): error is Error {
	return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}

/** Whether a module is the file that the process was started with. */
function isStarted(url: string, file: string | undefined): boolean {
	return file !== undefined && url === pathToFileURL(realpathSync(file)).href;
}

async function help(streams: Streams): Promise<string> {
	const { usageText } = await import("./cli/usage-text.ts");
	const rows: string[] = [];
	for (const [name, load] of verbs) {
		rows.push(`  ${name.padEnd(16)} ${(await load()).summary}`);
	}
	return `${usageText(`Usage: waymark VERB [--help] | --version\n\n${rows.join("\n")}`, streams.width)}\n`;
}

/** Runs the command as this process: arguments, streams and exit code are the process's. */
export async function run(): Promise<void> {
	// Compiled code may be started by a Node that lacks what it is about to call.
	const [major = 0] = process.versions.node.split(".").map(Number);
	if (major < oldestNode) {
		process.stderr.write(`waymark needs Node.js ${oldestNode} or later, and this is ${process.version}\n`);
		process.exitCode = exitCodes.fault;
		return;
	}
	// Whoever reads only the beginning, as head does, is no fault.
	for (const stream of [process.stdout, process.stderr]) {
		stream.on("error", (error: NodeJS.ErrnoException) => {
			if (error.code !== "EPIPE") {
				throw error;
			}
		});
	}
	// Before anything is loaded: PID 1 of a container loses a SIGTERM that nobody waits for yet.
	const signals = process.argv[2] === "serve" ? catchSignals() : undefined;
	process.exitCode = await main(process.argv.slice(2), {
		out: (text) => process.stdout.write(text),
		error: (text) => process.stderr.write(text),
		colour: readEnvironment().colour ?? (process.stdout.isTTY === true && process.stdout.hasColors()),
		...(process.stdout.isTTY === true ? { width: Math.max(40, process.stdout.columns) } : {}),
		...(signals === undefined ? {} : { signals }),
		...(process.stderr.isTTY === true
			? { progress: (text: string): void => void process.stderr.write(`\r\u001b[K${text}`) }
			: {}),
	});
}

// `import.meta.main` came with Node 24.2; older ones are told what they lack, too.
if (import.meta.main ?? isStarted(import.meta.url, process.argv[1])) {
	await run();
}
