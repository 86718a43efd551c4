import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What to run: a program with its arguments, and its whole environment. */
export interface ProcessSpec {
	/** Names the log file `NAME.log` in the group's folder. */
	readonly name: string;
	readonly command: string;
	readonly args: readonly string[];
	readonly env?: NodeJS.ProcessEnv;
	readonly cwd?: string;
}

/** A running program whose output goes to a log file. */
export interface RunningProcess {
	readonly name: string;
	readonly pid: number;
	/** The file that holds stdout and stderr. */
	readonly log: string;
	/** Settles when the process has ended, with "code 1" or "signal SIGKILL". */
	readonly ended: Promise<string>;
	isRunning(): boolean;
	/** Sends a signal (SIGTERM), waits for the end, and sends SIGKILL after `grace` milliseconds (10 s). */
	stop(signal?: NodeJS.Signals, grace?: number): Promise<void>;
}

/** Processes with one folder and one fate: none of them outlives the group, however this process ends. */
export interface ProcessGroup {
	/** A temp folder that is removed with the group. */
	readonly folder: string;
	start(spec: ProcessSpec): RunningProcess;
	/** Kills all processes, waits until they have ended, and removes the folder. */
	stop(): Promise<void>;
}

// Reads "+ PID" and "- PID". When its standard input closes, this process has ended, perhaps by SIGKILL:
// then it kills what is left and removes the folder. In a session of its own, so that Ctrl-C does not reach it.
const guardScript = `
pids=" "
while read -r sign pid; do
	case $sign in
	+) pids="$pids$pid " ;;
	-) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
	esac
done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
rm -rf "$1"
`;

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Makes a temp folder, and a group of processes that live in it. */
export async function createProcessGroup(): Promise<ProcessGroup> {
	const folder = await mkdtemp(join(tmpdir(), "waymark-e2e-"));
	const running = new Set<RunningProcess>();
	const guard = spawn("/bin/sh", ["-c", guardScript, "guard", folder], {
		detached: true,
		stdio: ["pipe", "ignore", "ignore"],
	});
	guard.unref();
	// The pipe must not keep this process alive, and a guard that was killed must not end it.
	(guard.stdin as unknown as { unref(): void }).unref();
	guard.stdin.on("error", () => {});

	const killAll = (): void => {
		for (const { pid } of running) {
			signalProcess(pid, "SIGKILL");
		}
	};
	const onExit = (): void => {
		killAll();
		rmSync(folder, { recursive: true, force: true });
	};
	const onSignal = (signal: NodeJS.Signals): void => {
		void stop().finally(() => process.kill(process.pid, signal));
	};
	process.on("exit", onExit);
	for (const signal of stopSignals) {
		process.on(signal, onSignal);
	}

	async function stop(): Promise<void> {
		await Promise.all([...running].map((each) => each.stop("SIGKILL")));
		await rm(folder, { recursive: true, force: true });
		guard.stdin.end();
		process.removeListener("exit", onExit);
		for (const signal of stopSignals) {
			process.removeListener(signal, onSignal);
		}
	}

	return {
		folder,
		stop,
		start(spec) {
			const started = startProcess(spec, folder);
			running.add(started);
			guard.stdin.write(`+ ${started.pid}\n`);
			void started.ended.then(() => {
				running.delete(started);
				guard.stdin.write(`- ${started.pid}\n`);
			});
			return started;
		},
	};
}

function startProcess(spec: ProcessSpec, folder: string): RunningProcess {
	const log = join(folder, `${spec.name}.log`);
	const output = openSync(log, "a");
	const child = spawn(spec.command, spec.args, {
		cwd: spec.cwd ?? folder,
		env: spec.env ?? process.env,
		stdio: ["ignore", output, output],
		// Its own process group: Ctrl-C in a terminal reaches us alone, and we decide the order.
		detached: true,
	});
	closeSync(output);
	// A test that forgets to stop it must still be able to end; stop() refers to it again.
	child.unref();
	let failure: Error | undefined;
	const ended = new Promise<string>((resolve) => {
		child.once("error", (error) => {
			failure = error;
			resolve(error.message);
		});
		child.once("exit", (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
	});
	const pid = child.pid;
	if (pid === undefined) {
		throw new Error(`Cannot start ${spec.name}: ${spec.command} cannot be run`, { cause: failure });
	}
	const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
	return {
		name: spec.name,
		pid,
		log,
		ended,
		isRunning,
		async stop(signal = "SIGTERM", grace = 10_000) {
			if (isRunning()) {
				child.ref();
				signalProcess(pid, signal);
				const abort = new AbortController();
				const late = sleep(grace, undefined, { signal: abort.signal }).then(
					() => signalProcess(pid, "SIGKILL"),
					() => undefined,
				);
				await ended;
				abort.abort();
				await late;
			}
		},
	};
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(pid, signal);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
			throw error;
		}
	}
}

/**
 * Waits until `ready` answers true; an exception of it counts as "not yet".
 *
 * Throws, with the end of the log, when the process ends first or `timeout` milliseconds have passed.
 */
export async function waitUntilReady(
	running: RunningProcess,
	ready: () => Promise<boolean>,
	timeout: number,
): Promise<void> {
	const deadline = Date.now() + timeout;
	let last: unknown;
	while (Date.now() < deadline) {
		if (!running.isRunning()) {
			throw new Error(
				`Cannot start ${running.name}: it ended with ${await running.ended}\n${logTail(running)}`,
			);
		}
		try {
			if (await ready()) {
				return;
			}
		} catch (error) {
			last = error;
		}
		await sleep(30);
	}
	throw new Error(`Cannot start ${running.name}: not ready after ${timeout} ms\n${logTail(running)}`, {
		cause: last,
	});
}

/** The last lines of what a process has printed. */
export function logTail(running: RunningProcess, lines = 30): string {
	return readFileSync(running.log, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}

/**
 * Finds free loopback ports, all different.
 *
 * Below 32768, where systems take the ports of outgoing connections from: a client that reconnects to a stopped
 * server could otherwise be given the server's own port, and the server could not come back on it.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
	const ports = new Set<number>();
	for (let attempts = 0; ports.size < count; attempts++) {
		if (attempts > 1000) {
			throw new Error(`Cannot find ${count} free ports between 20000 and 32000 on 127.0.0.1`);
		}
		const port = 20_000 + Math.floor(Math.random() * 12_000);
		if (await isFree(port)) {
			ports.add(port);
		}
	}
	return [...ports];
}

async function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}
