import type { Stats } from "node:fs";
import { statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import { ConfigError, loadSettings, readSettings } from "./read.ts";

/** The cluster configuration as its file says it, or as it last said it well. */
export interface SettingsFileFollower {
	current(): Settings;
	/** Why the file's content is not in use; undefined when it is. */
	problem(): string | undefined;
	stop(): void;
}

/** A mounted ConfigMap is swapped by a symbolic link of its folder, which watching the file does not see. */
const pollMs = 2_000;
/** A file is read again so long after it changed, in milliseconds: what is still being written differs by then. */
const settleMs = 250;

/**
 * Reads the cluster configuration now, throwing when it cannot be used, and again every two seconds. A change is taken
 * when two reads agree; a bad one keeps the old configuration, and so does an empty file, which is what a file is while
 * it is written anew.
 */
export function followSettings(
	file: string | undefined,
	knownRules: ReadonlySet<string>,
	onReload: (result: { readonly settings?: Settings; readonly problem?: string }) => void,
): SettingsFileFollower {
	if (file === undefined) {
		return { current: () => defaultSettings, problem: () => undefined, stop: () => {} };
	}
	refuseUnlessFile(file);
	let settings = loadSettings(file, knownRules);
	let problem: string | undefined;
	/** What was read last, and what of it was taken or refused. */
	let seen: string | undefined;
	let judged: string | undefined;
	let isStopped = false;
	let timer: NodeJS.Timeout | undefined;

	const refuse = (message: string): void => {
		if (message !== problem) {
			problem = message;
			onReload({ problem });
		}
	};
	const take = (text: string): void => {
		if (isEmpty(text)) {
			throw new ConfigError(file, ["it has become empty: write {} if the defaults are meant"]);
		}
		const next = readSettings(text, file, knownRules);
		if (!isSame(next, settings) || problem !== undefined) {
			settings = next;
			problem = undefined;
			onReload({ settings });
		}
	};
	/** Reads once; whether the file must be read again soon. */
	const look = async (): Promise<boolean> => {
		try {
			const text = await readRegularFile(file);
			if (text === judged) {
				return false;
			}
			if (text !== seen) {
				seen = text;
				return true;
			}
			take(text);
			judged = text;
		} catch (error) {
			judged = undefined;
			refuse(error instanceof Error ? error.message : String(error));
		}
		return false;
	};
	const next = (delay: number): void => {
		timer = isStopped
			? undefined
			: setTimeout(async () => next((await look()) ? settleMs : pollMs), delay).unref();
	};
	next(pollMs);
	return {
		current: () => settings,
		problem: () => problem,
		stop() {
			isStopped = true;
			clearTimeout(timer);
		},
	};
}

/** Reads a file that is one: to read a pipe is to wait until somebody writes. */
async function readRegularFile(file: string): Promise<string> {
	try {
		const fault = faultOfFile(await stat(file));
		if (fault !== undefined) {
			throw new Error(fault);
		}
		return await readFile(file, "utf8");
	} catch (error) {
		throw new ConfigError(file, [error instanceof Error ? error.message : String(error)]);
	}
}

function refuseUnlessFile(file: string): void {
	const stats = statSync(file, { throwIfNoEntry: false });
	const fault = stats === undefined ? undefined : faultOfFile(stats);
	if (fault !== undefined) {
		throw new ConfigError(file, [fault]);
	}
}

/** A ConfigMap holds no more (k8s.io/kubernetes pkg/apis/core/validation: MaxSecretSize), and it is read beside reviews. */
const mostBytes = 1024 * 1024;

function faultOfFile(stats: Stats): string | undefined {
	if (!stats.isFile()) {
		return "it is no regular file";
	}
	return stats.size > mostBytes ? "it is larger than 1 MiB, the most that a ConfigMap can be" : undefined;
}

const emptyLines: ReadonlySet<string> = new Set(
	["", "---", "..."].flatMap((mark) =>
		["", "~", "null", "Null", "NULL"].map((word) => `${mark} ${word}`.trim()),
	),
);

/** Whether a text of YAML says nothing at all, or null. */
function isEmpty(text: string): boolean {
	return text.split("\n").every((line) => emptyLines.has(line.replace(/#.*/, "").trim()));
}

function isSame(one: Settings, other: Settings): boolean {
	return JSON.stringify(one, serialize) === JSON.stringify(other, serialize);
}

function serialize(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") {
		return value.toString();
	}
	return value instanceof Set || value instanceof Map ? [...value] : value;
}
