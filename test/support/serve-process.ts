import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { until } from "./until.ts";

const root = join(import.meta.dirname, "../..");

/** A program of this repository that has ended. */
export interface Ended {
	/** The exit code; null when a signal ended it. */
	readonly code: number | null;
	readonly out: string;
	readonly error: string;
}

/** `waymark serve` in a process of its own. */
export interface ServeProcess {
	readonly pid: number;
	readonly url: string;
	readonly caFile: string;
	readonly operations: string;
	out(): string;
	/** What it has logged so far. */
	log(): string;
	/** Posts a review and gives what is inside the answered one. */
	ask(endpoint: "mutate" | "validate", review: unknown): Promise<ServeResponse>;
	/** Sends a signal and waits for the end. */
	end(signal?: NodeJS.Signals): Promise<Ended>;
}

/** As much of an admission response as tests of the process read. */
export interface ServeResponse {
	readonly allowed: boolean;
	readonly patch?: string;
	readonly status?: { readonly message: string };
}

/** Where a program runs, and what it is told besides its arguments. */
export interface ProgramOptions {
	readonly cwd: string;
	readonly env?: Readonly<Record<string, string>>;
}

interface Program {
	readonly pid: number;
	readonly ended: Promise<Ended>;
	out(): string;
	error(): string;
	kill(signal: NodeJS.Signals): void;
}

// `npm test` names a folder in which the processes that it starts keep what they have compiled.
const compileCache: NodeJS.ProcessEnv =
	process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };

function start(script: string, args: readonly string[], { cwd, env = {} }: ProgramOptions): Program {
	const child = spawn(process.execPath, [join(root, script), ...args], {
		cwd,
		// Nothing of the caller's cluster or log level may leak into it.
		env: { PATH: process.env.PATH, ...compileCache, ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let out = "";
	let error = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		out += text;
	});
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		error += text;
	});
	const ended = once(child, "close").then(([code]) => ({ code: code as number | null, out, error }));
	return {
		pid: child.pid ?? 0,
		ended,
		out: () => out,
		error: () => error,
		kill: (signal) => child.kill(signal),
	};
}

/** Less than a test may take: one that is given up must leave no process that its runner waits for. */
const longestScriptMs = 50_000;

/** Runs a script of this repository to its end, which comes by a signal where the script goes on for too long. */
export function runScript(script: string, args: readonly string[], options: ProgramOptions): Promise<Ended> {
	const { ended, kill } = start(script, args, options);
	const alarm = setTimeout(() => kill("SIGKILL"), longestScriptMs);
	return ended.finally(() => clearTimeout(alarm));
}

/**
 * Starts `waymark serve` with these arguments, on free ports of loopback, and waits for its announcement; throws with
 * its output when it ends before that.
 */
export async function startServe(
	context: { after(stop: () => Promise<unknown>): void },
	args: readonly string[],
	options: ProgramOptions,
): Promise<ServeProcess> {
	const program = start(
		"src/main.ts",
		["serve", "--listen", "127.0.0.1:0", "--operations", "127.0.0.1:0", ...args],
		options,
	);
	let isOver = false;
	const ended = program.ended.finally(() => {
		isOver = true;
	});
	const end = (signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> => {
		program.kill(signal);
		return ended;
	};
	context.after(() => (isOver ? Promise.resolve() : end("SIGKILL")));
	await until("serve announces itself", () => isOver || /^Operations: .+$/m.test(program.out()), 20_000);
	if (isOver) {
		throw new Error(`Cannot use a server that has ended:\n${program.out()}${program.error()}`);
	}
	const read = (name: string): string => new RegExp(`^${name}: +(\\S+)$`, "m").exec(program.out())?.[1] ?? "";
	const url = read("Webhook");
	const caFile = read("CA");
	const ca = readFileSync(caFile, "utf8");
	const agent = new Agent({ keepAlive: true, ca });
	ended.finally(() => agent.destroy());
	return {
		pid: program.pid,
		url,
		caFile,
		operations: read("Operations"),
		out: program.out,
		log: program.error,
		ask: (endpoint, review) => post(`${url}/${endpoint}`, agent, review),
		end,
	};
}

function post(url: string, agent: Agent, review: unknown): Promise<ServeResponse> {
	return new Promise((resolve, reject) => {
		const headers = { "content-type": "application/json" };
		const call = request(url, { method: "POST", agent, headers }, async (answer) => {
			const text = Buffer.concat(await answer.toArray()).toString();
			resolve((JSON.parse(text) as { response: ServeResponse }).response);
		});
		call.on("error", reject);
		call.end(JSON.stringify(review));
	});
}
