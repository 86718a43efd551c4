import { watch } from "node:fs";
import { ClusterState } from "../core/cluster-state.ts";
import type { AnyObject, Kind, Resources } from "../core/kinds.ts";
import { allKinds } from "../core/kinds.ts";
import { defaultSettings } from "../core/settings.ts";
import type { Reading } from "./read.ts";
import { readManifests, worldOf } from "./read.ts";

/** What became of reading a directory. */
export interface DirectoryStatus {
	readonly objects: number;
	/** What cannot be read now, as FILE:LINE: MESSAGE; while there is any, the last good world is kept. */
	readonly problems: readonly string[];
}

/** A world that follows the YAML files below a directory. */
export interface DirectoryWorld {
	readonly state: ClusterState;
	status(): DirectoryStatus;
	stop(): Promise<void>;
}

/** How long after a change of a file the directory is read, in milliseconds: editors write in several steps. */
const settleMs = 100;
/** How often it is read in any case, in milliseconds: some file systems tell nobody of their changes. */
const pollMs = 2_000;

/** Reads the world below a directory and keeps it up to date; tells of every change and of everything unreadable. */
export function followDirectory(
	directory: string,
	onChange: (status: DirectoryStatus) => void,
): DirectoryWorld {
	const state = new ClusterState(defaultSettings, { offline: true });
	let status: DirectoryStatus = { objects: 0, problems: [] };
	let last = "";
	const read = (): void => {
		const reading = readManifests([directory]);
		const signature = JSON.stringify([reading.manifests.map((each) => each.object), reading.unreadable]);
		if (signature === last) {
			return;
		}
		last = signature;
		status = take(state, reading, status);
		onChange(status);
	};
	read();
	let settling: NodeJS.Timeout | undefined;
	const watcher = watch(directory, { recursive: true }, () => {
		clearTimeout(settling);
		settling = setTimeout(read, settleMs);
	});
	watcher.on("error", () => watcher.close());
	const polling = setInterval(read, pollMs);
	return {
		state,
		status: () => status,
		async stop() {
			watcher.close();
			clearTimeout(settling);
			clearInterval(polling);
		},
	};
}

function take(state: ClusterState, reading: Reading, before: DirectoryStatus): DirectoryStatus {
	if (reading.unreadable.length > 0) {
		const problems = reading.unreadable.map((each) => `${each.file}:${each.line}: ${each.message}`);
		return { objects: before.objects, problems };
	}
	const fresh = worldOf(reading.manifests, state.settings);
	for (const kind of allKinds) {
		state.replace(kind, fresh.all(kind) as Iterable<Resources[Kind] & AnyObject>);
	}
	return { objects: reading.manifests.length, problems: [] };
}
