import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import { loadSettings } from "./read.ts";

/** The cluster configuration as its file says it, or as it last said it well. */
export interface SettingsFileFollower {
	current(): Settings;
	/** Why the file's content is not in use; undefined when it is. */
	problem(): string | undefined;
	stop(): void;
}

/** A mounted ConfigMap is swapped by a symbolic link of its folder, which watching the file does not see. */
const pollMs = 2_000;

/**
 * Reads the cluster configuration now, throwing when it cannot be used, and again every two seconds; a bad reload
 * keeps the old one.
 */
export function followSettings(
	file: string | undefined,
	knownRules: ReadonlySet<string>,
	onReload: (result: { readonly settings?: Settings; readonly problem?: string }) => void,
): SettingsFileFollower {
	if (file === undefined) {
		return { current: () => defaultSettings, problem: () => undefined, stop: () => {} };
	}
	let settings = loadSettings(file, knownRules);
	let last = JSON.stringify(settings, serialize);
	let problem: string | undefined;
	const timer = setInterval(() => {
		try {
			const next = loadSettings(file, knownRules);
			const text = JSON.stringify(next, serialize);
			if (text !== last || problem !== undefined) {
				settings = next;
				last = text;
				problem = undefined;
				onReload({ settings });
			}
		} catch (error) {
			const message = error instanceof Error ? error.message : String(error);
			if (message !== problem) {
				problem = message;
				onReload({ problem });
			}
		}
	}, pollMs);
	timer.unref();
	return { current: () => settings, problem: () => problem, stop: () => clearInterval(timer) };
}

function serialize(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") {
		return value.toString();
	}
	return value instanceof Set || value instanceof Map ? [...value] : value;
}
